"""One pass over the points of a group of experts: outputs, and the gradients of their parameters.

A group is what shares one attention matrix: one expert, or all of them in the kind `shared`. Where
the loss of a point splits over experts (expected routing), one pass does both directions.
"""

import numpy as np

from motsim.kernels.arguments import point_addresses, scratch_addresses
from motsim.kernels.attention import (
    block_gradient,
    block_weights,
    score_gradient,
)
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
from motsim.kernels.mirrors import EXTRA, pair_outputs, score_gradient_of_pair, unmix_pair
from motsim.kernels.phases import BACKWARD, BOTH, FORWARD
from motsim.kernels.places import advance, load, pointer, store
from motsim.kernels.routing import expected_coefficient
from motsim.kernels.tiles import add_moved, totals


@inlined
def other_place(points, work, first, row, pair):
    """Where t of the other tokens is: in one array for all neurons and points, or in scratch."""
    span = points.others * WIDTH
    if work.dense:
        pairs = points.blocks // points.images
        return advance(work.other_products, ((first + row) * pairs + pair) * span)
    return advance(work.other_products, row * span)


@inlined
def sign_of(image):
    """By which the first token of an image is taken, and its results: 1 for a block itself."""
    return splat(-1.0 if image > 0 else 1.0)


@inlined
def token_products(weight, points, work, pair, products, others):
    """Fill t of one neuron; that of the other tokens is there if the pass is `dense`."""
    signals, coordinates = points.signals, points.coordinates
    if signals > 0:
        block = pair * points.images
        axes = advance(points.axes, block * signals)
        t0, t1, t2 = signal_products(
            weight, axes, advance(points.amplitudes, block * signals * WIDTH)
        )
        store(products, FIRST, t0)
        store(products, SECOND, t1)
        store(products, THIRD, t2)
    if points.others > 0 and not work.dense:
        tokens = advance(points.tokens, pair * coordinates * points.others * WIDTH)
        other_products(weight, tokens, points.others, coordinates, others)


@inlined
def neuron_outputs(points, rule, work, weights, products, others, mixed):
    """Sums over l of phi(u_l) of one neuron for block and image; keeps u where there is attention.

    0 for the image where there is none.
    """
    f, g, signals = splat(0.0), splat(0.0), points.signals
    if not rule.mixed:
        f = plain_output(signals, rule.cubic, sign_of(0), products)
        f = f + plain_output(points.others, rule.cubic, sign_of(0), others)
        if points.images > 1:
            sign = sign_of(1)
            g = plain_output(signals, rule.cubic, sign, products)
            sign = splat(1.0) if signals > 0 else sign
            g = g + plain_output(points.others, rule.cubic, sign, others)
    elif points.images > 1:
        f, g = pair_outputs(points, weights, work.queries, rule.cubic, products, others, mixed)
    else:
        f = neuron_output(points, weights, work.queries, rule.cubic, products, others, mixed)
    return f, g


@inlined
def add_score_slopes(points, products, others, sign, mixed, by_score):
    """Add one neuron's part of the gradient by the weights (L, L, 8): g_l t_k."""
    signals, length = points.signals, points.signals + points.others
    start = 0 if signals > 0 else WIDTH
    first = load(products if signals > 0 else others, 0) * sign
    for query in range(length):
        slope = load(mixed, query * WIDTH)
        row = advance(by_score, query * length * WIDTH)
        store(row, 0, fma(slope, first, load(row, 0)))
        for key in range(WIDTH, signals * WIDTH, WIDTH):
            store(row, key, fma(slope, load(products, key), load(row, key)))
        row = advance(row, signals * WIDTH)
        for key in range(start, points.others * WIDTH, WIDTH):
            store(row, key, fma(slope, load(others, key), load(row, key)))


@inlined
def plain_gradient(coefficients, points, cubic, products, others):
    """Overwrite t by the gradient by it, where there is no attention: block and image together."""
    own, image = coefficients
    first, rest = own - image, own + image
    if points.signals > 0:
        activation_gradient(first, rest, products, points.signals, cubic)
        first = rest
    activation_gradient(first, rest, others, points.others, cubic)


@inlined
def backward_pair(coefficients, points, rule, work, weights, pair, first, slot, others):
    """Add one neuron's part of the gradients by its weights and by the scores.

    It is neuron `slot` of a group whose neurons begin at `first`. The gradient by t of the other
    tokens overwrites t in `others`.
    """
    signals, coordinates = points.signals, points.coordinates
    length = signals + points.others
    products = advance(work.products, slot * length * WIDTH)
    slopes = work.by_product if rule.mixed else products
    if rule.mixed:
        mixed = mixed_place(points, work, slot)
        for image in range(points.images):
            c = coefficients[1] if image > 0 else coefficients[0]
            slope = advance(mixed, image * work.queries * WIDTH)
            activation_gradient(c, c, slope, work.queries, rule.cubic)
            if rule.attention_rate > 0.0:
                by_score = advance(work.by_score, image * length * length * WIDTH)
                add_score_slopes(points, products, others, sign_of(image), slope, by_score)
        if rule.ffn_rate > 0.0 and points.images > 1:
            unmix_pair(points, weights, work.queries, mixed, slopes, others)
        elif rule.ffn_rate > 0.0:
            unmix(points, weights, work.queries, mixed, slopes, others)
    elif rule.ffn_rate > 0.0:
        plain_gradient(coefficients, points, rule.cubic, products, others)
    if rule.ffn_rate == 0.0:
        return
    sums = advance(work.ffn_sums, (first + slot) * coordinates * WIDTH)
    if signals > 0:
        block = pair * points.images
        axes = advance(points.axes, block * signals)
        amplitudes = advance(points.amplitudes, block * signals * WIDTH)
        add_signal_gradient(slopes, axes, amplitudes, sums)
    if points.others > 0 and not work.dense:
        tokens = advance(points.tokens, pair * coordinates * points.others * WIDTH)
        add_other_gradient(others, tokens, points.others, coordinates, sums)


@inlined
def mixed_place(points, work, slot):
    """Where u of one neuron is, of the block and then of the image."""
    return advance(work.mixed, slot * points.images * (points.signals + points.others) * WIDTH)


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
        if any_at_least(load(work.choice, place), splat(rule.negligible)):
            return False
    for i in range(first, first + experts):
        place = (i * points.blocks + block) * WIDTH
        store(work.outputs, place, splat(0.0))
        store(work.by_gate, place, splat(0.0))
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
    length, images, pairs = points.signals + points.others, points.images, blocks // points.images
    span, square = coordinates * points.others * WIDTH, length * length * WIDTH
    attention = advance(attention, group * coordinates * coordinates)
    matrix = group if sets > 1 else 0
    trains, backward = rule.attention_rate > 0.0, phase != FORWARD
    waiting = np.int64(0)  # no constant: see `phases`
    first = group * experts * neurons
    for pair in range(pairs):
        if all_passed_over(points, rule, work, group * experts, experts, pair):
            waiting = add_waiting(points, work, waiting, pair)
            continue
        place = matrix * (work.all_blocks // images) + work.first // images + pair
        weights = advance(work.weights, place * weights_span(points, work.queries))
        if trains and phase == BOTH:
            weights = work.weights  # not needed again: always the same place
        moved = advance(work.moved, waiting * span)
        if trains and phase != BACKWARD:
            block_weights(attention, points, pair, moved, work.by_score, weights)
        if trains and backward:
            for at in range(0, images * square, WIDTH):
                store(work.by_score, at, splat(0.0))
        for e in range(experts):
            place = ((group * experts + e) * blocks + pair * images) * WIDTH
            if all_passed_over(points, rule, work, group * experts + e, 1, pair):
                continue
            own, image = splat(0.0), splat(0.0)
            for row in range(e * neurons, (e + 1) * neurons):
                weight = advance(ffn, (first + row) * coordinates)
                others = other_place(points, work, first, row, pair)
                products = advance(work.products, row * length * WIDTH)
                mixed = mixed_place(points, work, row)
                token_products(weight, points, work, pair, products, others)
                f, g = neuron_outputs(points, rule, work, weights, products, others, mixed)
                own, image = own + f, image - g
            store(work.outputs, place, own)
            if images > 1:
                store(work.outputs, place + WIDTH, image)
            if not backward:
                continue
            own = coefficient(points, rule, work, place, pair * images, phase)
            if images > 1:
                at = place + WIDTH
                image = splat(0.0) - coefficient(points, rule, work, at, pair * images + 1, phase)
            for row in range(e * neurons, (e + 1) * neurons):
                others = other_place(points, work, first, row, pair)
                backward_pair((own, image), points, rule, work, weights, pair, first, row, others)
        if trains and backward:
            if images > 1:
                score_gradient_of_pair(weights, length, work.by_score)
            else:
                score_gradient(weights, length, work.by_score)
            block_gradient(work.by_score, points, pair, moved, work.attention_sums)
            waiting += 1
            if waiting == at_a_time:
                waiting = add_waiting(points, work, waiting, pair + 1)
    add_waiting(points, work, waiting, pairs)
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
    pairs, span = points.blocks // points.images, weights_span(points, work.queries)
    for matrix in range(scratch.weights.shape[0]):
        for pair in range(pairs):
            weights = advance(work.weights, (matrix * pairs + pair) * span)
            block_weights(
                advance(attention, matrix * size), points, pair, work.moved, work.by_score, weights
            )
