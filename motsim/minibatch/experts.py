"""One expert on the sequences routed to it: forward and backward, by matrix products.

With scores T = (X A^T) X^T, one row a query l, weights P = softmax over keys k, and values
Y = X W^T, a neuron's input is u_l = sum_k P_lk Y_k: the neurons are applied before the average
over tokens, which is cheaper than forming z wherever there are fewer neurons than dimensions.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from motsim.minibatch.kernels import softmax, softmax_gradient

__all__ = ["Pass", "expert_backward", "expert_forward"]

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Pass:
    """What the backward pass needs of a forward pass.

    Attributes
    ----------
    inputs : (n, L, d)
    values : (n, L, K)
        X W^T.
    weights : (n, L, L) or None without attention
        Row l holds the attention of query l.
    activations : (n, L, K)
        Input of every neuron at every query.
    """

    inputs: Floats
    values: Floats
    weights: Floats | None
    activations: Floats


def expert_forward(
    inputs: Floats, attention: Floats | None, ffn: Floats, cubic: bool
) -> tuple[Floats, Pass]:
    """Sum over tokens of each neuron's output (n, K), for FFN weights (K, d)."""
    n, length, dim = inputs.shape
    flat = inputs.reshape(n * length, dim)
    values = (flat @ ffn.T).reshape(n, length, -1)
    weights, activations = None, values
    if attention is not None:
        queries = (flat @ attention.T).reshape(n, length, dim)
        weights = queries @ inputs.transpose(0, 2, 1)
        softmax(weights.reshape(n * length, length))
        activations = weights @ values
    outputs = activations**2 * activations if cubic else activations
    return outputs.sum(axis=1), Pass(inputs, values, weights, activations)


def expert_backward(
    done: Pass, gradient: Floats, cubic: bool, *, through_attention: bool, with_ffn: bool = True
) -> tuple[Floats | None, Floats | None]:
    """Gradients by the FFN (K, d) and by the attention (d, d) from those by the outputs (n, K).

    None where it is not asked for, or there is no attention.
    """
    n, length, dim = done.inputs.shape
    flat = done.inputs.reshape(n * length, dim)
    if cubic:
        wide = done.activations**2
        wide *= 3.0 * gradient[:, None]
    else:
        wide = np.repeat(gradient[:, None], length, axis=1)
    ffn, attention = None, None
    if with_ffn:
        back = wide if done.weights is None else done.weights.transpose(0, 2, 1) @ wide
        ffn = back.reshape(n * length, -1).T @ flat
    if through_attention and done.weights is not None:
        scores = wide @ done.values.transpose(0, 2, 1)
        softmax_gradient(
            done.weights.reshape(n * length, length), scores.reshape(n * length, length)
        )
        attention = (scores @ done.inputs).reshape(n * length, dim).T @ flat
    return ffn, attention
