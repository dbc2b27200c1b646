"""Loops over sequences (L, d): gathering, products of one sequence, softmax over the last axis.

They and the passes that call them are compiled together. Products of one sequence are loops
because a call of BLAS costs more than they do, unless the sequence is long.
"""

import numpy as np

from motsim.kernel_cache import kernel, kernel_cache

with kernel_cache():
    from motsim.kernels.arithmetic import exponential, exponential_lanes
    from motsim.kernels.lanes import (
        WIDTH,
        advance,
        fma,
        inlined,
        load,
        number,
        pointer,
        put,
        splat,
        spread,
        store,
        total,
    )

__all__ = [
    "by_activation",
    "gather",
    "mix",
    "products",
    "same_samples",
    "softmax",
    "softmax_gradient",
    "sum_outputs",
]

LONG = 16  # tokens from which BLAS is faster for one sequence, too


@kernel
def gather(tokens, rows, task_tokens, tasks, out):
    """Sequences `rows` into the first places of out; the last token of each tells its task."""
    for s in range(rows.size):
        out[s] = tokens[rows[s]]
        if task_tokens.shape[0] > 0:
            out[s, -1] = task_tokens[tasks[s]]


@inlined
def same_samples(rows, tasks, held, first, n):
    """Whether n samples from `first` are those held (from, number): where each expert has all."""
    start, size = held
    if n > size:
        return False
    for s in range(n):
        if rows[start + s] != rows[first + s] or tasks[start + s] != tasks[first + s]:
            return False
    return True


@inlined
def products(a, b, out):
    """A (L, n) times b (L, n) transposed."""
    length, width = a.shape
    if length >= LONG:
        np.dot(a, b.T, out)
        return
    tiled = width - width % WIDTH
    for q in range(length):
        x = advance(pointer(a), q * width)
        for k in range(length):
            y = advance(pointer(b), k * width)
            lanes = splat(0.0)
            for j in range(0, tiled, WIDTH):
                lanes = fma(load(x, j), load(y, j), lanes)
            found = total(lanes)
            for j in range(tiled, width):
                found += number(x, j) * number(y, j)
            put(pointer(out), q * length + k, found)


@inlined
def mix(weights, x, out, transposed):
    """Weights (L, L), or their transpose, times x (L, n)."""
    length, width = x.shape
    if length >= LONG:
        if transposed:
            np.dot(weights.T, x, out)
        else:
            np.dot(weights, x, out)
        return
    tiled = width - width % WIDTH
    across, along = (1, length) if transposed else (length, 1)
    for q in range(length):
        w, y = advance(pointer(weights), q * across), advance(pointer(out), q * width)
        for j in range(0, tiled, WIDTH):
            lanes = splat(0.0)
            for k in range(length):
                lanes = fma(spread(w, k * along), load(pointer(x), k * width + j), lanes)
            store(y, j, lanes)
        for j in range(tiled, width):
            found = 0.0
            for k in range(length):
                found += number(w, k * along) * number(pointer(x), k * width + j)
            put(y, j, found)


@inlined
def sum_outputs(activations, cubic, sums, out):
    """Sum over tokens of phi(u), then over the neurons of each output (C,)."""
    length, neurons = activations.shape
    each, tiled = neurons // out.size, neurons - neurons % WIDTH
    for k in range(0, tiled, WIDTH):
        lanes = splat(0.0)
        for query in range(length):
            u = load(pointer(activations), query * neurons + k)
            lanes = fma(u * u, u, lanes) if cubic else lanes + u
        store(pointer(sums), k, lanes)
    for k in range(tiled, neurons):
        found = 0.0
        for query in range(length):
            u = activations[query, k]
            found += u * u * u if cubic else u
        sums[k] = found
    for c in range(out.size):
        found = 0.0
        for k in range(c * each, (c + 1) * each):
            found += sums[k]
        out[c] = found


@inlined
def by_activation(activations, cubic, by_output, by_neuron, out):
    """Gradient (L, K) by the activations, from that by the outputs (C,)."""
    length, neurons = activations.shape
    each, tiled = neurons // by_output.size, neurons - neurons % WIDTH
    for c in range(by_output.size):
        for k in range(c * each, (c + 1) * each):
            by_neuron[k] = by_output[c] * 3.0 if cubic else by_output[c]
    for query in range(length):
        for k in range(0, tiled, WIDTH):
            u = load(pointer(activations), query * neurons + k) if cubic else splat(1.0)
            store(pointer(out), query * neurons + k, load(pointer(by_neuron), k) * (u * u))
        for k in range(tiled, neurons):
            v = activations[query, k] if cubic else 1.0
            out[query, k] = by_neuron[k] * (v * v)


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
        store(place, k, exponential_lanes(load(place, k)))
    for k in range(tiled, scores.size):
        put(place, k, exponential(number(place, k)))
    for r in range(rows):
        found = 0.0
        for k in range(length):
            found += scores[r, k]
        found = 1.0 / found
        for k in range(length):
            scores[r, k] *= found


@kernel
def softmax_gradient(weights, gradient):
    """gradient (R, L) by the weights becomes the gradient by the scores."""
    for r in range(weights.shape[0]):
        p, g = weights[r], gradient[r]
        mean = 0.0
        for k in range(p.size):
            mean += p[k] * g[k]
        for k in range(p.size):
            g[k] = p[k] * (g[k] - mean)
