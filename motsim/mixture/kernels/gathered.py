"""One pass over points of sampled routing: an expert sees only those that are routed to it.

Points go once, in their order, into tiles of eight. An expert has some for the points it trains on,
and one for those that only the noise-free loss asks it for. Its tiles are taken as blocks are
elsewhere, when they are full or points of other axes come. For every point its results are those
of `passes`; sums over points have another order.
"""

from typing import Any, NamedTuple

from motsim.mixture.kernels.arguments import batch_addresses, buffer_addresses
from motsim.mixture.kernels.experts import (
    activation_gradient,
    add_signal_gradient,
    plain_output,
    signal_products,
)
from motsim.mixture.kernels.phases import FORWARD
from motsim.mixture.kernels.routing import loss_slope
from motsim.mixture.kernels.tiles import add_moved, move_tokens, totals
from motsim.vectors.addresses import (
    advance,
    load,
    load_scalar,
    pointer,
    store,
    store3,
    store_scalar,
)
from motsim.vectors.lanes import WIDTH, broadcast, cached, inlined, internal

#: Tiles of an expert that it trains on: so many share one visit to the sums of its gradient.
AT_A_TIME = 4
TILES = AT_A_TIME + 1
#: Numbers of `listed` an expert needs: the points of its tiles, and how many are there.
LISTED = TILES * WIDTH + 2


class Tiles(NamedTuple):
    """Addresses of all tiles, those of expert i from ``TILES * i``: the last one is only asked.

    Slot ``2 i`` is what expert i trains on, slot ``2 i + 1`` what it is only asked for.
    """

    tokens: Any  # (tiles, r, K, 8): the other tokens
    amplitudes: Any  # (tiles, S, 8): of the signal tokens
    points: Any  # (tiles, 8): which of all each point is
    counts: Any  # (2 M,): points of a slot
    ffn: Any  # (M * J, r)
    tokens_size: int  # numbers of a tile
    amplitudes_size: int
    full: int  # points that train, at most
    trains: bool  # gradients are wanted


class Tile(NamedTuple):
    """Addresses of one tile, and of t = w . x of the neurons of its expert there."""

    tokens: Any  # (r, K, 8)
    amplitudes: Any  # (S, 8)
    other_products: Any  # (J, K, 8)
    products: Any  # (J, S, 8): of one tile at a time


@inlined
def first_chosen(choice, i_point, num_experts, num_points):
    """The expert whose mask is 1 at a point."""
    i = 0
    while i < num_experts - 1 and load_scalar(choice, i * num_points + i_point) != 1.0:
        i += 1
    return i


@inlined
def first_largest(logits, i_point, num_experts, num_points):
    """The expert of the largest logit of a point, ties to the lowest."""
    best, top = 0, load_scalar(logits, i_point)
    for i in range(1, num_experts):
        value = load_scalar(logits, i * num_points + i_point)
        if value > top:
            best, top = i, value
    return best


@inlined
def copy_lane(source, target, size):
    """Copy one of eight points, ``size / 8`` numbers, to one of eight lanes."""
    for at in range(0, size, WIDTH):
        store_scalar(target, at, load_scalar(source, at))


@inlined
def clear_lane(lane_ptr, size):
    """Set one of eight points to zero."""
    for at in range(0, size, WIDTH):
        store_scalar(lane_ptr, at, 0.0)


@inlined
def first_tile(slot):
    """The first tile of a slot."""
    return TILES * (slot // 2) + AT_A_TIME * (slot % 2)


@inlined
def add_point(i_point, slot, batch_ptrs, tiles):
    """Put a point into a tile of a slot; returns whether one more fits."""
    count, block, lane = load_scalar(tiles.counts, slot), i_point // WIDTH, i_point % WIDTH
    i_tile, i_free = first_tile(slot) + count // WIDTH, count % WIDTH
    size = tiles.tokens_size
    source = advance(batch_ptrs.tokens, block * size + lane)
    copy_lane(source, advance(tiles.tokens, i_tile * size + i_free), size)
    size = tiles.amplitudes_size
    source = advance(batch_ptrs.amplitudes, block * size + lane)
    copy_lane(source, advance(tiles.amplitudes, i_tile * size + i_free), size)
    store_scalar(tiles.points, i_tile * WIDTH + i_free, i_point)
    store_scalar(tiles.counts, slot, count + 1)
    return count + 1 < (WIDTH if slot % 2 else tiles.full)


@internal
def tile_outputs(ffn, tile, axes, batch_ptrs, rule):
    """f = sum_j sum_l phi(t_jl) of the eight points of a tile, `ffn` (J, r); t is kept."""
    # t_jl = w_j . x_l
    others, signals, r = batch_ptrs.others, batch_ptrs.signals, batch_ptrs.coordinates
    move_tokens(ffn, rule.neurons, tile.tokens, others, r, tile.other_products)
    f, one = broadcast(0.0), broadcast(1.0)
    for row in range(rule.neurons):
        of_signals = broadcast(0.0)
        if signals > 0:
            t = advance(tile.products, row * signals * WIDTH)
            store3(t, signal_products(advance(ffn, row * r), axes, tile.amplitudes))
            of_signals = plain_output(signals, rule.cubic, one, t)
        t = advance(tile.other_products, row * others * WIDTH)
        f = f + (of_signals + plain_output(others, rule.cubic, one, t))
    return f


@internal
def tile_slopes(coefficient, tile, axes, batch_ptrs, rule, sums):
    """Overwrite t by the gradient by it, and add that of the signal tokens to `sums` (J, r, 8)."""
    # by t_jl: c phi'(t_jl); by w_j: sum_l x_l times that
    others, signals, r = batch_ptrs.others, batch_ptrs.signals, batch_ptrs.coordinates
    for row in range(rule.neurons):
        t = advance(tile.other_products, row * others * WIDTH)
        activation_gradient(coefficient, coefficient, t, others, rule.cubic)
        if signals > 0:
            t = advance(tile.products, row * signals * WIDTH)
            activation_gradient(coefficient, coefficient, t, signals, rule.cubic)
            add_signal_gradient(t, axes, tile.amplitudes, advance(sums, row * r * WIDTH))


@inlined
def coefficients(i_expert, points_ptr, count, batch_ptrs, rule, buffer_ptrs):
    """Gradient of the loss of each point by f (8,), 0 where there is none; that by pi is written.

    loss(pi f) by f is loss'(pi f) pi, by pi it is loss'(pi f) f, as `selected_coefficients` has it.
    """
    lanes, size = buffer_ptrs.by_product, batch_ptrs.blocks * WIDTH
    store(lanes, 0, broadcast(0.0))
    for lane in range(count):
        i_point = load_scalar(points_ptr, lane)
        output_at = i_expert * size + i_point
        p, f = (
            load_scalar(buffer_ptrs.gates, output_at),
            load_scalar(buffer_ptrs.outputs, output_at),
        )
        slope = loss_slope(p * f, load_scalar(batch_ptrs.labels, i_point), rule.logistic)
        slope *= load_scalar(batch_ptrs.point_weights, i_point)
        store_scalar(lanes, lane, slope * p)
        store_scalar(buffer_ptrs.by_gate, output_at, slope * f)
    return load(lanes, 0)


@internal
def take_tiles(slot, axes, batch_ptrs, rule, buffer_ptrs, tiles):
    """Outputs of an expert for the points of a slot; gradients too where it trains on them."""
    count, r, others = (
        load_scalar(tiles.counts, slot), batch_ptrs.coordinates, batch_ptrs.others,
    )  # fmt: skip
    trains, i_expert, first = tiles.trains and slot % 2 == 0, slot // 2, first_tile(slot)
    ffn = advance(tiles.ffn, i_expert * rule.neurons * r)
    sums = advance(buffer_ptrs.ffn_sums, i_expert * rule.neurons * r * WIDTH)
    tokens, t = advance(tiles.tokens, first * tiles.tokens_size), buffer_ptrs.other_products
    num_tiles, lanes = (count + WIDTH - 1) // WIDTH, buffer_ptrs.by_product
    for i in range(num_tiles):
        here = min(count - i * WIDTH, WIDTH)
        points_ptr = advance(tiles.points, (first + i) * WIDTH)
        tile = Tile(
            advance(tokens, i * tiles.tokens_size),
            advance(tiles.amplitudes, (first + i) * tiles.amplitudes_size),
            advance(t, i * rule.neurons * others * WIDTH),
            buffer_ptrs.products,
        )
        for lane in range(here, WIDTH):
            clear_lane(advance(tile.tokens, lane), tiles.tokens_size)
            clear_lane(advance(tile.amplitudes, lane), tiles.amplitudes_size)
        store(lanes, 0, tile_outputs(ffn, tile, axes, batch_ptrs, rule))
        for lane in range(here):
            output_at = i_expert * batch_ptrs.blocks * WIDTH + load_scalar(points_ptr, lane)
            store_scalar(buffer_ptrs.outputs, output_at, load_scalar(lanes, lane))
        if trains:
            c = coefficients(i_expert, points_ptr, here, batch_ptrs, rule, buffer_ptrs)
            if rule.trains_ffn:
                tile_slopes(c, tile, axes, batch_ptrs, rule, sums)
    if trains and rule.trains_ffn:
        add_moved(t, tokens, num_tiles, (rule.neurons, others, r), sums)
    store_scalar(tiles.counts, slot, 0)


@inlined
def same_axes(axes, others, signals):
    """Whether the signal tokens of two blocks lie on the same axes."""
    same = True
    for s in range(signals):
        same = same and load_scalar(axes, s) == load_scalar(others, s)
    return same


@inlined
def tiles_of(parameters, batch_ptrs, buffers, phase):
    """`Tiles` in the buffers, all of them empty."""
    experts = buffers.outputs.shape[0]
    tokens = batch_ptrs.coordinates * batch_ptrs.others * WIDTH
    moved, listed = pointer(buffers.moved), pointer(buffers.listed)
    counts = advance(listed, experts * TILES * WIDTH)
    for slot in range(2 * experts):
        store_scalar(counts, slot, 0)
    num_tiles = buffers.other_products.shape[0] * experts
    return Tiles(
        moved, advance(moved, experts * TILES * tokens), listed, counts, pointer(parameters.ffn),
        tokens, batch_ptrs.signals * WIDTH, min(AT_A_TIME, num_tiles) * WIDTH, phase != FORWARD,
    )  # fmt: skip


@cached
def pass_gathered(parameters, batch, rule, buffers, gradient, mode):
    """Outputs where they are needed, and gradients unless FORWARD, of all experts."""
    batch_ptrs, buffer_ptrs = batch_addresses(batch), buffer_addresses(buffers, mode.dense)
    experts, size = buffers.outputs.shape
    logits, tiles = pointer(buffers.logits), tiles_of(parameters, batch_ptrs, buffers, mode.phase)
    buffers.outputs[:] = 0.0
    buffers.by_gate[:] = 0.0
    axes = batch_ptrs.axes
    for block in range(batch_ptrs.blocks + 1):
        here = advance(batch_ptrs.axes, block * batch_ptrs.signals)
        if block == batch_ptrs.blocks or not same_axes(here, axes, batch_ptrs.signals):
            for slot in range(2 * experts):
                if load_scalar(tiles.counts, slot) > 0:
                    take_tiles(slot, axes, batch_ptrs, rule, buffer_ptrs, tiles)
        if block == batch_ptrs.blocks:
            break
        axes = here
        for i_point in range(block * WIDTH, (block + 1) * WIDTH):
            if load_scalar(batch_ptrs.point_weights, i_point) == 0.0:  # it fills a block
                continue
            own = first_chosen(buffer_ptrs.choice, i_point, experts, size)
            if not add_point(i_point, 2 * own, batch_ptrs, tiles):
                take_tiles(2 * own, axes, batch_ptrs, rule, buffer_ptrs, tiles)
            asked = first_largest(logits, i_point, experts, size)
            if asked != own and not add_point(i_point, 2 * asked + 1, batch_ptrs, tiles):
                take_tiles(2 * asked + 1, axes, batch_ptrs, rule, buffer_ptrs, tiles)
    if tiles.trains and rule.trains_ffn:
        rows = experts * rule.neurons
        totals(buffer_ptrs.ffn_sums, rows * batch_ptrs.coordinates, pointer(gradient.ffn))
