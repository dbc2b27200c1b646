"""Experts on the sequences routed to them, softmax over the last axis, and a step of Adam.

With scores T = (X A^T) X^T, one row a query l, weights P = softmax over keys k, and values
Y = X W^T, a neuron's input is u_l = sum_k P_lk Y_k: the neurons are applied before the average
over tokens, which is cheaper than forming z wherever there are fewer neurons than dimensions.

Products with the parameters are taken by BLAS for a block of sequences of one expert; those of
one sequence by loops, because a call of BLAS costs more than they do, unless it is long.
"""

import numpy as np

from motsim.kernel_cache import kernel, kernel_cache

with kernel_cache():
    from motsim.kernels.arithmetic import exponential
    from motsim.kernels.lanes import (
        WIDTH,
        advance,
        exponential_lanes,
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

__all__ = ["adam", "backward", "forward", "softmax", "softmax_gradient"]

TOKENS = 1024  # of a block: it stays in cache, and BLAS takes it without rearranging it
LONG = 16  # tokens from which BLAS is faster for one sequence, too


@kernel
def forward(sequences, starts, parameters, cubic, values, weights, activations, outputs):
    """Run each expert on its sequences.

    sequences: tokens (N, L, d), rows (P,), task tokens (T, d) and tasks (P,): see `gather`.
    Expert i has the pairs starts[i] to starts[i + 1] of P. parameters: ffn (M, K, d) and attention
    (M or 1 or 0, d, d). Filled in: values (P, L, K), weights (P, L, L) or (0, L, L) without
    attention, activations (P, L, K), which are the values without attention, outputs (P, C).
    """
    tokens, rows, task_tokens, tasks = sequences
    ffn, attention = parameters
    length, dim = tokens.shape[1:]
    neurons, attends = ffn.shape[1], attention.shape[0] > 0
    size = _block(starts, length)
    inputs, queries = np.empty((size, length, dim)), np.empty((size * attends, length, dim))
    sums = np.empty(neurons)
    for i in range(starts.size - 1):
        for first in range(starts[i], starts[i + 1], size):
            n = min(size, starts[i + 1] - first)
            here = slice(first, first + n)
            gather(tokens, rows[here], task_tokens, tasks[here], inputs)
            flat = inputs[:n].reshape(n * length, dim)
            np.dot(flat, ffn[i].T, values[here].reshape(n * length, neurons))
            if attends:
                a = attention[i if attention.shape[0] > 1 else 0]
                np.dot(flat, a.T, queries[:n].reshape(n * length, dim))
                for s in range(n):
                    _by_rows(queries[s], inputs[s], weights[first + s])
                softmax(weights[here].reshape(n * length, length))
                for p in range(first, first + n):
                    _mix(weights[p], values[p], activations[p], False)
            for p in range(first, first + n):
                _sum_outputs(activations[p], cubic, sums, outputs[p])


@kernel
def backward(
    sequences, starts, parameters, cubic, values, weights, activations, by_output, wanted, slopes
):
    """Add the gradients by ffn and attention to `slopes`, from those by the outputs (P, C).

    The other arguments are those of `forward`, filled in. wanted: which of the two is taken.
    """
    tokens, rows, task_tokens, tasks = sequences
    ffn, attention = parameters
    length, dim = tokens.shape[1:]
    neurons, attends = ffn.shape[1], attention.shape[0] > 0
    size = _block(starts, length)
    inputs, mixed = np.empty((size, length, dim)), np.empty((size * attends, length, dim))
    wide, back = np.empty((size, length, neurons)), np.empty((size * attends, length, neurons))
    scores = np.empty((size * attends, length, length))
    by_neuron = np.empty(neurons)
    by_ffn, by_attention = np.empty((neurons, dim)), np.empty((dim, dim))
    for i in range(starts.size - 1):
        for first in range(starts[i], starts[i + 1], size):
            n = min(size, starts[i + 1] - first)
            here = slice(first, first + n)
            gather(tokens, rows[here], task_tokens, tasks[here], inputs)
            flat = inputs[:n].reshape(n * length, dim)
            for s in range(n):
                _by_activation(
                    activations[first + s], cubic, by_output[first + s], by_neuron, wide[s]
                )
            if wanted[0]:
                if attends:
                    for s in range(n):
                        _mix(weights[first + s], wide[s], back[s], True)
                by_value = back if attends else wide
                np.dot(by_value[:n].reshape(n * length, neurons).T, flat, by_ffn)
                slopes[0][i] += by_ffn
            if wanted[1] and attends:
                for s in range(n):
                    _by_rows(wide[s], values[first + s], scores[s])
                flat_scores = scores[:n].reshape(n * length, length)
                softmax_gradient(weights[here].reshape(n * length, length), flat_scores)
                for s in range(n):
                    _mix(scores[s], inputs[s], mixed[s], False)
                np.dot(mixed[:n].reshape(n * length, dim).T, flat, by_attention)
                slopes[1][i if attention.shape[0] > 1 else 0] += by_attention


@kernel
def gather(tokens, rows, task_tokens, tasks, out):
    """Sequences `rows` into the first places of out; the last token of each tells its task."""
    for s in range(rows.size):
        out[s] = tokens[rows[s]]
        if task_tokens.shape[0] > 0:
            out[s, -1] = task_tokens[tasks[s]]


@inlined
def _block(starts, length):
    """Sequences of a block."""
    most = 1
    for i in range(starts.size - 1):
        most = max(most, starts[i + 1] - starts[i])
    return min(most, max(1, TOKENS // length))


@inlined
def _by_rows(a, b, out):
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
def _mix(weights, x, out, transposed):
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
def _sum_outputs(activations, cubic, sums, out):
    """Sum over tokens of phi(u), then over the neurons of each output (C,)."""
    length, neurons = activations.shape
    each = neurons // out.size
    sums[:] = 0.0
    for query in range(length):
        for k in range(neurons):
            u = activations[query, k]
            sums[k] += u * u * u if cubic else u
    for c in range(out.size):
        found = 0.0
        for k in range(c * each, (c + 1) * each):
            found += sums[k]
        out[c] = found


@inlined
def _by_activation(activations, cubic, by_output, by_neuron, out):
    """Gradient (L, K) by the activations, from that by the outputs (C,)."""
    length, neurons = activations.shape
    each = neurons // by_output.size
    for c in range(by_output.size):
        for k in range(c * each, (c + 1) * each):
            by_neuron[k] = by_output[c] * 3.0 if cubic else by_output[c]
    for query in range(length):
        for k in range(neurons):
            u = activations[query, k] if cubic else 1.0
            out[query, k] = by_neuron[k] * (u * u)


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


@kernel
def adam(value, gradient, first, second, decays, rate, step):
    """Step number `step` (from 1) of Adam on flat arrays; decays (2,) of its two moments."""
    a, b = decays
    pace = rate / (1.0 - a**step)
    scale = 1.0 / (1.0 - b**step)
    for k in range(value.size):
        first[k] += (1.0 - a) * (gradient[k] - first[k])
        second[k] += (1.0 - b) * (gradient[k] * gradient[k] - second[k])
        value[k] -= pace * first[k] / (np.sqrt(scale * second[k]) + 1e-8)
