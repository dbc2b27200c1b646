"""The loss landscape around a trained model: curvature, gradient dominance, gradient conflict.

Derived here: docs/theory.md, "Constants".
"""

from dataclasses import replace
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from motsim.mixture.evaluation import Evaluation, loss_and_gradients
from motsim.mixture.model import Loss, Model, ModelParameters, Routing
from motsim.mixture.points import Points

__all__ = ["class_gradients", "expert_hessian", "gradient_cosines", "gradient_dominance"]

Floats = NDArray[np.float64]


def expert_hessian(
    model: Model,
    parameters: ModelParameters,
    points: Points,
    evaluation: Evaluation,
    expert: int,
    class_index: int,
) -> Floats:
    """Hessian (J d, J d) by its FFN weights of one expert's squared loss on one class.

    The loss is E[(y - pi_i f_i)^2 / 2 | class n] with gate and attention held fixed, the subtask
    that stage III solves.

    Raises
    ------
    ValueError
        If the class has no points.
    """
    here = np.flatnonzero(points.classes == class_index)
    if not here.size:
        raise ValueError(f"class {class_index} has no points")
    tokens, point_weights = points.tokens[here], points.weights[here]
    point_weights = point_weights / point_weights.sum()
    if model.num_attentions:
        mix = evaluation.attention[expert % evaluation.attention.shape[0]][:, :, here]
        tokens = np.einsum("pkd,klp->pld", tokens, mix)
    w = parameters.ffn[expert]
    u = tokens @ w.T  # (P, L, J)
    cubic = model.activation == "cubic"
    first = 3.0 * u**2 if cubic else np.ones_like(u)
    second = 6.0 * u if cubic else np.zeros_like(u)
    gate = evaluation.gates[here, expert]
    residual = points.labels[here] - gate * evaluation.outputs[here, expert]
    slope = np.einsum("plj,pld->pjd", first, tokens).reshape(len(here), -1)
    hessian = np.einsum("p,pa,pb->ab", point_weights * gate**2, slope, slope)
    neurons, dim = w.shape
    for j in range(neurons):
        by_output = point_weights * gate * residual
        block = np.einsum("p,pl,pld,ple->de", by_output, second[..., j], tokens, tokens)
        hessian[j * dim : (j + 1) * dim, j * dim : (j + 1) * dim] -= block
    return hessian


def gradient_dominance(
    model: Model, parameters: ModelParameters, points: Points, *, loss: Loss, routing: Routing
) -> tuple[float, float]:
    """Return |gradient|^2 / (2 loss), the local Polyak-Lojasiewicz constant: FFN, FFN + attention.

    Plain descent with step eta shrinks a loss with infimum 0 by 2 eta times this a step. It is
    bounded below where the log law holds and falls like loss^p under T = eps^-p.
    """
    value, gradient = loss_and_gradients(model, parameters, points, loss=loss, routing=routing)
    ffn, attention = float((gradient.ffn**2).sum()), float((gradient.attention**2).sum())
    return ffn / (2.0 * value), (ffn + attention) / (2.0 * value)


def class_gradients(
    model: Model, parameters: ModelParameters, points: Points, *, loss: Loss, routing: Routing
) -> Floats:
    """Gradient by the FFN weights of each class's own loss, flattened (N, M J d)."""
    rows = []
    for n in range(points.num_classes):
        here = np.flatnonzero(points.classes == n)
        point_weights = points.weights[here] / points.weights[here].sum()
        part = replace(
            points, tokens=points.tokens[here], labels=points.labels[here], weights=point_weights,
            classes=points.classes[here], distractors=points.distractors[here], mirrored=False,
        )  # fmt: skip
        _, gradient = loss_and_gradients(model, parameters, part, loss=loss, routing=routing)
        rows.append(gradient.ffn.ravel())
    return np.array(rows)


def gradient_cosines(gradients: Floats) -> Floats:
    """Cosine of every pair of rows (N (N - 1) / 2,); 0 where a gradient vanishes."""
    norms = np.linalg.norm(gradients, axis=1)
    cosines = []
    for a, b in combinations(range(len(gradients)), 2):
        product = norms[a] * norms[b]
        cosines.append(gradients[a] @ gradients[b] / product if product > 0 else 0.0)
    return np.array(cosines)
