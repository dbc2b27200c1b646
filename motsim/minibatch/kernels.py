"""Loops over one sequence (L, d) and its neurons; softmax over rows and over columns.

Rows are padded to whole groups of eight (`tiles.padded`); what pads is zero or is not used.
"""

from motsim.vectors.addresses import advance, load, load_scalar, pointer, store, store_scalar
from motsim.vectors.arithmetic import exp, exp_nonpositive
from motsim.vectors.compiling import kernel
from motsim.vectors.lanes import WIDTH, broadcast, fma, inlined, reduce_add, select_greater

__all__ = [
    "by_activation",
    "products",
    "softmax",
    "softmax_columns",
    "softmax_columns_gradient",
    "sum_outputs",
]


@inlined
def products(a, b, out, length, width, step):
    """A (L, width) times b (L, width) transposed, in rows `step` apart."""
    for q in range(length):
        x = advance(a, q * width)
        for k in range(length):
            y = advance(b, k * width)
            lanes = broadcast(0.0)
            for j in range(0, width, WIDTH):
                lanes = fma(load(x, j), load(y, j), lanes)
            store_scalar(out, q * step + k, reduce_add(lanes))


@inlined
def sum_outputs(activations, length, width, each, cubic, sums, out):
    """Sum over tokens of phi(u), then over the `each` neurons of each output (C,)."""
    for k in range(0, width, WIDTH):
        lanes = broadcast(0.0)
        for query in range(length):
            u = load(activations, query * width + k)
            lanes = fma(u * u, u, lanes) if cubic else lanes + u
        store(sums, k, lanes)
    for c in range(out.size):
        found = 0.0
        for k in range(c * each, (c + 1) * each):
            found += load_scalar(sums, k)
        out[c] = found


@inlined
def by_activation(activations, length, width, each, cubic, by_output, by_neuron, out):
    """Gradient (L, K) by the activations, from that by the outputs (C,).

    by_neuron (K,) is filled in; its padding stays zero.
    """
    for c in range(by_output.size):
        for k in range(c * each, (c + 1) * each):
            store_scalar(by_neuron, k, by_output[c] * 3.0 if cubic else by_output[c])
    for k in range(0, width, WIDTH):
        slope = load(by_neuron, k)
        for query in range(length):
            u = load(activations, query * width + k) if cubic else broadcast(1.0)
            store(out, query * width + k, slope * (u * u))


@inlined
def softmax_columns(scores, length, step):
    """Every column of scores (L, step) becomes its softmax."""
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
def softmax_columns_gradient(weights, gradient, length, step):
    """Gradient (L, step) by the weights, columns of a softmax, becomes that by the scores."""
    for j in range(0, step, WIDTH):
        p, g = advance(weights, j), advance(gradient, j)
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
    place, tiled = pointer(scores), scores.size - scores.size % WIDTH
    for k in range(0, tiled, WIDTH):
        store(place, k, exp_nonpositive(load(place, k)))
    for k in range(tiled, scores.size):
        store_scalar(place, k, exp(load_scalar(place, k)))
    for r in range(rows):
        found = 0.0
        for k in range(length):
            found += scores[r, k]
        found = 1.0 / found
        for k in range(length):
            scores[r, k] *= found
