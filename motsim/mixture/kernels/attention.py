"""Single-head attention with a merged key-query matrix, for fixed token positions.

Scores S[l, k] = x_k . A x_l, weights P[l, :] = softmax_k S[l, :], output z_l = sum_k P[l, k] x_k.
An expert needs only its own t_k = w . x_k, and u_l = sum_k P[l, k] t_k, never z itself.
All functions work on one block of eight points, and on its image where there is one, through
addresses (`arguments.BatchPtrs`); `pair` is the number of the block among those that are no images.
"""

from motsim.mixture.kernels.mirrors import softmax_of_pair
from motsim.mixture.kernels.tiles import (
    add_to,
    dot_moved,
    dot_tokens,
    move_tokens,
    weighted_tokens,
)
from motsim.vectors.addresses import advance, load, load_broadcast, load_scalar, store
from motsim.vectors.arithmetic import softmax_over_keys
from motsim.vectors.lanes import WIDTH, broadcast, fma, inlined, internal


@internal
def block_probs(matrix, batch_ptrs, pair, moved, scores, attention_probs):
    """Attention weights (L, L, 8), queries before keys, of a block; with its image as in `mirrors`.

    `matrix` (r, r) is A; `moved` (r, K, 8) and `scores` (L, L, 8) are scratch.
    """
    signals, others, coordinates = batch_ptrs.signals, batch_ptrs.others, batch_ptrs.coordinates
    length, step = signals + others, others * WIDTH
    axes = advance(batch_ptrs.axes, pair * batch_ptrs.images * signals)
    amplitudes = advance(batch_ptrs.amplitudes, pair * batch_ptrs.images * signals * WIDTH)
    tokens = advance(batch_ptrs.tokens, pair * coordinates * step)
    # S[l, k] = x_k . A x_l; a signal token is an amplitude times an axis, A x_l of others is moved
    if others > 0:
        move_tokens(matrix, coordinates, tokens, others, coordinates, moved)
    for query in range(length):
        row = advance(scores, query * length * WIDTH)
        if query < signals:
            axis = load_scalar(axes, query)
            amplitude = load(amplitudes, query * WIDTH)
            for key in range(signals):
                value = amplitude * load_broadcast(
                    matrix, load_scalar(axes, key) * coordinates + axis
                )
                store(row, key * WIDTH, value * load(amplitudes, key * WIDTH))
            column = advance(matrix, axis)
            for key in range(others):
                token = advance(tokens, key * WIDTH)
                value = dot_tokens(token, step, coordinates, column, coordinates)
                store(row, (signals + key) * WIDTH, value * amplitude)
        else:
            other = advance(moved, (query - signals) * WIDTH)
            for key in range(signals):
                value = load(other, load_scalar(axes, key) * step)
                store(row, key * WIDTH, value * load(amplitudes, key * WIDTH))
            for key in range(others):
                token = advance(tokens, key * WIDTH)
                value = dot_moved(token, step, coordinates, other)
                store(row, (signals + key) * WIDTH, value)
        if batch_ptrs.images > 1:
            softmax_of_pair(row, query, length, attention_probs)
        else:
            softmax_over_keys(row, length, advance(attention_probs, query * length * WIDTH))


@inlined
def score_gradient(attention_probs, length, by_score):
    """Gradient by the scores, in place, from that by the weights (L, L, 8), queries first."""
    # by S[l, k]: P[l, k] (g_k - sum_j P[l, j] g_j), g_k the gradient by P[l, k]
    for query in range(length):
        p, s = (
            advance(attention_probs, query * length * WIDTH),
            advance(by_score, query * length * WIDTH),
        )
        mean = broadcast(0.0)
        for key in range(0, length * WIDTH, WIDTH):
            mean = fma(load(p, key), load(s, key), mean)
        for key in range(0, length * WIDTH, WIDTH):
            store(s, key, load(p, key) * (load(s, key) - mean))


@inlined
def block_gradient(by_score, batch_ptrs, pair, moved, sums):
    """Add a block's part of the gradient by A to `sums` (r, r, 8): S'[l, k] x_k x_l^T.

    For other tokens as queries, sum_k S'[l, k] x_k is written to `moved` (r, K, 8), and
    `add_moved` does the rest.
    """
    signals, others, coordinates = batch_ptrs.signals, batch_ptrs.others, batch_ptrs.coordinates
    length, step = signals + others, others * WIDTH
    axes = advance(batch_ptrs.axes, pair * batch_ptrs.images * signals)
    amplitudes = advance(batch_ptrs.amplitudes, pair * batch_ptrs.images * signals * WIDTH)
    tokens = advance(batch_ptrs.tokens, pair * coordinates * step)
    for query in range(signals):
        row, axis = advance(by_score, query * length * WIDTH), load_scalar(axes, query)
        amplitude = load(amplitudes, query * WIDTH)
        for key in range(signals):
            value = load(row, key * WIDTH) * amplitude * load(amplitudes, key * WIDTH)
            add_to(sums, (load_scalar(axes, key) * coordinates + axis) * WIDTH, value)
        if others > 0:
            row = advance(row, signals * WIDTH)
            for a in range(coordinates):
                value = weighted_tokens(advance(tokens, a * step), others, row)
                add_to(sums, (a * coordinates + axis) * WIDTH, value * amplitude)
    for query in range(others):
        row = advance(by_score, (signals + query) * length * WIDTH)
        out = advance(moved, query * WIDTH)
        scores = advance(row, signals * WIDTH)
        for a in range(coordinates):
            store(out, a * step, weighted_tokens(advance(tokens, a * step), others, scores))
        for key in range(signals):
            value = load(row, key * WIDTH) * load(amplitudes, key * WIDTH)
            add_to(out, load_scalar(axes, key) * step, value)
