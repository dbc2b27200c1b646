"""One pass over the points of a group of experts: outputs, and the gradients of their parameters.

A group is what shares one attention matrix: one expert, or all of them in the kind `shared`. Where
the loss of a point splits over experts (expected routing), one pass does both directions.
"""

import numpy as np

from motsim.kernels.arguments import point_addresses, scratch_addresses
from motsim.kernels.attention import block_gradient, block_weights, score_gradient
from motsim.kernels.experts import (
    FIRST,
    SECOND,
    THIRD,
    activation_gradient,
    add_other_gradient,
    add_signal_gradient,
    neuron_output,
    other_products,
    plain_output,
    signal_products,
    unmix,
)
from motsim.kernels.lanes import WIDTH, any_at_least, cached, fma, inlined, splat, written_out
from motsim.kernels.phases import BACKWARD, BOTH, FORWARD
from motsim.kernels.places import advance, load, pointer, store
from motsim.kernels.routing import expected_coefficient
from motsim.kernels.tiles import add_moved, totals


@inlined
def other_place(points, work, first, row, block):
    """Where t of the other tokens is: in one array for all neurons and points, or in scratch."""
    span = points.others * WIDTH
    if work.dense:
        return advance(work.other_products, ((first + row) * points.blocks + block) * span)
    return advance(work.other_products, row * span)


@inlined
def forward_block(weight, points, rule, work, weights, block, slot, others):
    """Sum over l of phi(u_l) of one neuron.

    t and u are kept in row `slot` of the scratch; t of the other tokens is in `others`, or to be
    put there unless the pass is `dense`.
    """
    signals, coordinates = points.signals, points.coordinates
    row = slot * (signals + points.others) * WIDTH
    products = advance(work.products, row)
    if signals > 0:
        axes = advance(points.axes, block * signals)
        t0, t1, t2 = signal_products(
            weight, axes, advance(points.amplitudes, block * signals * WIDTH)
        )
        store(products, FIRST, t0)
        store(products, SECOND, t1)
        store(products, THIRD, t2)
    if points.others > 0 and not work.dense:
        tokens = advance(points.tokens, block * coordinates * points.others * WIDTH)
        other_products(weight, tokens, points.others, coordinates, others)
    if not rule.mixed:
        f = plain_output(signals, rule.cubic, products)
        return f + plain_output(points.others, rule.cubic, others)
    mixed = advance(work.mixed, row)
    return neuron_output(points, weights, work.queries, rule.cubic, products, others, mixed)


@inlined
def add_score_slopes(points, products, others, mixed, by_score):
    """Add one neuron's part of the gradient by the weights (L, L, 8): g_l t_k."""
    signals, length = points.signals, points.signals + points.others
    for query in range(length):
        slope = load(mixed, query * WIDTH)
        row = advance(by_score, query * length * WIDTH)
        for key in range(0, signals * WIDTH, WIDTH):
            store(row, key, fma(slope, load(products, key), load(row, key)))
        row = advance(row, signals * WIDTH)
        for key in range(0, points.others * WIDTH, WIDTH):
            store(row, key, fma(slope, load(others, key), load(row, key)))


@inlined
def backward_block(coefficient, points, rule, work, weights, block, first, slot, others):
    """Add one neuron's part of the gradients by its weights and by the scores.

    It is neuron `slot` of a group whose neurons begin at `first`. The gradient by t of the other
    tokens overwrites t in `others`.
    """
    signals, coordinates = points.signals, points.coordinates
    row = slot * (signals + points.others) * WIDTH
    products, mixed = advance(work.products, row), advance(work.mixed, row)
    slopes = work.by_product if rule.mixed else products
    if rule.mixed:
        activation_gradient(coefficient, mixed, work.queries, rule.cubic)
        if rule.attention_rate > 0.0:
            add_score_slopes(points, products, others, mixed, work.by_score)
        if rule.ffn_rate > 0.0:
            unmix(points, weights, work.queries, mixed, slopes, others)
    elif rule.ffn_rate > 0.0:
        activation_gradient(coefficient, products, signals, rule.cubic)
        activation_gradient(coefficient, others, points.others, rule.cubic)
    if rule.ffn_rate == 0.0:
        return
    sums = advance(work.ffn_sums, (first + slot) * coordinates * WIDTH)
    if signals > 0:
        axes = advance(points.axes, block * signals)
        amplitudes = advance(points.amplitudes, block * signals * WIDTH)
        add_signal_gradient(slopes, axes, amplitudes, sums)
    if points.others > 0 and not work.dense:
        tokens = advance(points.tokens, block * coordinates * points.others * WIDTH)
        add_other_gradient(others, tokens, points.others, coordinates, sums)


@inlined
def passed_over(points, rule, work, first, experts, block):
    """Whether routing makes all of some experts negligible for a block; clears their results."""
    if work.dense:
        return False
    for i in range(first, first + experts):
        place = (i * points.blocks + block) * WIDTH
        if any_at_least(load(work.choice, place), splat(rule.negligible)):
            return False
    for i in range(first, first + experts):
        place = (i * points.blocks + block) * WIDTH
        store(work.outputs, place, splat(0.0))
        store(work.by_gate, place, splat(0.0))
    return True


@inlined
def add_waiting(points, work, count, block):
    """Add what `block_gradient` left of `count` blocks before `block`; nothing waits after it."""
    if count > 0 and points.others > 0:
        span = points.coordinates * points.others * WIDTH
        tokens = advance(points.tokens, (block - count) * span)
        add_moved(work.moved, count, tokens, points.others, points.coordinates, work.attention_sums)
    return np.int64(0)


@written_out
def pass_group(parameters, points, rule, work, sizes, gradient, group, phase):
    """What `pass_groups` does for one.

    `sizes` are the experts of a group, the attentions that are kept, and the blocks that may wait.
    """
    experts, sets, at_a_time = sizes
    ffn, attention = pointer(parameters.ffn), pointer(parameters.attention)
    blocks, coordinates, neurons = points.blocks, points.coordinates, rule.neurons
    length = points.signals + points.others
    span = coordinates * points.others * WIDTH
    attention = advance(attention, group * coordinates * coordinates)
    matrix = group if sets > 1 else 0
    trains, backward = rule.attention_rate > 0.0, phase != FORWARD
    waiting = np.int64(0)  # no constant: see `phases`
    for block in range(blocks):
        if passed_over(points, rule, work, group * experts, experts, block):
            waiting = add_waiting(points, work, waiting, block)
            continue
        place = matrix * work.all_blocks + work.first + block
        weights = advance(work.weights, place * work.queries * length * WIDTH)
        if trains and phase == BOTH:
            weights = work.weights  # not needed again: always the same place
        moved = advance(work.moved, waiting * span)
        if trains and phase != BACKWARD:
            block_weights(attention, points, block, moved, work.by_score, weights)
        if trains and backward:
            for at in range(0, length * length * WIDTH, WIDTH):
                store(work.by_score, at, splat(0.0))
        for e in range(experts):
            place = ((group * experts + e) * blocks + block) * WIDTH
            if passed_over(points, rule, work, group * experts + e, 1, block):
                continue
            value = splat(0.0)
            for j in range(neurons):
                weight = advance(ffn, ((group * experts + e) * neurons + j) * coordinates)
                row = e * neurons + j
                others = other_place(points, work, group * experts * neurons, row, block)
                value = value + forward_block(
                    weight, points, rule, work, weights, block, row, others
                )
            store(work.outputs, place, value)
            if not backward:
                continue
            if phase == BOTH:
                value = expected_coefficient(points, rule.logistic, work, place, block * WIDTH)
            else:
                value = load(work.by_output, place)
            for j in range(neurons):
                row = e * neurons + j
                others = other_place(points, work, group * experts * neurons, row, block)
                first = group * experts * neurons
                backward_block(value, points, rule, work, weights, block, first, row, others)
        if trains and backward:
            score_gradient(weights, length, work.by_score)
            block_gradient(work.by_score, points, block, moved, work.attention_sums)
            waiting += 1
            if waiting == at_a_time:
                waiting = add_waiting(points, work, waiting, block + 1)
    add_waiting(points, work, waiting, blocks)
    if backward and rule.ffn_rate > 0.0 and work.ends:
        rows = experts * neurons * coordinates
        sums = advance(work.ffn_sums, group * rows * WIDTH)
        totals(sums, rows, advance(pointer(gradient.ffn), group * rows))
    if backward and trains:
        size = coordinates * coordinates
        totals(work.attention_sums, size, advance(pointer(gradient.attention), group * size))


@cached
def pass_groups(parameters, batch, rule, scratch, gradient, phase, dense):
    """Outputs, and gradients unless FORWARD, of all experts, a group at a time."""
    points, work = point_addresses(batch), scratch_addresses(scratch, dense)
    experts = scratch.outputs.shape[0]
    groups = parameters.attention.shape[0] if rule.mixed else experts
    sizes = experts // groups, scratch.weights.shape[0], scratch.moved.shape[0]
    for group in range(groups):
        pass_group(parameters, points, rule, work, sizes, gradient, group, phase)


@cached
def refresh_attention(parameters, batch, scratch):
    """Recompute every attention weight."""
    points, work = point_addresses(batch), scratch_addresses(scratch, True)
    attention, size = pointer(parameters.attention), points.coordinates * points.coordinates
    span = (points.signals + points.others) ** 2 * WIDTH
    for matrix in range(scratch.weights.shape[0]):
        for block in range(points.blocks):
            weights = advance(work.weights, (matrix * points.blocks + block) * span)
            block_weights(
                advance(attention, matrix * size), points, block, work.moved, work.by_score,
                weights,
            )  # fmt: skip
