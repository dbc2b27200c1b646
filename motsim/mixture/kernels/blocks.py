"""All that a step does with one block of eight points of three signal tokens, or with two together.

Two blocks of the same axes share the weights on them and one visit to every sum: wherever an
address is of eight numbers here, a pair of addresses is of two blocks (`addresses.two`).
"""

import math
from typing import Any, NamedTuple

from motsim.mixture.kernels.experts import add_product
from motsim.mixture.kernels.frozen import cubic_form, products_of_two
from motsim.mixture.kernels.routing import least_exponent, loss_slope_lanes
from motsim.mixture.kernels.three import dot3
from motsim.vectors.addresses import (
    advance,
    load,
    load3,
    load_broadcast,
    load_scalar,
    store,
    store3,
    store_scalar,
)
from motsim.vectors.arithmetic import exp_nonpositive
from motsim.vectors.lanes import (
    WIDTH,
    any_at_least,
    broadcast,
    broadcast_like,
    fma,
    inlined,
    select_any,
    select_equal,
    select_greater,
)


class Block(NamedTuple):
    """Addresses of a block's points, and of what it needs of every expert."""

    amplitudes: Any  # (3, 8)
    labels: Any  # (8,)
    point_weights: Any  # (8,)
    moments: Any  # (M or 1, 10 or 3, 8)
    final: Any  # (8,): F with noise-free routing, filled here like the rest
    logits: Any  # (M, 8): h
    gates: Any  # (M, 8): pi, not normalized
    choice: Any  # (M, 8): q of listed experts, not normalized, unless it is pi
    by_gate: Any  # (M, 8)


class Experts(NamedTuple):
    """Addresses of parameters, sums and lists of all experts."""

    columns: Any  # (M / 8, r, 8): w, one coordinate of eight experts after the other
    across: Any  # (M / 8, 9, 8): of eight experts w on the axes of a block, products of two of them
    gate: Any  # (M, r)
    ffn_sums: Any  # (M, r, 8)
    gate_sums: Any  # (M, r, 8)
    listed: Any  # (M,): experts whose q may count in a block, lowest first; all, unless q is not pi
    count: int  # M
    coordinates: int  # r
    apart: int  # numbers of moments from one expert to the next; 0 where all have the same


@inlined
def fill_ffn(axes, cubic, experts):
    """Fill the weights of all experts on the axes of a block, and their products if cubic."""
    x0, x1, x2 = axes
    columns, out = experts.columns, experts.across
    for _ in range(0, experts.count, WIDTH):
        w = load(columns, x0 * WIDTH), load(columns, x1 * WIDTH), load(columns, x2 * WIDTH)
        store3(out, w)
        if cubic:
            squares, mixed = products_of_two(w)
            store3(advance(out, 3 * WIDTH), squares)
            store3(advance(out, 6 * WIDTH), mixed)
        columns, out = advance(columns, experts.coordinates * WIDTH), advance(out, 9 * WIDTH)


@inlined
def fill_logits(axes, block, experts):
    """Fill h; returns the largest."""
    # h_i = theta_i . sum_l x_l
    x, gate = load3(block.amplitudes), experts.gate
    top = broadcast_like(-math.inf, x[0])
    for expert_at in range(0, experts.count * WIDTH, WIDTH):
        value = fma(x[0], load_broadcast(gate, axes[0]), broadcast(0.0))
        value = fma(x[1], load_broadcast(gate, axes[1]), value)
        value = fma(x[2], load_broadcast(gate, axes[2]), value)
        store(block.logits, expert_at, value)
        top = select_greater(value, top, value, top)
        gate = advance(gate, experts.coordinates)
    return top


@inlined
def weigh(rule, block, experts, top):
    """Fill pi and q, and list the experts whose q may count.

    Returns what normalizes pi and q, and how many are listed; `by_gate` of the others is 0.
    """
    # pi = softmax over i of h, q = softmax over i of h / lambda
    scaled, inverse = rule.routing_scale != 1.0, broadcast(1.0 / rule.routing_scale)
    least, norm = least_exponent(rule.negligible), broadcast_like(0.0, top)
    count = 0 if scaled else experts.count
    for i in range(experts.count):
        expert_at = i * WIDTH
        value = load(block.logits, expert_at) - top
        e = exp_nonpositive(value)
        store(block.gates, expert_at, e)
        norm = norm + e
        if scaled:
            store_scalar(experts.listed, count, i)
            store(block.by_gate, expert_at, broadcast(0.0))
            count += any_at_least(value * inverse, least)
    by_sum = broadcast(1.0) / norm
    if not scaled:
        return (by_sum, by_sum), count
    norm = broadcast_like(0.0, top)
    for j in range(count):
        expert_at = load_scalar(experts.listed, j) * WIDTH
        value = (load(block.logits, expert_at) - top) * inverse
        e = select_any(value, least, exp_nonpositive(value))
        store(block.choice, expert_at, e)
        norm = norm + e
    return (by_sum, broadcast(1.0) / norm), count


@inlined
def forward(rule, block, experts, i_expert):
    """Output f of an expert, and D."""
    # f = w . D: see `frozen`
    w_at = (i_expert // WIDTH) * (9 * WIDTH) + i_expert % WIDTH
    w, moments = advance(experts.across, w_at), advance(block.moments, i_expert * experts.apart)
    d = load3(moments)
    if rule.cubic:
        squares = (
            load_broadcast(w, 3 * WIDTH),
            load_broadcast(w, 4 * WIDTH),
            load_broadcast(w, 5 * WIDTH),
        )
        mixed = (
            load_broadcast(w, 6 * WIDTH),
            load_broadcast(w, 7 * WIDTH),
            load_broadcast(w, 8 * WIDTH),
        )
        d = cubic_form(moments, squares, mixed)
    w = load_broadcast(w, 0), load_broadcast(w, WIDTH), load_broadcast(w, 2 * WIDTH)
    return dot3(w, d), d


@inlined
def backward(slope, d, axes, sums):
    """Add to the sums (r, 8) of an expert; `slope` is as `frozen.backward` takes it."""
    # by w, f has the gradient 3 D if cubic, D if linear
    add_product(sums, axes[0], slope, d[0])
    add_product(sums, axes[1], slope, d[1])
    add_product(sums, axes[2], slope, d[2])


@inlined
def serve(rule, axes, block, experts, top, weighed):
    """Fill `by_gate` of listed experts, and add to the sums of the gradient by the weights.

    `weighed` is what `weigh` returns. Returns the mean over experts of the gradient by pi, and F
    with noise-free routing.
    """
    norms, count = weighed
    factor, negligible = broadcast(3.0 if rule.cubic else 1.0), broadcast(rule.negligible)
    labels, point_weights = load(block.labels, 0), load(block.point_weights, 0)
    scaled, span = rule.routing_scale != 1.0, experts.coordinates * WIDTH
    mean = broadcast_like(0.0, top)
    final = norms[0] - norms[0]  # 0, or NaN where a logit is
    for j in range(count):
        i = load_scalar(experts.listed, j)
        expert_at = i * WIDTH
        p = load(block.gates, expert_at) * norms[0]
        q = load(block.choice, expert_at) * norms[1] if scaled else p
        if not any_at_least(q, negligible):
            store(block.by_gate, expert_at, broadcast(0.0))
            continue
        q = select_any(q, negligible, q)
        f, d = forward(rule, block, experts, i)
        # weight q_i loss(pi_i f_i), q constant: by pi_i slope f_i, by f_i slope pi_i
        slope = point_weights * q * loss_slope_lanes(p * f, labels, rule.logistic)
        by_gate = slope * f
        backward(slope * p * factor, d, axes, advance(experts.ffn_sums, i * span))
        store(block.by_gate, expert_at, by_gate)
        mean = fma(p, by_gate, mean)
        h = load(block.logits, expert_at)
        final = select_equal(h, top, p * f, final)
        top = select_equal(h, top, broadcast(math.inf), top)  # ties go to the lowest
    return mean, final


@inlined
def add_gate(axes, block, experts, norm, mean):
    """Add to the sums of the gradient by the gate."""
    # by h_i: pi_i (g_i - sum_j pi_j g_j), g the gradient by pi; by theta_i: times sum_l x_l
    x, sums = load3(block.amplitudes), experts.gate_sums
    for expert_at in range(0, experts.count * WIDTH, WIDTH):
        value = load(block.gates, expert_at) * norm * (load(block.by_gate, expert_at) - mean)
        add_product(sums, axes[0], x[0], value)
        add_product(sums, axes[1], x[1], value)
        add_product(sums, axes[2], x[2], value)
        sums = advance(sums, experts.coordinates * WIDTH)


@inlined
def take(rule, axes, block, experts):
    """Add what a block, or two, give to the sums of both gradients; fill F."""
    fill_ffn(axes, rule.cubic, experts)
    top = fill_logits(axes, block, experts)
    weighed = weigh(rule, block, experts, top)
    mean, final = serve(rule, axes, block, experts, top, weighed)
    store(block.final, 0, final)
    add_gate(axes, block, experts, weighed[0][0], mean)
