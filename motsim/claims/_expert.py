"""Where one routed expert, or its gate, must stop off the clean point: derived, not trained.

Derivations: docs/theory.md §6.5. Nothing here reads a run: only data, attention and step sizes.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.integrate import cumulative_trapezoid
from scipy.optimize import minimize

from motsim.mixture.points import Points

__all__ = ["best_expert", "gate_steps", "mean_floor", "steps_per_decade"]

Floats = NDArray[np.float64]
STARTS = (1.0, 0.6)  # a wide amplitude asks for a shorter w, and has a poor minimum near v_n


def best_expert(points: Points, class_index: int, attention_scale: float) -> tuple[float, Floats]:
    """Least loss of one cubic expert on its own class, and the Hessian eigenvalues there.

    Attention is frozen at ``attention_scale`` times the identity and the gate's value at 1 (any
    other constant is absorbed by w). BFGS over all d numbers of w, the best from w = `STARTS` v_n.

    Returns
    -------
    floor : float
        min over w of E[(y - f(X; w))^2] / 2 over the points of the class.
    curvatures : (d,) array
        Eigenvalues of the Hessian at the minimum, rising.
    """
    own = points.classes == class_index
    tokens, labels = points.tokens[own], points.labels[own]
    weights = points.weights[own] / points.weights[own].sum()
    scores = attention_scale * np.einsum("pkd,pld->pkl", tokens, tokens)
    attention = np.exp(scores - scores.max(axis=1, keepdims=True))
    attention /= attention.sum(axis=1, keepdims=True)
    mixed = np.einsum("pkl,pkd->pld", attention, tokens)

    def loss(w: Floats) -> tuple[float, Floats]:
        u = mixed @ w
        residual = labels - (u**3).sum(axis=1)
        slope = np.einsum("p,pl,pld->d", weights * residual, -3.0 * u**2, mixed)
        return 0.5 * float(weights @ residual**2), slope

    start = points.signals.classification_signals[class_index]
    options = {"gtol": 1e-11}
    tries = [
        minimize(loss, a * start, jac=True, method="BFGS", options=options)  # type: ignore[call-overload]
        for a in STARTS
    ]
    found = min(tries, key=lambda result: float(result.fun))
    u = mixed @ found.x
    residual = labels - (u**3).sum(axis=1)
    jacobian = np.einsum("pl,pld->pd", 3.0 * u**2, mixed)
    bend = np.einsum("pl,pli,plj->ij", (weights * residual)[:, None] * 6.0 * u, mixed, mixed)
    hessian = np.einsum("p,pi,pj->ij", weights, jacobian, jacobian) - bend
    return float(found.fun), np.linalg.eigvalsh(hessian)


def mean_floor(points: Points, attention_scale: float) -> float:
    """Mean over the classes of `best_expert`: the floor of a mixture with one expert a class."""
    classes = range(points.num_classes)
    return float(np.mean([best_expert(points, n, attention_scale)[0] for n in classes]))


def steps_per_decade(curvature: float, num_classes: int, rate: float) -> float:
    """Steps of plain descent for a tenth of the excess loss along one curvature of a class."""
    return float(np.log(10.0) / (-2.0 * np.log1p(-rate * curvature / num_classes)))


def gate_steps(
    amplitude: tuple[float, float], epsilons: Sequence[float] | Floats, *, num_classes: int,
    num_experts: int, gate_rate: float, num_nodes: int,
) -> Floats:  # fmt: skip
    """Steps from ``epsilons[0]`` to each of `epsilons` (falling) while the gate saturates.

    With logit gap D b at class amplitude b the gate misses ``p = r/(1 + r)``,
    ``r = (M - 1) exp(-b D)``. The expert fits the mean, so ``eps = Var(p)/2``, and
    ``dD/dt = eta_r M / (N (M - 1)) Cov(b p, p)``; late, ``eps = N (M - 1) / (4 eta_r M b_1^2 t)``
    with the least amplitude b_1 (the lowest node of the quadrature).
    """
    nodes, weights = np.polynomial.legendre.leggauss(num_nodes)
    low, high = amplitude
    b, weights = (low + high) / 2 + nodes * (high - low) / 2, weights / 2
    gap = np.linspace(0.5, 60.0, 50_001)
    ratio = (num_experts - 1) * np.exp(-b[:, None] * gap)
    missed = ratio / (1.0 + ratio)
    mean = weights @ missed
    loss = 0.5 * (weights @ missed**2 - mean**2)
    covariance = weights @ (b[:, None] * missed**2) - (weights @ (b[:, None] * missed)) * mean
    speed = gate_rate * num_experts / (num_classes * (num_experts - 1)) * covariance
    time = cumulative_trapezoid(1.0 / speed, gap, initial=0)
    late = int(loss.argmax())  # before, the gate is still opening
    asked = -np.log(np.asarray(epsilons, dtype=float))
    found = np.interp(asked, -np.log(loss[late:]), time[late:])
    return found - found[0]
