"""All experts on the sequences they see: forward and backward, block by block.

With scores T = (X A^T) X^T, one row a query l, weights P = softmax over keys k, and values
Y = X W^T, a neuron's input is u_l = sum_k P_lk Y_k: the neurons are applied before the average
over tokens, which is cheaper than forming z wherever there are fewer neurons than dimensions.
Scores and weights are held transposed, one row a key: a vector then holds queries, and a softmax
is taken for eight of them at once.
"""

from motsim.minibatch.kernels import (
    by_activation,
    products,
    softmax_columns,
    softmax_columns_gradient,
    sum_outputs,
)
from motsim.minibatch.tiles import inlined_whole, multiply
from motsim.vectors.addresses import advance, load, load_scalar, pointer, store, store_scalar
from motsim.vectors.lanes import WIDTH, inlined, internal

__all__ = [
    "backward",
    "backward_block",
    "block_at",
    "count_blocks",
    "forward",
    "forward_block",
    "gather",
]


@inlined
def count_blocks(batch, work):
    """Number of blocks of all experts; some may be empty."""
    return (work.starts.size - 1) * (-(-batch // work.inputs.shape[0]))


@inlined
def block_at(rule, batch, k, work):
    """Expert, first pair and number of pairs of block k, and whether its sequences are new.

    Where everyone sees all, a block of sequences is gathered once for all experts.
    """
    experts, size = work.starts.size - 1, work.inputs.shape[0]
    blocks = -(-batch // size)
    i, block = (k % experts, k // experts) if rule.everyone else (k // blocks, k % blocks)
    first = work.starts[i] + block * size
    return i, first, min(size, work.starts[i + 1] - first), i == 0 or not rule.everyone


@inlined_whole
def forward(data, weights, rule, members, work):
    """Outputs of the pairs of `starts` and `place`; members (b,) are the batch's samples."""
    transposed = work.weights.shape[0] > 0
    for k in range(count_blocks(members.size, work)):
        i, first, n, new = block_at(rule, members.size, k, work)
        if n > 0:
            if new:
                gather(data, rule, members, first, n, transposed, work)
            forward_block(weights, rule, i, first, n, work)


@inlined_whole
def backward(data, rule, members, with_ffn, with_attention, work, gradient):
    """Add the gradients by FFN and attention, from the pairs' slopes, after `forward`."""
    transposed = members.size < 0  # never; a constant would be compiled on its own
    for k in range(count_blocks(members.size, work)):
        i, first, n, new = block_at(rule, members.size, k, work)
        if n > 0:
            if new:
                gather(data, rule, members, first, n, transposed, work)
            backward_block(rule, i, first, n, with_ffn, with_attention, work, gradient)


@internal
def gather(data, rule, members, first, n, transposed, work):
    """Sequences of n pairs from `first`, and their transposes; the last token tells the task."""
    length, wide = work.inputs.shape[1:]
    dim, step = data.tokens.shape[2], work.columns.shape[2]
    for s in range(n):
        place = work.place[first + s]
        to = advance(pointer(work.inputs), s * length * wide)
        if rule.pooled:
            copy(advance(pointer(work.pooled), place * wide), to, wide)
            continue
        sample = members[place]
        row = advance(pointer(data.tokens), data.rows[sample] * length * dim)
        for q in range(length):
            if q == length - 1 and data.task_tokens.shape[0] > 0:
                row = advance(pointer(data.task_tokens), (data.tasks[sample] - q) * dim)
            copy(advance(row, q * dim), advance(to, q * wide), dim)
        if transposed:
            across = advance(pointer(work.columns), s * wide * step)
            for q in range(length):
                for k in range(dim):
                    store_scalar(across, k * step + q, load_scalar(to, q * wide + k))


@inlined
def copy(row, to, size):
    """Copy so many numbers."""
    tiled = size - size % WIDTH
    for k in range(0, tiled, WIDTH):
        store(to, k, load(row, k))
    for k in range(tiled, size):
        store_scalar(to, k, load_scalar(row, k))


@internal
def forward_block(weights, rule, i, first, n, work):
    """Expert i on the n pairs from `first`, whose sequences are gathered."""
    length, wide = work.inputs.shape[1:]
    neurons, queries = work.activations.shape[2], work.columns.shape[2]
    attends, dim = work.weights.shape[0] > 0, weights.ffn.shape[1]
    inputs, each = pointer(work.inputs), length * neurons
    activations = advance(pointer(work.activations), first * each)
    values = advance(pointer(work.values), first * each) if attends else activations
    ffn = advance(pointer(weights.ffn), i * wide * neurons)
    multiply(inputs, wide, 1, ffn, values, n * length, dim, neurons, False)
    if attends:
        shared = weights.attention.shape[0] == 1
        attention = advance(pointer(weights.attention), 0 if shared else i * wide * wide)
        keys = pointer(work.keys)
        multiply(inputs, wide, 1, attention, keys, n * length, dim, wide, False)
        for s in range(n):
            across = advance(pointer(work.columns), s * wide * queries)
            p = advance(pointer(work.weights), (first + s) * length * queries)
            row = advance(keys, s * length * wide)
            multiply(row, wide, 1, across, p, length, dim, queries, False)
            softmax_columns(p, length, queries)
            multiply(
                p, 1, queries, advance(values, s * each), advance(activations, s * each),
                length, length, neurons, False,
            )  # fmt: skip
    for s in range(n):
        sum_outputs(
            advance(activations, s * each), length, neurons, rule.each, rule.cubic,
            pointer(work.sums), work.outputs[first + s],
        )  # fmt: skip


@internal
def backward_block(rule, i, first, n, with_ffn, with_attention, work, gradient):
    """Add the gradients of expert i from the n pairs from `first`."""
    length, wide = work.inputs.shape[1:]
    neurons, queries = work.activations.shape[2], work.columns.shape[2]
    attends = work.weights.shape[0] > 0
    inputs, slopes, each = pointer(work.inputs), pointer(work.wide), length * neurons
    for s in range(n):
        by_activation(
            advance(pointer(work.activations), (first + s) * each), length, neurons, rule.each,
            rule.cubic, work.slopes[first + s], pointer(work.sums), advance(slopes, s * each),
        )  # fmt: skip
    if with_ffn:
        by_value = slopes
        if attends:
            by_value = pointer(work.back)
            for s in range(n):
                p = advance(pointer(work.weights), (first + s) * length * queries)
                multiply(
                    p, queries, 1, advance(slopes, s * each), advance(by_value, s * each),
                    length, length, neurons, False,
                )  # fmt: skip
        to = advance(pointer(gradient.ffn), i * wide * neurons)
        multiply(inputs, 1, wide, by_value, to, wide, n * length, neurons, True)
    if with_attention and attends:
        scores, keys = pointer(work.scores), pointer(work.keys)
        for s in range(n):
            p = advance(pointer(work.weights), (first + s) * length * queries)
            values = advance(pointer(work.values), (first + s) * each)
            products(values, advance(slopes, s * each), scores, length, neurons, queries)
            softmax_columns_gradient(p, scores, length, queries)
            place = s * length * wide
            multiply(
                scores, queries, 1, advance(inputs, place), advance(keys, place),
                length, length, wide, False,
            )  # fmt: skip
        shared = gradient.attention.shape[0] == 1
        to = advance(pointer(gradient.attention), 0 if shared else i * wide * wide)
        multiply(inputs, 1, wide, keys, to, wide, n * length, wide, True)
