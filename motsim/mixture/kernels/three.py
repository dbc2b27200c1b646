"""The pass of `passes` written out for points of three signal tokens, attention trained.

This is the population without noise tokens, where most runs spend their time: all that an expert
does for eight points stays in registers. Same mathematics, same interface, one expert a group.
"""

from motsim.mixture.kernels.arguments import batch_addresses, buffer_addresses
from motsim.mixture.kernels.experts import add_product
from motsim.mixture.kernels.passes import passed_over
from motsim.mixture.kernels.phases import BACKWARD, BOTH, FORWARD
from motsim.mixture.kernels.routing import expected_coefficient
from motsim.mixture.kernels.tiles import totals
from motsim.vectors.addresses import (
    advance,
    load,
    load3,
    load_broadcast,
    load_scalar,
    pointer,
    store,
    store3,
)
from motsim.vectors.arithmetic import exp_nonpositive
from motsim.vectors.lanes import (
    WIDTH,
    broadcast,
    cached,
    fma,
    inlined,
    select_equal,
    select_greater,
    written_out,
)


@inlined
def dot3(p, t):
    """Sum of three products."""
    return fma(p[2], t[2], fma(p[1], t[1], p[0] * t[0]))


@inlined
def softmax3(a, b, c):
    """Softmax of three scores with two exponentials: that of the largest is 1."""
    one, larger = broadcast(1.0), select_greater(a, b, a, b)
    top = select_greater(larger, c, larger, c)
    first = exp_nonpositive(select_equal(a, top, b, a) - top)
    last = exp_nonpositive(select_equal(c, top, b, c) - top)
    p, r = select_equal(a, top, one, first), select_equal(c, top, one, last)
    q = select_equal(a, top, first, select_equal(c, top, last, one))
    norm = one / (p + q + r)
    return p * norm, q * norm, r * norm


@inlined
def query_probs(matrix, rows, axis, e):
    """Attention weights of one query over the three keys.

    `rows` are offsets of the keys' rows of A, `e` the products of two amplitudes.
    """
    a = e[0] * load_broadcast(matrix, rows[0] + axis)
    b = e[1] * load_broadcast(matrix, rows[1] + axis)
    c = e[2] * load_broadcast(matrix, rows[2] + axis)
    return softmax3(a, b, c)


@inlined
def amplitude_products(a):
    """Products of two amplitudes, a row for each query."""
    b, c, d = a[0] * a[1], a[0] * a[2], a[1] * a[2]
    return (a[0] * a[0], b, c), (b, a[1] * a[1], d), (c, d, a[2] * a[2])


@inlined
def activated(u, cubic):
    """phi(u) summed over the three tokens."""
    if cubic:
        return fma(u[2] * u[2], u[2], fma(u[1] * u[1], u[1], u[0] * u[0] * u[0]))
    return u[0] + u[1] + u[2]


@inlined
def slope_of(c, u, cubic):
    """c phi'(u)."""
    return broadcast(3.0) * c * u * u if cubic else c


@inlined
def add_scores(sums, rows, query, g, t, u):
    """Add S'[l, k] x_k x_l^T of one query to the sums of the gradient by A.

    `query` has its axis, its products of two amplitudes, and its attention weights p.
    g is the gradient by u = sum_k p_k t_k, so that by the score of key k is g p_k (t_k - u).
    """
    axis, e, p = query
    add_product(sums, rows[0] + axis, e[0], p[0] * g * (t[0] - u))
    add_product(sums, rows[1] + axis, e[1], p[1] * g * (t[1] - u))
    add_product(sums, rows[2] + axis, e[2], p[2] * g * (t[2] - u))


@written_out
def pass_expert(parameters, batch_ptrs, rule, buffer_ptrs, gradient, at_work):
    """What `pass_three` does for one expert.

    `at_work`: which, whether it keeps its weights from one phase to the next, and the phase.
    """
    expert, keeps, phase = at_work
    blocks, r, neurons, cubic = batch_ptrs.blocks, batch_ptrs.coordinates, rule.neurons, rule.cubic
    ffn = advance(pointer(parameters.ffn), expert * neurons * r)
    matrix = advance(pointer(parameters.attention), expert * r * r)
    trains_ffn = rule.trains_ffn
    attention_probs = advance(buffer_ptrs.attention_probs, expert * blocks * 9 * WIDTH)
    all_sums, sums = (
        advance(buffer_ptrs.ffn_sums, expert * neurons * r * WIDTH),
        buffer_ptrs.attention_sums,
    )
    zero = broadcast(0.0)
    for block in range(blocks):
        place = (expert * blocks + block) * WIDTH
        if passed_over(batch_ptrs, rule, buffer_ptrs, expert, 1, block):
            continue
        axes = advance(batch_ptrs.axes, block * 3)
        x0, x1, x2 = load_scalar(axes, 0), load_scalar(axes, 1), load_scalar(axes, 2)
        rows = (x0 * r, x1 * r, x2 * r)
        a = load3(advance(batch_ptrs.amplitudes, block * 3 * WIDTH))
        e0, e1, e2 = amplitude_products(a)
        kept = advance(attention_probs, block * 9 * WIDTH)
        if phase != BACKWARD or not keeps:
            p0 = query_probs(matrix, rows, x0, e0)
            p1 = query_probs(matrix, rows, x1, e1)
            p2 = query_probs(matrix, rows, x2, e2)
            if keeps and phase == FORWARD:
                store3(kept, p0)
                store3(advance(kept, 3 * WIDTH), p1)
                store3(advance(kept, 6 * WIDTH), p2)
        else:
            p0, p1 = load3(kept), load3(advance(kept, 3 * WIDTH))
            p2 = load3(advance(kept, 6 * WIDTH))
        t, u = (zero, zero, zero), (zero, zero, zero)
        if phase != BACKWARD:
            f = zero
            for j in range(neurons):
                w = advance(ffn, j * r)
                t = (
                    a[0] * load_broadcast(w, x0),
                    a[1] * load_broadcast(w, x1),
                    a[2] * load_broadcast(w, x2),
                )
                u = (dot3(p0, t), dot3(p1, t), dot3(p2, t))
                f = f + activated(u, cubic)
            store(buffer_ptrs.outputs, place, f)
        if phase == FORWARD:
            continue
        if phase == BOTH:
            c = expected_coefficient(batch_ptrs, rule.logistic, buffer_ptrs, place, block * WIDTH)
        else:
            c = load(buffer_ptrs.by_output, place)
        for j in range(neurons):
            if phase == BACKWARD or neurons > 1:
                w = advance(ffn, j * r)
                t = (
                    a[0] * load_broadcast(w, x0),
                    a[1] * load_broadcast(w, x1),
                    a[2] * load_broadcast(w, x2),
                )
                u = (dot3(p0, t), dot3(p1, t), dot3(p2, t))
            g0, g1, g2 = (
                slope_of(c, u[0], cubic),
                slope_of(c, u[1], cubic),
                slope_of(c, u[2], cubic),
            )
            add_scores(sums, rows, (x0, e0, p0), g0, t, u[0])
            add_scores(sums, rows, (x1, e1, p1), g1, t, u[1])
            add_scores(sums, rows, (x2, e2, p2), g2, t, u[2])
            if trains_ffn:
                own = advance(all_sums, j * r * WIDTH)
                g = fma(p2[0], g2, fma(p1[0], g1, p0[0] * g0))
                add_product(own, x0, a[0], g)
                g = fma(p2[1], g2, fma(p1[1], g1, p0[1] * g0))
                add_product(own, x1, a[1], g)
                g = fma(p2[2], g2, fma(p1[2], g1, p0[2] * g0))
                add_product(own, x2, a[2], g)
    if phase != FORWARD:
        if trains_ffn:
            totals(all_sums, neurons * r, advance(pointer(gradient.ffn), expert * neurons * r))
        totals(sums, r * r, advance(pointer(gradient.attention), expert * r * r))


@cached
def pass_three(parameters, batch, rule, buffers, gradient, phase, dense):
    """Outputs, and gradients unless FORWARD, of all experts; see `passes.pass_groups`."""
    batch_ptrs, buffer_ptrs = batch_addresses(batch), buffer_addresses(buffers, dense)
    keeps = buffers.attention_probs.shape[0] > 0
    for expert in range(buffers.outputs.shape[0]):
        pass_expert(parameters, batch_ptrs, rule, buffer_ptrs, gradient, (expert, keeps, phase))
