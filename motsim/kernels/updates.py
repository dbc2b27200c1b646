"""What a step does with the gradients: descent of every part, in orthonormal coordinates or not."""

import numpy as np

from motsim.kernels.lanes import internal


@internal
def multiply(left, right, out):
    """Product of small matrices, always in the same order."""
    for i in range(left.shape[0]):
        for k in range(right.shape[1]):
            value = 0.0
            for a in range(left.shape[1]):
                value += left[i, a] * right[a, k]
            out[i, k] = value


@internal
def move(value, gradient, direction, parts, rate, normalized):
    """One descent step of flat arrays; `parts` of them are normalised one by one.

    The product of gradient and direction is the square of the gradient's length in d dimensions.
    A zero gradient moves nothing.
    """
    size = value.shape[0] // parts if normalized else value.shape[0]
    for first in range(0, value.shape[0], size):
        scale = rate
        if normalized:
            square = 0.0
            for a in range(first, first + size):
                square += gradient[a] * direction[a]
            if square == 0.0:
                continue
            scale = rate / np.sqrt(square)
        for a in range(first, first + size):
            value[a] -= scale * direction[a]


@internal
def update(parameters, gradient, metric, rule, work):
    """Move every part that has a rate; experts and attention normalise one by one.

    Coordinates that are products with directions of Gram matrix G move along g G, a matrix of
    them along G g G (docs/theory.md §3).
    """
    skewed, r = metric.shape[0] > 0, parameters.ffn.shape[1]
    if rule.ffn_rate > 0.0:
        by_ffn = direction = gradient.ffn.ravel()
        if skewed:
            direction = work.direction[: by_ffn.shape[0]]
            multiply(gradient.ffn, metric, direction.reshape(gradient.ffn.shape))
        experts = parameters.ffn.shape[0] // rule.neurons
        move(parameters.ffn.ravel(), by_ffn, direction, experts, rule.ffn_rate, rule.ffn_normalized)
    if rule.attention_rate > 0.0:
        by_attention = direction = gradient.attention.ravel()
        matrices = parameters.attention.shape[0]
        if skewed:
            direction = work.direction[: by_attention.shape[0]]
            half = work.direction[by_attention.shape[0] :][: r * r].reshape((r, r))
            for i in range(matrices):
                multiply(gradient.attention[i], metric, half)
                multiply(metric, half, direction[i * r * r : (i + 1) * r * r].reshape((r, r)))
        move(
            parameters.attention.ravel(), by_attention, direction, matrices,
            rule.attention_rate, rule.attention_normalized,
        )  # fmt: skip
    if rule.gated and rule.gate_rate > 0.0:
        by_gate = direction = gradient.gate.ravel()
        if skewed:
            direction = work.direction[: by_gate.shape[0]]
            multiply(gradient.gate, metric, direction.reshape(gradient.gate.shape))
        move(parameters.gate.ravel(), by_gate, direction, 1, rule.gate_rate, rule.gate_normalized)
