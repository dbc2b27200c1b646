"""A whole step but its update in one loop over blocks: gate, experts, loss, and gradients by both.

For three signal tokens under frozen attention, one neuron an expert, and expected routing. What
`routing` and `frozen` do in sweeps over arrays of a number for each pair of expert and point stays
in the nearest cache here (`blocks`). The same operations in the same order: the same bits.
"""

from motsim.mixture.kernels.arguments import point_addresses, scratch_addresses
from motsim.mixture.kernels.blocks import Block, Experts, take
from motsim.mixture.kernels.routing import total_loss
from motsim.mixture.kernels.tiles import totals
from motsim.vectors.addresses import advance, load_scalar, pointer, store_scalar, two
from motsim.vectors.lanes import WIDTH, cached, inlined


@inlined
def transpose(ffn, experts, r, out):
    """Write weights (M, r) as (M / 8, r, 8): one coordinate of eight experts after the other."""
    for i in range(experts):
        place = (i // WIDTH) * r * WIDTH + i % WIDTH
        for a in range(r):
            store_scalar(out, place + a * WIDTH, load_scalar(ffn, i * r + a))


@inlined
def same_axes(axes, blocks, place):
    """Whether the next block has the axes of this one, three different ones."""
    if place + 1 == blocks:
        return False
    here, there = advance(axes, place * 3), advance(axes, place * 3 + 3)
    a, b, c = load_scalar(here, 0), load_scalar(here, 1), load_scalar(here, 2)
    same = load_scalar(there, 0) == a and load_scalar(there, 1) == b and load_scalar(there, 2) == c
    return same and a != b and b != c and c != a


@inlined
def two_blocks(block, moments, row):
    """A block and the next, whose moments and rows are that many numbers on."""
    return Block(
        two(block.amplitudes, 3 * WIDTH), two(block.labels, WIDTH), two(block.weights, WIDTH),
        two(block.moments, moments), two(block.final, WIDTH), two(block.logits, row),
        two(block.gates, row), two(block.choice, row), two(block.by_gate, row),
    )  # fmt: skip


@cached
def pass_fused(parameters, parts, part, rule, scratch, gradient):
    """Add what a part of the points gives to gradients by weights and gate; return its loss."""
    points, work = point_addresses(parts, part), scratch_addresses(scratch, False)
    count, sets, r = scratch.outputs.shape[0], scratch.moments.shape[1], points.coordinates
    terms, columns = work.terms * WIDTH, pointer(scratch.ffn_across)
    experts = Experts(
        columns, advance(columns, scratch.ffn_across.shape[0] * r * WIDTH),
        pointer(parameters.gate), work.ffn_sums, pointer(scratch.gate_sums),
        pointer(scratch.listed), count, r, terms if sets > 1 else 0,
    )  # fmt: skip
    transpose(pointer(parameters.ffn), count, r, columns)
    for i in range(count):
        store_scalar(experts.listed, i, i)
    place = 0
    while place < points.blocks:
        at = advance(points.axes, place * 3)
        axes = load_scalar(at, 0), load_scalar(at, 1), load_scalar(at, 2)
        block = Block(
            advance(points.amplitudes, place * 3 * WIDTH), advance(points.labels, place * WIDTH),
            advance(points.weights, place * WIDTH),
            advance(work.moments, (work.first + place) * sets * terms),
            advance(pointer(scratch.final), place * WIDTH),
            pointer(scratch.logits), work.gates, work.choice, work.by_gate,
        )  # fmt: skip
        if same_axes(points.axes, points.blocks, place):
            take(rule, axes, two_blocks(block, sets * terms, count * WIDTH), experts)
            place += 2
        else:
            take(rule, axes, block, experts)
            place += 1
    if work.ends:
        totals(work.ffn_sums, count * r, pointer(gradient.ffn))
        totals(experts.gate_sums, count * r, pointer(gradient.gate))
    return total_loss(scratch.final, parts.labels[part], parts.weights[part], rule.logistic)
