"""A whole step but its update in one loop over blocks: gate, experts, loss, and gradients by both.

For three signal tokens under frozen attention, one neuron an expert, and expected routing. What
`routing` and `frozen` do in sweeps over arrays of a number for each pair of expert and point stays
in the nearest cache here (`blocks`). The same operations in the same order: the same bits.
"""

from motsim.mixture.kernels.arguments import batch_addresses, buffer_addresses
from motsim.mixture.kernels.blocks import Block, Experts, take
from motsim.mixture.kernels.routing import total_loss
from motsim.mixture.kernels.tiles import totals
from motsim.vectors.addresses import advance, load_scalar, pointer, store_scalar, two
from motsim.vectors.lanes import WIDTH, cached, inlined


@inlined
def transpose(ffn, experts, r, out):
    """Write weights (M, r) as (M / 8, r, 8): one coordinate of eight experts after the other."""
    for i in range(experts):
        column_at = (i // WIDTH) * r * WIDTH + i % WIDTH
        for a in range(r):
            store_scalar(out, column_at + a * WIDTH, load_scalar(ffn, i * r + a))


@inlined
def same_axes(axes, blocks, i_block):
    """Whether the next block has the axes of this one, three different ones."""
    if i_block + 1 == blocks:
        return False
    here, there = advance(axes, i_block * 3), advance(axes, i_block * 3 + 3)
    a, b, c = load_scalar(here, 0), load_scalar(here, 1), load_scalar(here, 2)
    same = load_scalar(there, 0) == a and load_scalar(there, 1) == b and load_scalar(there, 2) == c
    return same and a != b and b != c and c != a


@inlined
def two_blocks(block, moments, row):
    """A block and the next, whose moments and rows are that many numbers on."""
    return Block(
        two(block.amplitudes, 3 * WIDTH), two(block.labels, WIDTH), two(block.point_weights, WIDTH),
        two(block.moments, moments), two(block.final, WIDTH), two(block.logits, row),
        two(block.gates, row), two(block.choice, row), two(block.by_gate, row),
    )  # fmt: skip


@cached
def pass_fused(parameters, parts, part, rule, buffers, gradient):
    """Add what a part of the points gives to gradients by weights and gate; return its loss."""
    batch_ptrs, buffer_ptrs = batch_addresses(parts, part), buffer_addresses(buffers, False)
    count, sets, r = buffers.outputs.shape[0], buffers.moments.shape[1], batch_ptrs.coordinates
    terms, columns = buffer_ptrs.terms * WIDTH, pointer(buffers.ffn_across)
    experts = Experts(
        columns, advance(columns, buffers.ffn_across.shape[0] * r * WIDTH),
        pointer(parameters.gate), buffer_ptrs.ffn_sums, pointer(buffers.gate_sums),
        pointer(buffers.listed), count, r, terms if sets > 1 else 0,
    )  # fmt: skip
    transpose(pointer(parameters.ffn), count, r, columns)
    for i in range(count):
        store_scalar(experts.listed, i, i)
    i_block = 0
    while i_block < batch_ptrs.blocks:
        axes_ptr = advance(batch_ptrs.axes, i_block * 3)
        axes = load_scalar(axes_ptr, 0), load_scalar(axes_ptr, 1), load_scalar(axes_ptr, 2)
        block = Block(
            advance(batch_ptrs.amplitudes, i_block * 3 * WIDTH),
            advance(batch_ptrs.labels, i_block * WIDTH),
            advance(batch_ptrs.point_weights, i_block * WIDTH),
            advance(buffer_ptrs.moments, (buffer_ptrs.first + i_block) * sets * terms),
            advance(pointer(buffers.final), i_block * WIDTH),
            pointer(buffers.logits), buffer_ptrs.gates, buffer_ptrs.choice, buffer_ptrs.by_gate,
        )  # fmt: skip
        if same_axes(batch_ptrs.axes, batch_ptrs.blocks, i_block):
            take(rule, axes, two_blocks(block, sets * terms, count * WIDTH), experts)
            i_block += 2
        else:
            take(rule, axes, block, experts)
            i_block += 1
    if buffer_ptrs.ends:
        totals(buffer_ptrs.ffn_sums, count * r, pointer(gradient.ffn))
        totals(experts.gate_sums, count * r, pointer(gradient.gate))
    return total_loss(buffers.final, parts.labels[part], parts.point_weights[part], rule.logistic)
