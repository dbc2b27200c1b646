"""Where the loss of the last stage stops, computed from the parameters at its start.

Derived here. The last stage trains the routed expert's w on frozen features z_l (the tokens as
attention mixes them), so its loss given class n is half the mean of (1 - y pi f)^2.

* Linear: f = <w, sum_l z_l> is linear in w. Descent ends at least squares of the labels on the
  features; what is left over is orthogonal to every feature, and no w reaches it.
* Cubic: f = sum_l <w, z_l>^3. Across v_n the curvature is of the order of the small components
  themselves and dies with them: only a = <w, v_n> is fitted and the rest of w stays as it is. The
  gate is taken as open; that its value varies within a class is neglected.
"""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar

from motsim.experiments.mixture.run import Settings, build_model, prepare, stages
from motsim.mixture.evaluation import evaluate
from motsim.mixture.training import train

__all__ = ["predicted_plateau"]

RANK = 1e-10  # relative: smaller singular values are those of the arithmetic
Floats = NDArray[np.float64]


def predicted_plateau(settings: Settings) -> float:
    """Loss at which the last stage stops while attention stays frozen.

    Trains the stages before the last one again. A sum over the classes, each with the expert that
    most of its points are routed to.
    """
    return _predicted(settings.model_dump_json())


@lru_cache(maxsize=1024)
def _predicted(text: str) -> float:
    settings = Settings.model_validate_json(text)
    points, start = prepare(settings)
    model = build_model(settings)
    before = stages(settings)[:-1]
    trace = train(model, points, before, start, loss=settings.loss, seed=settings.seed)
    found = evaluate(model, trace.parameters, points, loss=settings.loss)
    total = 0.0
    for n in range(points.num_classes):
        at = np.flatnonzero(points.classes == n)
        expert = int(np.bincount(found.routed[at]).argmax())
        z = points.tokens[at]
        if len(found.attention):
            z = np.einsum("klp,pkd->pld", found.attention[expert][:, :, at], z)
        signed = points.labels[at] * found.gates[at, expert]
        if settings.activation == "linear":
            total += _linear(z, signed, points.weights[at])
        else:
            w = trace.parameters.ffn[expert, 0]
            v = points.signals.classification_signals[n]
            total += _cubic(z, points.labels[at], points.weights[at], w, v)
    return total


def _linear(z: Floats, signed: Floats, weights: Floats) -> float:
    """Half the squared residual of least squares of 1 on the signed features."""
    root = np.sqrt(weights)
    left, values, _ = np.linalg.svd((root * signed)[:, None] * z.sum(1), full_matrices=False)
    left = left[:, values > RANK * values[0]]
    rest = root - left @ (left.T @ root)
    return 0.5 * float(rest @ rest)


def _cubic(z: Floats, labels: Floats, weights: Floats, w: Floats, v: Floats) -> float:
    """Least loss over a of w = a v + u, with u across v as it is; the gate open (pi = 1)."""
    across = z @ (w - (w @ v) * v)
    along = z @ v

    def loss(a: float) -> float:
        output = ((a * along + across) ** 3).sum(1)
        return 0.5 * float(weights @ (1.0 - labels * output) ** 2)

    return float(minimize_scalar(loss, bracket=(0.9, 1.1), tol=1e-14).fun)
