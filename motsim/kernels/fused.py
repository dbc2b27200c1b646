"""A whole step but its update in one loop over blocks: gate, experts, loss, and gradients by both.

For three signal tokens under frozen attention, one neuron an expert, and expected routing. What
`routing` and `frozen` do in sweeps over arrays of a number for each pair of expert and point stays
in the nearest cache here. The same operations in the same order: the same bits.
"""

import math
from typing import Any, NamedTuple

import numba

from motsim.kernels.arguments import only_signals, point_addresses, scratch_addresses
from motsim.kernels.experts import add_product
from motsim.kernels.frozen import cubic_form, products_of_two
from motsim.kernels.lanes import (
    WIDTH,
    advance,
    any_at_least,
    fma,
    inlined,
    load,
    number,
    pointer,
    put,
    splat,
    spread,
    store,
    where_greater,
)
from motsim.kernels.routing import exponentials, least_exponent, loss_slope_lanes, total_loss
from motsim.kernels.three import dot3, load3, store3
from motsim.kernels.tiles import totals


class Block(NamedTuple):
    """Eight points: what they share, and what each has."""

    axes: Any  # three coordinates
    amplitudes: Any  # three times (8,)
    labels: Any  # (8,)
    weights: Any  # (8,)


class Rows(NamedTuple):
    """Addresses of what a block needs of every expert; filled anew for each block."""

    logits: Any  # (M, 8): h
    gates: Any  # (M, 8): pi
    choice: Any  # (M, 8): q, unless it is pi
    by_gate: Any  # (M, 8)
    ffn: Any  # (M / 8, 9, 8): of eight experts w on the three axes, products of two of them
    experts: int  # M


@numba.njit(error_model="numpy", inline="always")
def fuses(batch, rule, work):
    """Whether `pass_fused` takes a step: of training, since only stages keep moments.

    Evaluations read outputs and gates of all points, which it leaves to the sweeps.
    """
    kept = work.moments.shape[:2] != (1, 1)
    frozen = only_signals(batch) and rule.attention_rate == 0.0
    expected = rule.gated and not rule.sampled and rule.load_balance == 0.0
    trains = rule.ffn_rate > 0.0 and rule.gate_rate > 0.0
    return kept and frozen and expected and trains and rule.top_k == 1 and rule.neurons == 1


@inlined
def transpose(ffn, experts, r, out):
    """Write weights (M, r) as (M / 8, r, 8): one coordinate of eight experts after the other."""
    for i in range(experts):
        place = (i // WIDTH) * r * WIDTH + i % WIDTH
        for a in range(r):
            put(out, place + a * WIDTH, number(ffn, i * r + a))


@inlined
def fill_ffn(transposed, r, block, cubic, rows):
    """Fill the weights of all experts on the axes of a block, and their products if cubic."""
    x0, x1, x2 = block.axes
    out = rows.ffn
    for _ in range(0, rows.experts, WIDTH):
        w = (
            load(transposed, x0 * WIDTH),
            load(transposed, x1 * WIDTH),
            load(transposed, x2 * WIDTH),
        )
        store3(out, w)
        if cubic:
            squares, mixed = products_of_two(w)
            store3(advance(out, 3 * WIDTH), squares)
            store3(advance(out, 6 * WIDTH), mixed)
        transposed, out = advance(transposed, r * WIDTH), advance(out, 9 * WIDTH)


@inlined
def fill_logits(gate, r, block, rows):
    """Fill h of a block; returns the largest."""
    x, axes, top = block.amplitudes, block.axes, splat(-math.inf)
    for place in range(0, rows.experts * WIDTH, WIDTH):
        value = fma(x[0], spread(gate, axes[0]), splat(0.0))
        value = fma(x[1], spread(gate, axes[1]), value)
        value = fma(x[2], spread(gate, axes[2]), value)
        store(rows.logits, place, value)
        top = where_greater(value, top, value, top)
        gate = advance(gate, r)
    return top


@inlined
def serve(block, rule, rows, norms, moments, apart, sums, span):
    """Normalise `gates`, fill `by_gate`, and add to the sums of the gradient by the weights.

    `norms` are of pi and q; from one expert to the next are `apart` numbers of moments and `span`
    of sums. Returns the mean over experts of the gradient by pi, and F with noise-free routing.
    """
    factor, zero, negligible = splat(3.0 if rule.cubic else 1.0), splat(0.0), splat(rule.negligible)
    mean, top, final = zero, splat(-math.inf), zero
    scaled = rule.routing_scale != 1.0
    for i in range(rows.experts):
        place = i * WIDTH
        p = load(rows.gates, place) * norms[0]
        store(rows.gates, place, p)
        q = load(rows.choice, place) * norms[1] if scaled else p
        f, by_gate = zero, zero
        if any_at_least(q, negligible):
            w = advance(rows.ffn, (i // WIDTH) * (9 * WIDTH) + i % WIDTH)
            d = load3(moments)
            if rule.cubic:
                squares = spread(w, 3 * WIDTH), spread(w, 4 * WIDTH), spread(w, 5 * WIDTH)
                mixed = spread(w, 6 * WIDTH), spread(w, 7 * WIDTH), spread(w, 8 * WIDTH)
                d = cubic_form(moments, squares, mixed)
            f = dot3((spread(w, 0), spread(w, WIDTH), spread(w, 2 * WIDTH)), d)
            slope = block.weights * q * loss_slope_lanes(p * f, block.labels, rule.logistic)
            by_gate, c = slope * f, slope * p * factor
            add_product(sums, block.axes[0], c, d[0])
            add_product(sums, block.axes[1], c, d[1])
            add_product(sums, block.axes[2], c, d[2])
        store(rows.by_gate, place, by_gate)
        mean = fma(p, by_gate, mean)
        h = load(rows.logits, place)
        final = where_greater(h, top, p * f, final)
        top = where_greater(h, top, h, top)
        moments, sums = advance(moments, apart), advance(sums, span)
    return mean, final


@inlined
def add_gate(block, rows, mean, sums, span):
    """Add to the sums of the gradient by the gate."""
    x, axes = block.amplitudes, block.axes
    for place in range(0, rows.experts * WIDTH, WIDTH):
        value = load(rows.gates, place) * (load(rows.by_gate, place) - mean)
        add_product(sums, axes[0], x[0], value)
        add_product(sums, axes[1], x[1], value)
        add_product(sums, axes[2], x[2], value)
        sums = advance(sums, span)


@numba.njit(cache=True, error_model="numpy")
def pass_fused(parameters, batch, rule, scratch, gradient):
    """Add what some of the points give to gradients by weights and gate; return their loss."""
    points, work = point_addresses(batch), scratch_addresses(scratch, False)
    experts, sets, r = scratch.outputs.shape[0], scratch.moments.shape[1], points.coordinates
    size, span, ffn = work.terms * WIDTH, r * WIDTH, pointer(scratch.ffn_across)
    one, every, end = splat(1.0), splat(-math.inf), experts * WIDTH
    inverse, least = splat(1.0 / rule.routing_scale), least_exponent(rule.negligible)
    gate, gate_sums = pointer(parameters.gate), pointer(scratch.gate_sums)
    transpose(pointer(parameters.ffn), experts, r, ffn)
    rows = Rows(
        pointer(scratch.logits), work.gates, work.choice, work.by_gate,
        advance(ffn, scratch.ffn_across.shape[0] * span), experts,
    )  # fmt: skip
    moments = advance(work.moments, work.first * sets * size)
    for place in range(points.blocks):
        x = advance(points.axes, place * 3)
        block = Block(
            (number(x, 0), number(x, 1), number(x, 2)),
            load3(advance(points.amplitudes, place * 3 * WIDTH)),
            load(points.labels, place * WIDTH), load(points.weights, place * WIDTH),
        )  # fmt: skip
        fill_ffn(ffn, r, block, rule.cubic, rows)
        top = fill_logits(gate, r, block, rows)
        norm = exponentials(rows.logits, top, one, every, WIDTH, end, rows.gates)
        norms = norm, norm
        if rule.routing_scale != 1.0:
            norms = norm, exponentials(rows.logits, top, inverse, least, WIDTH, end, rows.choice)
        apart = size if sets > 1 else 0
        mean, final = serve(block, rule, rows, norms, moments, apart, work.ffn_sums, span)
        store(pointer(scratch.final), place * WIDTH, final)
        add_gate(block, rows, mean, gate_sums, span)
        moments = advance(moments, sets * size)
    if work.ends:
        totals(work.ffn_sums, experts * r, pointer(gradient.ffn))
        totals(gate_sums, experts * r, pointer(gradient.gate))
    return total_loss(scratch.final, batch.labels, batch.weights, rule.logistic)
