"""One pass over points of sampled routing: an expert sees only those that are routed to it.

Points go once, in their order, into tiles of eight. An expert has some for the points it trains on,
and one for those that only the noise-free loss asks it for. Its tiles are taken as blocks are
elsewhere, when they are full or points of other axes come. For every point its results are those
of `passes`; sums over points have another order.
"""

from typing import Any, NamedTuple

from motsim.mixture.kernels.arguments import point_addresses, scratch_addresses
from motsim.mixture.kernels.experts import (
    activation_gradient,
    add_signal_gradient,
    plain_output,
    signal_products,
)
from motsim.mixture.kernels.phases import FORWARD
from motsim.mixture.kernels.routing import loss_slope
from motsim.mixture.kernels.tiles import add_moved, move_tokens, totals
from motsim.vectors.addresses import advance, load, number, pointer, put, store, store3
from motsim.vectors.lanes import WIDTH, cached, inlined, internal, splat

#: Tiles of an expert that it trains on: so many share one visit to the sums of its gradient.
AT_A_TIME = 4
TILES = AT_A_TIME + 1
#: Numbers of `listed` an expert needs: the points of its tiles, and how many are there.
LISTED = TILES * WIDTH + 2


class Tiles(NamedTuple):
    """Addresses of all tiles, those of expert i from ``TILES * i``: the last one is only asked."""

    tokens: Any  # (tiles, r, K, 8): the other tokens
    amplitudes: Any  # (tiles, S, 8): of the signal tokens
    points: Any  # (tiles, 8): place of each point among all
    counts: Any  # (M, 2): points that train, points that are only asked for
    tokens_size: int  # of a tile
    amplitudes_size: int
    full: int  # points that train, at most


@inlined
def first_chosen(choice, place, experts, points):
    """The expert whose mask is 1 at a point."""
    i = 0
    while i < experts - 1 and number(choice, i * points + place) != 1.0:
        i += 1
    return i


@inlined
def first_largest(logits, place, experts, points):
    """The expert of the largest logit of a point, ties to the lowest."""
    best, top = 0, number(logits, place)
    for i in range(1, experts):
        value = number(logits, i * points + place)
        if value > top:
            best, top = i, value
    return best


@inlined
def clear_lane(place, size):
    """Set one of eight points to zero."""
    for at in range(0, size, WIDTH):
        put(place, at, 0.0)


@inlined
def copy_lane(source, target, size):
    """Copy one of eight points, ``size / 8`` numbers, to one of eight places."""
    for at in range(0, size, WIDTH):
        put(target, at, number(source, at))


@inlined
def add_point(points, tiles, block, lane, expert, asked):
    """Put a point of a block into a tile of an expert; returns whether one more fits."""
    count = number(tiles.counts, 2 * expert + asked)
    at = (TILES * expert + (AT_A_TIME if asked else 0)) + count // WIDTH
    tokens, signals = tiles.tokens_size, tiles.amplitudes_size
    target = advance(tiles.tokens, at * tokens + count % WIDTH)
    copy_lane(advance(points.tokens, block * tokens + lane), target, tokens)
    target = advance(tiles.amplitudes, at * signals + count % WIDTH)
    copy_lane(advance(points.amplitudes, block * signals + lane), target, signals)
    put(tiles.points, at * WIDTH + count % WIDTH, block * WIDTH + lane)
    put(tiles.counts, 2 * expert + asked, count + 1)
    return count + 1 < (WIDTH if asked else tiles.full)


@internal
def tile_outputs(weights, points, rule, work, tile, axes):
    """f of eight points of one expert, `weights` (J, r); t stays in `tile`."""
    tokens, amplitudes, t, products = tile
    others, signals, r = points.others * WIDTH, points.signals * WIDTH, points.coordinates
    move_tokens(weights, rule.neurons, tokens, points.others, r, t)
    f = splat(0.0)
    for row in range(rule.neurons):
        one = splat(0.0)
        if points.signals > 0:
            own = advance(products, row * signals)
            store3(own, signal_products(advance(weights, row * r), axes, amplitudes))
            one = plain_output(points.signals, rule.cubic, splat(1.0), own)
        own = advance(t, row * others)
        f = f + (one + plain_output(points.others, rule.cubic, splat(1.0), own))
    return f


@internal
def tile_slopes(coefficient, points, rule, tile, axes, sums):
    """Overwrite t by the gradient by it, and add that of the signal tokens to `sums` (J, r, 8)."""
    _, amplitudes, t, products = tile
    others, signals, r = points.others * WIDTH, points.signals * WIDTH, points.coordinates
    for row in range(rule.neurons):
        own = advance(t, row * others)
        activation_gradient(coefficient, coefficient, own, points.others, rule.cubic)
        if points.signals > 0:
            own = advance(products, row * signals)
            activation_gradient(coefficient, coefficient, own, points.signals, rule.cubic)
            add_signal_gradient(own, axes, amplitudes, advance(sums, row * r * WIDTH))


@inlined
def coefficients(points, rule, work, places, count, expert):
    """Gradient of the loss of each point by f (8,), 0 where there is none; that by pi is written.

    As `routing.selected_coefficients` has it of one selected expert.
    """
    lanes, size = work.by_product, points.blocks * WIDTH
    store(lanes, 0, splat(0.0))
    for lane in range(count):
        b = number(places, lane)
        place = expert * size + b
        p, f = number(work.gates, place), number(work.outputs, place)
        slope = loss_slope(p * f, number(points.labels, b), rule.logistic)
        slope *= number(points.weights, b)
        put(lanes, lane, slope * p)
        put(work.by_gate, place, slope * f)
    return load(lanes, 0)


@internal
def take_tiles(weights, points, rule, work, tiles, expert, asked, axes, trains):
    """Outputs of an expert for the points of its tiles; gradients too where it trains on them."""
    count, r, lanes = number(tiles.counts, 2 * expert + asked), points.coordinates, work.by_product
    first, at = expert * rule.neurons, TILES * expert + (AT_A_TIME if asked else 0)
    weights, sums = advance(weights, first * r), advance(work.ffn_sums, first * r * WIDTH)
    tokens, step = advance(tiles.tokens, at * tiles.tokens_size), points.others * WIDTH
    taken = (count + WIDTH - 1) // WIDTH
    for i in range(taken):
        here, places = min(count - i * WIDTH, WIDTH), advance(tiles.points, (at + i) * WIDTH)
        tile = (
            advance(tokens, i * tiles.tokens_size),
            advance(tiles.amplitudes, (at + i) * tiles.amplitudes_size),
            advance(work.other_products, i * rule.neurons * step),
            work.products,
        )
        for lane in range(here, WIDTH):
            clear_lane(advance(tile[0], lane), tiles.tokens_size)
            clear_lane(advance(tile[1], lane), tiles.amplitudes_size)
        store(lanes, 0, tile_outputs(weights, points, rule, work, tile, axes))
        for lane in range(here):
            place = expert * points.blocks * WIDTH + number(places, lane)
            put(work.outputs, place, number(lanes, lane))
        if trains and not asked:
            c = coefficients(points, rule, work, places, here, expert)
            if rule.trains_ffn:
                tile_slopes(c, points, rule, tile, axes, sums)
    if trains and not asked and rule.trains_ffn:
        add_moved(work.other_products, rule.neurons, taken, tokens, points.others, r, sums)
    put(tiles.counts, 2 * expert + asked, 0)


@inlined
def take_all(weights, points, rule, work, tiles, experts, axes, trains):
    """Take every tile that holds a point."""
    for expert in range(experts):
        for asked in range(2):
            if number(tiles.counts, 2 * expert + asked) > 0:
                take_tiles(weights, points, rule, work, tiles, expert, asked, axes, trains)


@inlined
def same_axes(axes, others, signals):
    """Whether the signal tokens of two blocks lie on the same axes."""
    for s in range(signals):
        if number(axes, s) != number(others, s):
            return False
    return True


@inlined
def tiles_of(points, scratch, experts):
    """`Tiles` in a workspace, all of them empty."""
    tokens = points.coordinates * points.others * WIDTH
    moved, listed = pointer(scratch.moved), pointer(scratch.listed)
    counts = advance(listed, experts * TILES * WIDTH)
    for i in range(2 * experts):
        put(counts, i, 0)
    room = scratch.other_products.shape[0] * experts
    return Tiles(
        moved, advance(moved, experts * TILES * tokens), listed, counts,
        tokens, points.signals * WIDTH, min(AT_A_TIME, room) * WIDTH,
    )  # fmt: skip


@cached
def pass_gathered(parameters, batch, rule, scratch, gradient, phase, dense):
    """Outputs where they are needed, and gradients unless FORWARD, of all experts."""
    points, work = point_addresses(batch), scratch_addresses(scratch, dense)
    experts, size = scratch.outputs.shape
    weights, logits = pointer(parameters.ffn), pointer(scratch.logits)
    tiles, trains = tiles_of(points, scratch, experts), phase != FORWARD
    scratch.outputs[:] = 0.0
    scratch.by_gate[:] = 0.0
    axes = points.axes
    for block in range(points.blocks):
        here = advance(points.axes, block * points.signals)
        if not same_axes(here, axes, points.signals):
            take_all(weights, points, rule, work, tiles, experts, axes, trains)
        axes = here
        for lane in range(WIDTH):
            b = block * WIDTH + lane
            if number(points.weights, b) == 0.0:  # it fills a block
                continue
            own = first_chosen(work.choice, b, experts, size)
            if not add_point(points, tiles, block, lane, own, 0):
                take_tiles(weights, points, rule, work, tiles, own, 0, axes, trains)
            asked = first_largest(logits, b, experts, size)
            if asked != own and not add_point(points, tiles, block, lane, asked, 1):
                take_tiles(weights, points, rule, work, tiles, asked, 1, axes, trains)
    take_all(weights, points, rule, work, tiles, experts, axes, trains)
    if trains and rule.trains_ffn:
        rows = experts * rule.neurons
        totals(work.ffn_sums, rows * points.coordinates, pointer(gradient.ffn))
