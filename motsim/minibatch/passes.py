"""All experts on the sequences they see: forward and backward, block by block.

With scores T = (X A^T) X^T, one row a query l, weights P = softmax over keys k, and values
Y = X W^T, a neuron's input is u_l = sum_k P_lk Y_k: the neurons are applied before the average
over tokens, which is cheaper than forming z wherever there are fewer neurons than dimensions.
Scores and weights are held transposed, one row a key: a vector then holds queries, and a softmax
is taken for eight of them at once.
"""

from motsim.minibatch.arguments import Block
from motsim.minibatch.kernels import (
    Shape,
    activation_gradient,
    products,
    softmax_columns,
    softmax_columns_gradient,
    sum_outputs,
)
from motsim.minibatch.tiles import Sizes, inlined_whole, multiply, rows_of, transpose_of
from motsim.vectors.addresses import advance, load, load_scalar, pointer, store, store_scalar
from motsim.vectors.lanes import WIDTH, inlined, internal

__all__ = [
    "backward",
    "backward_block",
    "count_blocks",
    "forward",
    "forward_block",
    "gathered_block",
]


@inlined
def count_blocks(num_samples, buffers):
    """Number of blocks of all experts; some may be empty."""
    return (buffers.starts.size - 1) * (-(-num_samples // buffers.inputs.shape[0]))


@inlined
def block_at(i_block, num_samples, rule, buffers):
    """`Block` of a number.

    Where everyone sees all, a block of sequences is gathered once for all experts.
    """
    experts, size = buffers.starts.size - 1, buffers.inputs.shape[0]
    num_blocks = -(-num_samples // size)  # of an expert
    i, own = i_block // num_blocks, i_block % num_blocks
    if rule.everyone:
        i, own = i_block % experts, i_block // experts
    first = buffers.starts[i] + own * size
    num_pairs = min(size, buffers.starts[i + 1] - first)
    return Block(i, first, num_pairs, i == 0 or not rule.everyone)


@inlined
def gathered_block(i_block, batch, rule, transposed, buffers):
    """`Block` of a number, with its sequences in the buffers."""
    block = block_at(i_block, batch.i_samples.size, rule, buffers)
    if block.num_pairs > 0 and block.is_new:
        gather(batch, rule, block, transposed, buffers)
    return block


@inlined
def shape_of(buffers):
    """`Shape` of the sequences."""
    length, dim = buffers.inputs.shape[1:]
    return Shape(length, dim, buffers.activations.shape[2], buffers.inputs_across.shape[2])


@inlined_whole
def forward(parameters, batch, rule, buffers):
    """Outputs of the pairs of `starts` and `i_in_batch`."""
    num_samples, transposed = batch.i_samples.size, buffers.attention_probs.shape[0] > 0
    for i_block in range(count_blocks(num_samples, buffers)):
        block = gathered_block(i_block, batch, rule, transposed, buffers)
        if block.num_pairs > 0:
            forward_block(parameters, rule, block, buffers)


@inlined_whole
def backward(batch, rule, buffers, gradient):
    """Add the gradients by FFN and attention, from those by the outputs, after `forward`."""
    num_samples = batch.i_samples.size
    transposed = num_samples < 0  # never; a constant would be compiled on its own
    for i_block in range(count_blocks(num_samples, buffers)):
        block = gathered_block(i_block, batch, rule, transposed, buffers)
        if block.num_pairs > 0:
            backward_block(rule, block, buffers, gradient)


@internal
def gather(batch, rule, block, transposed, buffers):
    """Sequences of a block, and their transposes; the last token tells the task."""
    data, shape = batch.data, shape_of(buffers)
    length, wide, dim = shape.length, shape.dim, data.tokens.shape[2]
    for s in range(block.num_pairs):
        i_in_batch = buffers.i_in_batch[block.first_pair + s]
        to = advance(pointer(buffers.inputs), s * length * wide)
        if rule.pooled:
            copy(advance(pointer(buffers.pooled), i_in_batch * wide), to, wide)
            continue
        i_sample = batch.i_samples[i_in_batch]
        row = advance(pointer(data.tokens), data.rows[i_sample] * length * dim)
        for q in range(length):
            if q == length - 1 and data.task_tokens.shape[0] > 0:
                row = advance(pointer(data.task_tokens), (data.tasks[i_sample] - q) * dim)
            copy(advance(row, q * dim), advance(to, q * wide), dim)
        if transposed:
            across = advance(pointer(buffers.inputs_across), s * wide * shape.queries)
            for q in range(length):
                for k in range(dim):
                    store_scalar(across, k * shape.queries + q, load_scalar(to, q * wide + k))


@inlined
def copy(row, to, size):
    """Copy so many numbers."""
    tiled = size - size % WIDTH
    for k in range(0, tiled, WIDTH):
        store(to, k, load(row, k))
    for k in range(tiled, size):
        store_scalar(to, k, load_scalar(row, k))


@internal
def forward_block(parameters, rule, block, buffers):
    """Outputs of a block whose sequences are gathered."""
    shape, n, i = shape_of(buffers), block.num_pairs, block.i_expert
    length, dim, neurons, queries = shape.length, shape.dim, shape.neurons, shape.queries
    attends, each = buffers.attention_probs.shape[0] > 0, length * neurons
    inputs = pointer(buffers.inputs)
    activations = advance(pointer(buffers.activations), block.first_pair * each)
    values = activations
    if attends:
        values = advance(pointer(buffers.values), block.first_pair * each)
    # Y = X W^T
    ffn = advance(pointer(parameters.ffn), i * dim * neurons)
    multiply(rows_of(inputs, dim), ffn, values, Sizes(n * length, dim, neurons), False)
    if attends:
        # T transposed, one row a key: (X A) X^T
        shared = parameters.attention.shape[0] == 1
        attention = advance(pointer(parameters.attention), 0 if shared else i * dim * dim)
        moved = pointer(buffers.moved)
        multiply(rows_of(inputs, dim), attention, moved, Sizes(n * length, dim, dim), False)
        for s in range(n):
            across = advance(pointer(buffers.inputs_across), s * dim * queries)
            p = probs_of(block.first_pair + s, shape, buffers)
            row = advance(moved, s * length * dim)
            multiply(rows_of(row, dim), across, p, Sizes(length, dim, queries), False)
            softmax_columns(p, length, queries)
            # u_l = sum_k P_lk Y_k
            y, u = advance(values, s * each), advance(activations, s * each)
            multiply(transpose_of(p, queries), y, u, Sizes(length, length, neurons), False)
    for s in range(n):
        u, out = advance(activations, s * each), buffers.outputs[block.first_pair + s]
        sum_outputs(u, shape, rule, pointer(buffers.sums), out)


@inlined
def probs_of(i_pair, shape, buffers):
    """Address of the attention weights of a pair."""
    return advance(pointer(buffers.attention_probs), i_pair * shape.length * shape.queries)


@internal
def backward_block(rule, block, buffers, gradient):
    """Add the gradients of an expert from a block."""
    shape, n, i = shape_of(buffers), block.num_pairs, block.i_expert
    length, dim, neurons, queries = shape.length, shape.dim, shape.neurons, shape.queries
    attends = buffers.attention_probs.shape[0] > 0
    inputs, by_activation = pointer(buffers.inputs), pointer(buffers.by_activation)
    each = length * neurons
    for s in range(n):
        i_pair = block.first_pair + s
        activation_gradient(
            advance(pointer(buffers.activations), i_pair * each), shape, rule,
            buffers.by_output[i_pair], pointer(buffers.sums), advance(by_activation, s * each),
        )  # fmt: skip
    if rule.trains_ffn:
        by_value = by_activation
        if attends:
            # by Y_k: sum_l P_lk g_l, g_l the gradient by u_l
            by_value = pointer(buffers.by_value)
            for s in range(n):
                p = probs_of(block.first_pair + s, shape, buffers)
                g, out = advance(by_activation, s * each), advance(by_value, s * each)
                multiply(rows_of(p, queries), g, out, Sizes(length, length, neurons), False)
        # by W, transposed: X^T times the gradient by Y
        out = advance(pointer(gradient.ffn), i * dim * neurons)
        sizes = Sizes(dim, n * length, neurons)
        multiply(transpose_of(inputs, dim), by_value, out, sizes, True)
    if rule.trains_attention and attends:
        by_score, moved = pointer(buffers.by_score), pointer(buffers.moved)
        for s in range(n):
            # by P_lk: Y_k . g_l, g_l the gradient by u_l; by T_lk: see `softmax_columns_gradient`
            i_pair = block.first_pair + s
            p = probs_of(i_pair, shape, buffers)
            values = advance(pointer(buffers.values), i_pair * each)
            products(values, advance(by_activation, s * each), shape, by_score)
            softmax_columns_gradient(p, by_score, length, queries)
            # for each key k: sum_l x_l times that by T_lk
            at = s * length * dim
            x, out, sizes = advance(inputs, at), advance(moved, at), Sizes(length, length, dim)
            multiply(rows_of(by_score, queries), x, out, sizes, False)
        # by A: X^T times these sums
        shared = gradient.attention.shape[0] == 1
        out = advance(pointer(gradient.attention), 0 if shared else i * dim * dim)
        multiply(transpose_of(inputs, dim), moved, out, Sizes(dim, n * length, dim), True)
