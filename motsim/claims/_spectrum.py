"""The staircase T(eps) that eigenvalues predict: residuals linearized in what a stage trains.

Derived here (docs/theory.md, "Prediction of the staircase"). With residuals r = 1 - yF, weights W
and step sizes D, the flow of the squared loss gives dr/dt = -K r with K = J D J^T W; in the
eigenvectors of the symmetric W^1/2 J D J^T W^1/2 the loss is
L(t) = 1/2 sum c_j^2 exp(-2 mu_j t). Each point keeps the expert that it is routed to.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from motsim.mixture.evaluation import evaluate
from motsim.mixture.model import Model, ModelParameters
from motsim.mixture.points import Points
from motsim.mixture.schedule import Stage
from motsim.threads import one_thread

__all__ = ["Spectrum", "linearized", "residual_jacobian"]

RANK = 1e-13  # of singular values, relative: smaller ones are those of the arithmetic
SILENT = 1e-34  # losses of modes that are left out
Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Spectrum:
    """Eigenvalues mu (k,), components c (k,) of the residual, and the loss that is left over."""

    values: Floats
    components: Floats
    floor: float

    def loss(self, times: Floats) -> Floats:
        """L after so many steps (T,)."""
        loud = self.components**2 > SILENT
        decay = np.exp(-2.0 * np.outer(times, self.values[loud]))
        return self.floor + 0.5 * decay @ self.components[loud] ** 2


def linearized(model: Model, at: ModelParameters, points: Points, stage: Stage) -> Spectrum:
    """Return spectrum and components at the parameters `at`, for a stage of the squared loss."""
    residual, jacobian = residual_jacobian(model, at, points, stage)
    root = np.sqrt(points.weights)
    with one_thread():  # small matrices: more threads cost more than they give
        left, singular, _ = np.linalg.svd(root[:, None] * jacobian, full_matrices=False)
    left = left[:, singular > RANK * singular[0]]
    components = left.T @ (root * residual)
    rest = root * residual - left @ components
    return Spectrum(singular[: left.shape[1]] ** 2, components, 0.5 * float(rest @ rest))


def residual_jacobian(
    model: Model, at: ModelParameters, points: Points, stage: Stage
) -> tuple[Floats, Floats]:
    """Residuals 1 - yF (P,), and d(yF)/dp D^1/2 (P, parameters that train), of `mot` or `moe`.

    In coordinates of the span of the tokens, where alone anything moves: FFN and attention of the
    experts that points are routed to, and the whole gate.
    """
    found = evaluate(model, at, points)
    place = np.arange(len(points.labels))
    gate = found.gates[place, found.routed]
    basis = _span(points.tokens)
    x = points.tokens @ basis  # (P, L, r)
    push = -found.gates  # d log pi_m / dh
    push[place, found.routed] += 1.0
    answer = points.labels * found.prediction
    moved = (answer[:, None] * push)[:, :, None] * x.sum(1)[:, None, :]
    columns = [np.sqrt(stage.gate.rate) * moved.reshape(len(place), -1)]
    for i in np.unique(found.routed):
        own = (points.labels * gate * (found.routed == i))[:, None]
        weights = found.attention[i % len(found.attention)] if len(found.attention) else None
        ffn, attention = _expert(model.activation == "cubic", at.ffn[i] @ basis, x, weights)
        columns.append(np.sqrt(stage.ffn.rate) * own * ffn)
        if stage.attention.rate > 0.0 and weights is not None:
            columns.append(np.sqrt(stage.attention.rate) * own * attention)
    return 1.0 - answer, np.concatenate(columns, axis=1)


def _expert(cubic: bool, w: Floats, x: Floats, weights: Floats | None) -> tuple[Floats, Floats]:
    """Derivatives of f_i by w (J, r) and by its attention: (P, J r) and (P, r^2)."""
    share = np.eye(x.shape[1])[:, :, None] if weights is None else weights  # (key, query, P or 1)
    z = np.einsum("klp,pkr->plr", np.broadcast_to(share, (*share.shape[:2], len(x))), x)
    u = z @ w.T  # (P, L, J)
    slope = 3.0 * u**2 if cubic else np.ones_like(u)
    ffn = np.einsum("plj,plr->pjr", slope, z).reshape(len(x), -1)
    apart = (x @ w.T)[:, :, None, :] - u[:, None, :, :]  # (P, key, query, J)
    score = share.transpose(2, 0, 1) * np.einsum("plj,pklj->pkl", slope, apart)
    return ffn, np.einsum("pkl,pka,plb->pab", score, x, x).reshape(len(x), -1)


def _span(tokens: Floats) -> Floats:
    """Orthonormal basis (d, r) of the span of all tokens."""
    _, values, rows = np.linalg.svd(tokens.reshape(-1, tokens.shape[-1]), full_matrices=False)
    return rows[values > 1e-10 * values[0]].T
