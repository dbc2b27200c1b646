"""One pass over the points of a group of experts: outputs, and the gradients of their parameters.

A group is what shares one attention matrix: one expert, or all of them in the kind `shared`. Where
the loss of a point splits over experts (expected routing), one pass does both directions.
"""

from typing import Any, NamedTuple

import numpy as np

from motsim.mixture.kernels.arguments import (
    Group,
    Neuron,
    Pair,
    batch_addresses,
    buffer_addresses,
)
from motsim.mixture.kernels.attention import block_gradient, block_probs, score_gradient
from motsim.mixture.kernels.mirrors import EXTRA, score_gradient_of_pair
from motsim.mixture.kernels.neurons import at_once, backward, forward
from motsim.mixture.kernels.phases import BACKWARD, BOTH, FORWARD
from motsim.mixture.kernels.routing import expected_coefficient
from motsim.mixture.kernels.tiles import add_moved, move_tokens, totals
from motsim.vectors.addresses import advance, load, pointer, store
from motsim.vectors.lanes import WIDTH, any_at_least, broadcast, cached, inlined, written_out

#: Bytes that a shared cache holds at least: what is more comes from memory in each step.
CACHE = 1 << 25


class Rows(NamedTuple):
    """The neurons of one expert in its group."""

    ffn: Any  # (M * J, r)
    products: Any  # (rows of the group, K, 8): t of the other tokens
    first: int  # row of all that is the group's first
    begin: int  # the expert's first row in the group
    end: int  # the row after its last


@inlined
def probs_span(batch_ptrs, queries):
    """Numbers of attention weights of a block, and its image."""
    length = batch_ptrs.signals + batch_ptrs.others
    if batch_ptrs.images > 1:
        return (queries + 1) * (length + EXTRA) * WIDTH
    return queries * length * WIDTH


@inlined
def passed_over(batch_ptrs, rule, buffer_ptrs, first, experts, block):
    """Whether routing makes all of some experts negligible for a block; clears their results."""
    if buffer_ptrs.dense:
        return False
    for i in range(first, first + experts):
        output_at = (i * batch_ptrs.blocks + block) * WIDTH
        if any_at_least(load(buffer_ptrs.choice, output_at), broadcast(rule.negligible)):
            return False
    for i in range(first, first + experts):
        output_at = (i * batch_ptrs.blocks + block) * WIDTH
        store(buffer_ptrs.outputs, output_at, broadcast(0.0))
        store(buffer_ptrs.by_gate, output_at, broadcast(0.0))
    return True


@inlined
def coefficient(batch_ptrs, rule, buffer_ptrs, output_at, block, phase):
    """Gradient by f of one expert for a block."""
    if phase == BOTH:
        return expected_coefficient(
            batch_ptrs, rule.logistic, buffer_ptrs, output_at, block * WIDTH
        )
    return load(buffer_ptrs.by_output, output_at)


@inlined
def all_passed_over(batch_ptrs, rule, buffer_ptrs, first, experts, pair):
    """The same for a block and its image; one of them alone is not passed over."""
    over = True
    for block in range(pair * batch_ptrs.images, (pair + 1) * batch_ptrs.images):
        over = passed_over(batch_ptrs, rule, buffer_ptrs, first, experts, block) and over
    return over


@inlined
def add_waiting(batch_ptrs, buffer_ptrs, count, pair):
    """Add what `block_gradient` left of `count` pairs before `pair`; nothing waits after it."""
    if count > 0 and batch_ptrs.others > 0:
        span = batch_ptrs.coordinates * batch_ptrs.others * WIDTH
        tokens = advance(batch_ptrs.tokens, (pair - count) * span)
        r = batch_ptrs.coordinates
        sizes = r, batch_ptrs.others, r
        add_moved(buffer_ptrs.moved, tokens, count, sizes, buffer_ptrs.attention_sums)
    return np.int64(0)


@inlined
def neuron_at(rows, row, batch_ptrs, buffer_ptrs):
    """`Neuron` of a row of a group."""
    r = batch_ptrs.coordinates
    return Neuron(
        advance(rows.ffn, (rows.first + row) * r),
        advance(rows.products, row * batch_ptrs.others * WIDTH),
        advance(buffer_ptrs.ffn_sums, (rows.first + row) * r * WIDTH),
        row,
    )


@written_out
def forward_expert(rows, pair, batch_ptrs, rule, buffer_ptrs):
    """Outputs f of an expert for a block and its image, 0 where there is none."""
    # f = sum_j sum_l phi(u_jl); the image's is minus what its tokens give
    own, image = broadcast(0.0), broadcast(0.0)
    for row in range(rows.begin, rows.end):
        neuron = neuron_at(rows, row, batch_ptrs, buffer_ptrs)
        f, g = forward(neuron, pair, batch_ptrs, rule, buffer_ptrs)
        own, image = own + f, image - g
    return own, image


@written_out
def backward_expert(slopes, rows, pair, batch_ptrs, rule, buffer_ptrs):
    """Add an expert's gradients by its weights, to sums, and by the scores; as `backward` takes."""
    for row in range(rows.begin, rows.end):
        neuron = neuron_at(rows, row, batch_ptrs, buffer_ptrs)
        backward(slopes, neuron, pair, batch_ptrs, rule, buffer_ptrs)


@written_out
def pass_group(parameters, batch_ptrs, rule, buffer_ptrs, gradient, group):
    """What `pass_groups` does for one group, over some pairs."""
    experts, begin, end, phase = group.experts, group.begin, group.end, group.phase
    ffn, attention = pointer(parameters.ffn), pointer(parameters.attention)
    blocks, coordinates, neurons = batch_ptrs.blocks, batch_ptrs.coordinates, rule.neurons
    length, images = batch_ptrs.signals + batch_ptrs.others, batch_ptrs.images
    span, square = coordinates * batch_ptrs.others * WIDTH, length * length * WIDTH
    attention = advance(attention, group.i_group * coordinates * coordinates)
    matrix = group.i_group if group.sets > 1 else 0
    trains, both_ways = rule.trains_attention, phase != FORWARD
    waiting = np.int64(0)  # no constant: see `phases`
    first_expert = group.i_group * experts
    first = first_expert * neurons
    for pair in range(begin, end):
        if all_passed_over(batch_ptrs, rule, buffer_ptrs, first_expert, experts, pair):
            waiting = add_waiting(batch_ptrs, buffer_ptrs, waiting, pair)
            continue
        i_probs = matrix * (buffer_ptrs.all_blocks // images) + buffer_ptrs.first // images + pair
        attention_probs = advance(
            buffer_ptrs.attention_probs, i_probs * probs_span(batch_ptrs, buffer_ptrs.queries)
        )
        # The next ones in memory, asked for while these are at work: of the next pair or attention.
        last = pair + 1 == end
        pairs_on = buffer_ptrs.all_blocks // images + begin - pair if last else 1
        ahead = advance(attention_probs, pairs_on * probs_span(batch_ptrs, buffer_ptrs.queries))
        asks = np.int64(group.asks and not (last and matrix + 1 == group.sets))
        if trains and phase == BOTH:
            attention_probs = buffer_ptrs.attention_probs  # not needed again: always the same ones
        moved = advance(buffer_ptrs.moved, waiting * span)
        products = buffer_ptrs.other_products  # of one group at a time, or of all
        if at_once(rule, buffer_ptrs):
            i_row = (pair - begin) * parameters.ffn.shape[0] + first
            products = advance(products, i_row * batch_ptrs.others * WIDTH)
        # P[l, :] = softmax over k of x_k . A x_l
        if trains and phase != BACKWARD:
            block_probs(attention, batch_ptrs, pair, moved, buffer_ptrs.by_score, attention_probs)
        if trains and both_ways:
            for at in range(0, images * square, WIDTH):
                store(buffer_ptrs.by_score, at, broadcast(0.0))
        at_work = Pair(pair, attention_probs, ahead, asks)
        for e in range(experts):
            output_at = ((first_expert + e) * blocks + pair * images) * WIDTH
            if all_passed_over(batch_ptrs, rule, buffer_ptrs, first_expert + e, np.int64(1), pair):
                continue
            rows = Rows(ffn, products, first, e * neurons, (e + 1) * neurons)
            own, image = forward_expert(rows, at_work, batch_ptrs, rule, buffer_ptrs)
            image_at = output_at + WIDTH
            store(buffer_ptrs.outputs, output_at, own)
            if images > 1:
                store(buffer_ptrs.outputs, image_at, image)
            if not both_ways:
                continue
            own = coefficient(batch_ptrs, rule, buffer_ptrs, output_at, pair * images, phase)
            if images > 1:
                image = broadcast(0.0) - coefficient(
                    batch_ptrs, rule, buffer_ptrs, image_at, pair * images + 1, phase
                )
            backward_expert((own, image), rows, at_work, batch_ptrs, rule, buffer_ptrs)
        # by S through the softmax; by A: sum over l, k of that by S[l, k] times x_k x_l^T
        if trains and both_ways:
            if images > 1:
                score_gradient_of_pair(attention_probs, length, buffer_ptrs.by_score)
            else:
                score_gradient(attention_probs, length, buffer_ptrs.by_score)
            block_gradient(
                buffer_ptrs.by_score, batch_ptrs, pair, moved, buffer_ptrs.attention_sums
            )
            waiting += 1
            if waiting == group.at_a_time:
                waiting = add_waiting(batch_ptrs, buffer_ptrs, waiting, pair + 1)
    add_waiting(batch_ptrs, buffer_ptrs, waiting, end)
    if both_ways and trains:
        size = coordinates * coordinates
        totals(
            buffer_ptrs.attention_sums,
            size,
            advance(pointer(gradient.attention), group.i_group * size),
        )


@cached
def pass_groups(parameters, batch, rule, buffers, gradient, mode):
    """Outputs, and gradients unless FORWARD, of all experts, a group at a time.

    Where attention is frozen a `dense` pass goes over some blocks after the other, and multiplies
    all weights by their other tokens at once.
    """
    batch_ptrs, buffer_ptrs = batch_addresses(batch), buffer_addresses(buffers, mode.dense)
    experts, neurons = buffers.outputs.shape[0], parameters.ffn.shape[0]
    groups = parameters.attention.shape[0] if rule.mixed else experts
    sets, may_wait = buffers.attention_probs.shape[0], buffers.moved.shape[0]
    others, r, pairs = (
        batch_ptrs.others,
        batch_ptrs.coordinates,
        batch_ptrs.blocks // batch_ptrs.images,
    )
    asks = sets > 1 and not rule.trains_attention and buffers.attention_probs.nbytes > CACHE
    multiplies = others > 0 and at_once(rule, buffer_ptrs)
    trains = mode.phase != FORWARD and rule.trains_ffn
    at_a_time = buffers.other_products.shape[0] if multiplies else pairs
    for begin in range(0, pairs, at_a_time):
        end = min(begin + at_a_time, pairs)
        tokens = advance(batch_ptrs.tokens, begin * r * others * WIDTH)
        if multiplies:
            for i in range(end - begin):
                x = advance(tokens, i * r * others * WIDTH)
                t = advance(buffer_ptrs.other_products, i * neurons * others * WIDTH)
                move_tokens(pointer(parameters.ffn), neurons, x, others, r, t)
        for i in range(groups):
            group = Group(i, experts // groups, sets, asks, may_wait, begin, end, mode.phase)
            pass_group(parameters, batch_ptrs, rule, buffer_ptrs, gradient, group)
        if multiplies and trains:
            count, t = end - begin, buffer_ptrs.other_products
            add_moved(t, tokens, count, (neurons, others, r), buffer_ptrs.ffn_sums)
    if trains and buffer_ptrs.ends:
        totals(buffer_ptrs.ffn_sums, neurons * r, pointer(gradient.ffn))


@cached
def refresh_attention(parameters, batch, buffers):
    """Recompute every attention weight."""
    batch_ptrs, buffer_ptrs = batch_addresses(batch), buffer_addresses(buffers, True)
    attention, size = pointer(parameters.attention), batch_ptrs.coordinates * batch_ptrs.coordinates
    pairs, span = (
        batch_ptrs.blocks // batch_ptrs.images,
        probs_span(batch_ptrs, buffer_ptrs.queries),
    )
    for matrix in range(buffers.attention_probs.shape[0]):
        for pair in range(pairs):
            attention_probs = advance(buffer_ptrs.attention_probs, (matrix * pairs + pair) * span)
            block_probs(
                advance(attention, matrix * size),
                batch_ptrs,
                pair,
                buffer_ptrs.moved,
                buffer_ptrs.by_score,
                attention_probs,
            )


@cached
def refresh_rounded(parameters, batch, buffers, kept):
    """Fill `kept`, attention weights in single precision; `buffers` have those of one pair.

    Each is computed in double precision and rounded once.
    """
    batch_ptrs, buffer_ptrs = batch_addresses(batch), buffer_addresses(buffers, True)
    attention, size = pointer(parameters.attention), batch_ptrs.coordinates * batch_ptrs.coordinates
    span, out = probs_span(batch_ptrs, buffer_ptrs.queries), pointer(kept)
    for matrix in range(kept.shape[0]):
        for pair in range(kept.shape[1]):
            block_probs(
                advance(attention, matrix * size),
                batch_ptrs,
                pair,
                buffer_ptrs.moved,
                buffer_ptrs.by_score,
                buffer_ptrs.attention_probs,
            )
            for at in range(0, span, WIDTH):
                store(out, at, load(buffer_ptrs.attention_probs, at))
            out = advance(out, span)
