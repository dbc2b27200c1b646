"""Loops over one sequence (L, d) and its neurons; softmax over rows and over columns.

Rows are padded to whole groups of eight (`tiles.padded`); what pads is zero or is not used.
"""

from typing import NamedTuple

from motsim.vectors.addresses import advance, load, load_scalar, pointer, store, store_scalar
from motsim.vectors.arithmetic import exp, exp_nonpositive
from motsim.vectors.compiling import kernel
from motsim.vectors.lanes import WIDTH, broadcast, fma, inlined, reduce_add, select_greater

__all__ = [
    "Shape",
    "activation_gradient",
    "products",
    "softmax",
    "softmax_columns",
    "softmax_columns_gradient",
    "sum_outputs",
]


class Shape(NamedTuple):
    """Sizes of a sequence and of its expert."""

    length: int  # L
    dim: int  # D
    neurons: int  # K
    queries: int  # Q


@inlined
def products(a, b, shape, out):
    """A (L, K) times b (L, K) transposed, in rows of Q numbers."""
    width = shape.neurons
    for row in range(shape.length):
        x = advance(a, row * width)
        for column in range(shape.length):
            y = advance(b, column * width)
            lanes = broadcast(0.0)
            for j in range(0, width, WIDTH):
                lanes = fma(load(x, j), load(y, j), lanes)
            store_scalar(out, row * shape.queries + column, reduce_add(lanes))


@inlined
def sum_outputs(activations, shape, rule, sums, out):
    """Sum over tokens of phi(u), then over the neurons of each output (C,)."""
    # f_c = sum_j sum_l phi(u_lj), j over the neurons of output c; phi is u^3 if cubic, else u
    width, each = shape.neurons, rule.num_neurons
    for j in range(0, width, WIDTH):
        lanes = broadcast(0.0)
        for query in range(shape.length):
            u = load(activations, query * width + j)
            lanes = fma(u * u, u, lanes) if rule.cubic else lanes + u
        store(sums, j, lanes)
    for c in range(out.size):
        found = 0.0
        for j in range(c * each, (c + 1) * each):
            found += load_scalar(sums, j)
        out[c] = found


@inlined
def activation_gradient(activations, shape, rule, by_output, by_neuron, out):
    """Gradient (L, K) by the activations, from that by the outputs (C,).

    by_neuron (K,) is filled in; its padding stays zero.
    """
    # by u_lj: that by f_c times phi'(u_lj)
    width, each, cubic = shape.neurons, rule.num_neurons, rule.cubic
    for c in range(by_output.size):
        for j in range(c * each, (c + 1) * each):
            store_scalar(by_neuron, j, by_output[c] * 3.0 if cubic else by_output[c])
    for j in range(0, width, WIDTH):
        slope = load(by_neuron, j)
        for query in range(shape.length):
            u = load(activations, query * width + j) if cubic else broadcast(1.0)
            store(out, query * width + j, slope * (u * u))


@inlined
def softmax_columns(scores, length, step):
    """Every column of scores (L, step) becomes its softmax."""
    # P[k, l] = exp(S[k, l] - max_k S[k, l]) / sum over k of the same
    for j in range(0, step, WIDTH):
        column = advance(scores, j)
        largest = load(column, 0)
        for k in range(1, length):
            x = load(column, k * step)
            largest = select_greater(x, largest, x, largest)
        found = broadcast(0.0)
        for k in range(length):
            x = exp_nonpositive(load(column, k * step) - largest)
            found = found + x
            store(column, k * step, x)
        found = broadcast(1.0) / found
        for k in range(length):
            store(column, k * step, load(column, k * step) * found)


@inlined
def softmax_columns_gradient(attention_probs, gradient, length, step):
    """Gradient (L, step) by the weights, columns of a softmax, becomes that by the scores."""
    # by S[k, l]: P[k, l] (g[k, l] - sum_k P[k, l] g[k, l])
    for j in range(0, step, WIDTH):
        p, g = advance(attention_probs, j), advance(gradient, j)
        mean = broadcast(0.0)
        for k in range(length):
            mean = fma(load(p, k * step), load(g, k * step), mean)
        for k in range(length):
            store(g, k * step, load(p, k * step) * (load(g, k * step) - mean))


@kernel
def softmax(scores):
    """scores (R, L), contiguous: every row becomes its softmax."""
    rows, length = scores.shape
    for r in range(rows):
        largest = scores[r, 0]
        for k in range(1, length):
            largest = max(largest, scores[r, k])
        for k in range(length):
            scores[r, k] -= largest
    ptr, tiled = pointer(scores), scores.size - scores.size % WIDTH
    for k in range(0, tiled, WIDTH):
        store(ptr, k, exp_nonpositive(load(ptr, k)))
    for k in range(tiled, scores.size):
        store_scalar(ptr, k, exp(load_scalar(ptr, k)))
    for r in range(rows):
        found = 0.0
        for k in range(length):
            found += scores[r, k]
        found = 1.0 / found
        for k in range(length):
            scores[r, k] *= found
