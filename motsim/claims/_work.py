"""Multiply-adds of a training step on one sample, counted from the sizes of a model.

Forward and backward, d dimensions, L tokens, J neurons an expert, M experts (derived here). All
experts are evaluated, as the expectation over routing needs them. Not counted: softmax, activation
and loss (no product with d), and the update of the parameters (once a batch).
"""

from typing import Literal

from motsim.mixture.model import Model

__all__ = ["multiply_adds"]


def multiply_adds(
    model: Model, dim: int, num_tokens: int, attention: Literal["trained", "frozen", "kept"]
) -> tuple[float, float]:
    """Return the multiply-adds of a step, and those that come once a stage.

    Parameters
    ----------
    model : Model
    dim, num_tokens : int
    attention : {"trained", "frozen", "kept"}
        `trained`: forward and backward. `frozen`: its weights are computed at every step, as on
        fresh samples. `kept`: frozen, on samples that come again: computed once.

    Examples
    --------
    One head without a gate, d = 24, L = 3: A X and X' A X forward, the same products backward.

    >>> multiply_adds(Model("single", 1), 24, 3, "trained")
    (4059.0, 0.0)
    >>> multiply_adds(Model("moe", 16), 24, 3, "frozen")
    (3072.0, 0.0)
    """
    d, length, neurons = dim, num_tokens, model.num_neurons
    mixes = length**2 if model.num_attentions else 0  # of the L values <w, x_k> over L queries
    step = model.num_experts * neurons * 2.0 * (length * d + mixes)
    if model.gated:
        step += 2.0 * model.num_experts * d
    weights = model.num_attentions * float(length * d**2 + length**2 * d)
    if attention == "kept":
        return step, weights
    step += weights
    if attention == "trained":
        step += weights + model.num_experts * neurons * mixes
    return step, 0.0
