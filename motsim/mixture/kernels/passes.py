"""One pass over the points of a group of experts: outputs, and the gradients of their parameters.

A group is what shares one attention matrix: one expert, or all of them in the kind `shared`. Where
the loss of a point splits over experts (expected routing), one pass does both directions.
"""

import numpy as np

from motsim.mixture.kernels.arguments import point_addresses, scratch_addresses
from motsim.mixture.kernels.attention import block_gradient, block_weights, score_gradient
from motsim.mixture.kernels.mirrors import EXTRA, score_gradient_of_pair
from motsim.mixture.kernels.neurons import at_once, backward, forward
from motsim.mixture.kernels.phases import BACKWARD, BOTH, FORWARD
from motsim.mixture.kernels.routing import expected_coefficient
from motsim.mixture.kernels.tiles import add_moved, move_tokens, totals
from motsim.vectors.addresses import advance, load, pointer, store
from motsim.vectors.lanes import WIDTH, any_at_least, broadcast, cached, inlined, written_out


@inlined
def weights_span(points, queries):
    """Numbers of attention weights of a block, and its image."""
    length = points.signals + points.others
    if points.images > 1:
        return (queries + 1) * (length + EXTRA) * WIDTH
    return queries * length * WIDTH


@inlined
def passed_over(points, rule, work, first, experts, block):
    """Whether routing makes all of some experts negligible for a block; clears their results."""
    if work.dense:
        return False
    for i in range(first, first + experts):
        place = (i * points.blocks + block) * WIDTH
        if any_at_least(load(work.choice, place), broadcast(rule.negligible)):
            return False
    for i in range(first, first + experts):
        place = (i * points.blocks + block) * WIDTH
        store(work.outputs, place, broadcast(0.0))
        store(work.by_gate, place, broadcast(0.0))
    return True


@inlined
def coefficient(points, rule, work, place, block, phase):
    """Gradient by f of one expert for a block."""
    if phase == BOTH:
        return expected_coefficient(points, rule.logistic, work, place, block * WIDTH)
    return load(work.by_output, place)


@inlined
def all_passed_over(points, rule, work, first, experts, pair):
    """The same for a block and its image; one of them alone is not passed over."""
    over = True
    for block in range(pair * points.images, (pair + 1) * points.images):
        over = passed_over(points, rule, work, first, experts, block) and over
    return over


@inlined
def add_waiting(points, work, count, pair):
    """Add what `block_gradient` left of `count` pairs before `pair`; nothing waits after it."""
    if count > 0 and points.others > 0:
        span = points.coordinates * points.others * WIDTH
        tokens = advance(points.tokens, (pair - count) * span)
        r = points.coordinates
        add_moved(work.moved, r, count, tokens, points.others, r, work.attention_sums)
    return np.int64(0)


@written_out
def pass_group(parameters, points, rule, work, sizes, gradient, group, some, phase):
    """What `pass_groups` does for one group, with the first and last of some pairs.

    `sizes` are the experts of a group, the attentions that are kept, and the blocks that may wait.
    """
    experts, sets, at_a_time = sizes
    begin, end = some
    ffn, attention = pointer(parameters.ffn), pointer(parameters.attention)
    blocks, coordinates, neurons = points.blocks, points.coordinates, rule.neurons
    length, images = points.signals + points.others, points.images
    span, square = coordinates * points.others * WIDTH, length * length * WIDTH
    attention = advance(attention, group * coordinates * coordinates)
    matrix = group if sets > 1 else 0
    trains, both_ways = rule.trains_attention, phase != FORWARD
    waiting = np.int64(0)  # no constant: see `phases`
    first = group * experts * neurons
    for pair in range(begin, end):
        if all_passed_over(points, rule, work, group * experts, experts, pair):
            waiting = add_waiting(points, work, waiting, pair)
            continue
        place = matrix * (work.all_blocks // images) + work.first // images + pair
        weights = advance(work.weights, place * weights_span(points, work.queries))
        if trains and phase == BOTH:
            weights = work.weights  # not needed again: always the same place
        moved = advance(work.moved, waiting * span)
        products = work.other_products  # of one group at a time, or of all
        if at_once(rule, work):
            at = (pair - begin) * parameters.ffn.shape[0] + first
            products = advance(products, at * points.others * WIDTH)
        if trains and phase != BACKWARD:
            block_weights(attention, points, pair, moved, work.by_score, weights)
        if trains and both_ways:
            for at in range(0, images * square, WIDTH):
                store(work.by_score, at, broadcast(0.0))
        for e in range(experts):
            place = ((group * experts + e) * blocks + pair * images) * WIDTH
            if all_passed_over(points, rule, work, group * experts + e, np.int64(1), pair):
                continue
            own, image = broadcast(0.0), broadcast(0.0)
            for row in range(e * neurons, (e + 1) * neurons):
                weight = advance(ffn, (first + row) * coordinates)
                others = advance(products, row * points.others * WIDTH)
                f, g = forward(weight, points, rule, work, weights, pair, row, others)
                own, image = own + f, image - g
            store(work.outputs, place, own)
            if images > 1:
                store(work.outputs, place + WIDTH, image)
            if not both_ways:
                continue
            own = coefficient(points, rule, work, place, pair * images, phase)
            if images > 1:
                at = place + WIDTH
                image = broadcast(0.0) - coefficient(
                    points, rule, work, at, pair * images + 1, phase
                )
            for row in range(e * neurons, (e + 1) * neurons):
                others = advance(products, row * points.others * WIDTH)
                sums = advance(work.ffn_sums, (first + row) * coordinates * WIDTH)
                backward((own, image), points, rule, work, weights, pair, row, others, sums)
        if trains and both_ways:
            if images > 1:
                score_gradient_of_pair(weights, length, work.by_score)
            else:
                score_gradient(weights, length, work.by_score)
            block_gradient(work.by_score, points, pair, moved, work.attention_sums)
            waiting += 1
            if waiting == at_a_time:
                waiting = add_waiting(points, work, waiting, pair + 1)
    add_waiting(points, work, waiting, end)
    if both_ways and trains:
        size = coordinates * coordinates
        totals(work.attention_sums, size, advance(pointer(gradient.attention), group * size))


@cached
def pass_groups(parameters, batch, rule, scratch, gradient, phase, dense):
    """Outputs, and gradients unless FORWARD, of all experts, a group at a time.

    Where attention is frozen a `dense` pass goes over some blocks after the other, and multiplies
    all weights by their other tokens at once.
    """
    points, work = point_addresses(batch), scratch_addresses(scratch, dense)
    experts, neurons = scratch.outputs.shape[0], parameters.ffn.shape[0]
    groups = parameters.attention.shape[0] if rule.mixed else experts
    sizes = experts // groups, scratch.weights.shape[0], scratch.moved.shape[0]
    others, r, pairs = points.others, points.coordinates, points.blocks // points.images
    multiplies = others > 0 and at_once(rule, work)
    trains = phase != FORWARD and rule.trains_ffn
    at_a_time = scratch.other_products.shape[0] if multiplies else pairs
    for begin in range(0, pairs, at_a_time):
        end = min(begin + at_a_time, pairs)
        tokens = advance(points.tokens, begin * r * others * WIDTH)
        if multiplies:
            for i in range(end - begin):
                x = advance(tokens, i * r * others * WIDTH)
                t = advance(work.other_products, i * neurons * others * WIDTH)
                move_tokens(pointer(parameters.ffn), neurons, x, others, r, t)
        for group in range(groups):
            some = begin, end
            pass_group(parameters, points, rule, work, sizes, gradient, group, some, phase)
        if multiplies and trains:
            count, t = end - begin, work.other_products
            add_moved(t, neurons, count, tokens, others, r, work.ffn_sums)
    if trains and work.ends:
        totals(work.ffn_sums, neurons * r, pointer(gradient.ffn))


@cached
def refresh_attention(parameters, batch, scratch):
    """Recompute every attention weight."""
    points, work = point_addresses(batch), scratch_addresses(scratch, True)
    attention, size = pointer(parameters.attention), points.coordinates * points.coordinates
    pairs, span = points.blocks // points.images, weights_span(points, work.queries)
    for matrix in range(scratch.weights.shape[0]):
        for pair in range(pairs):
            weights = advance(work.weights, (matrix * pairs + pair) * span)
            block_weights(
                advance(attention, matrix * size), points, pair, work.moved, work.by_score, weights
            )
