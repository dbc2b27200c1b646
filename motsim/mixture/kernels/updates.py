"""What a step does with the gradients: descent of every part, in orthonormal coordinates or not."""

import math

from motsim.vectors.addresses import advance, load_scalar, pointer, store_scalar
from motsim.vectors.lanes import internal


@internal
def multiply(left, rows, right, size, out):
    """Product of (rows, size) and (size, size), always in the same order."""
    for i in range(rows):
        for k in range(size):
            value = 0.0
            for a in range(size):
                value += load_scalar(left, i * size + a) * load_scalar(right, a * size + k)
            store_scalar(out, i * size + k, value)


@internal
def move(value, gradient, direction, sizes, rate, normalized):
    """One descent step of some numbers, in parts that are normalized one by one: `sizes` of both.

    The product of gradient and direction is the square of the gradient's length in d dimensions.
    A zero gradient moves nothing.
    """
    size, parts = sizes
    each = size // parts if normalized else size
    for first in range(0, size, each):
        scale = rate
        if normalized:
            square = 0.0
            for a in range(first, first + each):
                square += load_scalar(gradient, a) * load_scalar(direction, a)
            if square == 0.0:
                continue
            scale = rate / math.sqrt(square)
        for a in range(first, first + each):
            store_scalar(value, a, load_scalar(value, a) - scale * load_scalar(direction, a))


@internal
def update(parameters, gradient, metric, rule, buffers):
    """Move every part that trains; experts and attention normalize one by one.

    Coordinates that are products with directions of Gram matrix G move along g G, a matrix of
    them along G g G (docs/theory.md §3).
    """
    skewed, g, product = metric.shape[0] > 0, pointer(metric), pointer(buffers.direction)
    rows, r = parameters.ffn.shape
    if rule.trains_ffn:
        by_ffn = direction = pointer(gradient.ffn)
        if skewed:
            direction = product
            multiply(by_ffn, rows, g, r, product)
        value, experts = pointer(parameters.ffn), rows // rule.neurons
        move(value, by_ffn, direction, (rows * r, experts), rule.ffn_rate, rule.ffn_normalized)
    if rule.trains_attention:
        by_attention = direction = pointer(gradient.attention)
        matrices = parameters.attention.shape[0]
        size = matrices * r * r
        if skewed:
            direction, half = product, advance(product, size)
            for matrix_at in range(0, size, r * r):
                multiply(advance(by_attention, matrix_at), r, g, r, half)
                multiply(g, r, half, r, advance(product, matrix_at))
        move(
            pointer(parameters.attention), by_attention, direction, (size, matrices),
            rule.attention_rate, rule.attention_normalized,
        )  # fmt: skip
    if rule.gated and rule.trains_gate:
        by_gate = direction = pointer(gradient.gate)
        rows = parameters.gate.shape[0]
        if skewed:
            direction = product
            multiply(by_gate, rows, g, r, product)
        value = pointer(parameters.gate)
        move(value, by_gate, direction, (rows * r, 1), rule.gate_rate, rule.gate_normalized)
