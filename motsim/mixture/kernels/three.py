"""The pass of `passes` written out for points of three signal tokens, attention trained.

This is the population without noise tokens, where most runs spend their time: all that an expert
does for eight points stays in registers. Same mathematics, same interface, one expert a group.
"""

from typing import Any, NamedTuple

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


class Signals(NamedTuple):
    """The three tokens of a block: token k is a_k times coordinate x_k."""

    axes: Any  # x_k
    rows: Any  # r x_k: offsets of rows of A
    amplitudes: Any  # a_k, (8,) each
    products: Any  # a_l a_k, (8,) each: queries, keys


class Expert(NamedTuple):
    """Addresses of one expert's parameters, and of sums over points of their gradients."""

    ffn: Any  # (J, r)
    attention: Any  # (r, r): A
    ffn_sums: Any  # (J, r, 8)
    attention_sums: Any  # (r, r, 8)
    coordinates: int  # r


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


@inlined
def signals_of(batch_ptrs, block):
    """`Signals` of a block."""
    axes, r = advance(batch_ptrs.axes, block * 3), batch_ptrs.coordinates
    x0, x1, x2 = load_scalar(axes, 0), load_scalar(axes, 1), load_scalar(axes, 2)
    a = load3(advance(batch_ptrs.amplitudes, block * 3 * WIDTH))
    return Signals((x0, x1, x2), (x0 * r, x1 * r, x2 * r), a, amplitude_products(a))


@inlined
def attention_probs_of(matrix, signals):
    """Attention weights, a row for each query."""
    # S[l, k] = x_k . A x_l = a_l a_k A[x_k, x_l], P[l, :] = softmax over k of S[l, :]
    axes, rows, e = signals.axes, signals.rows, signals.products
    return (
        query_probs(matrix, rows, axes[0], e[0]),
        query_probs(matrix, rows, axes[1], e[1]),
        query_probs(matrix, rows, axes[2], e[2]),
    )


@inlined
def neuron_inputs(weight, signals, p):
    """t and u of one neuron, `weight` (r,)."""
    # t_k = w . x_k = a_k w[x_k], u_l = sum_k P[l, k] t_k
    axes, a = signals.axes, signals.amplitudes
    t = (
        a[0] * load_broadcast(weight, axes[0]),
        a[1] * load_broadcast(weight, axes[1]),
        a[2] * load_broadcast(weight, axes[2]),
    )
    return t, (dot3(p[0], t), dot3(p[1], t), dot3(p[2], t))


@inlined
def forward(expert, signals, p, rule):
    """Output f of an expert for a block, and t and u of its last neuron."""
    # f = sum_j sum_l phi(u_jl)
    f = broadcast(0.0)
    t, u = (f, f, f), (f, f, f)
    for j in range(rule.neurons):
        t, u = neuron_inputs(advance(expert.ffn, j * expert.coordinates), signals, p)
        f = f + activated(u, rule.cubic)
    return f, t, u


@inlined
def backward(slope, expert, signals, p, known, rule):
    """Add an expert's gradients from a block to its sums; `slope` is that of the loss by f.

    `known`: t and u, and whether they are those of the only neuron.
    """
    t, u, of_this = known
    axes, rows, e = signals.axes, signals.rows, signals.products
    for j in range(rule.neurons):
        if not of_this:
            t, u = neuron_inputs(advance(expert.ffn, j * expert.coordinates), signals, p)
        # g_l = slope phi'(u_l); by S[l, k]: g_l P[l, k] (t_k - u_l)
        g0 = slope_of(slope, u[0], rule.cubic)
        g1 = slope_of(slope, u[1], rule.cubic)
        g2 = slope_of(slope, u[2], rule.cubic)
        sums = expert.attention_sums
        add_scores(sums, rows, (axes[0], e[0], p[0]), g0, t, u[0])
        add_scores(sums, rows, (axes[1], e[1], p[1]), g1, t, u[1])
        add_scores(sums, rows, (axes[2], e[2], p[2]), g2, t, u[2])
        if rule.trains_ffn:
            # by t_k: sum_l P[l, k] g_l; by w: sum_k of that times x_k
            own = advance(expert.ffn_sums, j * expert.coordinates * WIDTH)
            a = signals.amplitudes
            g = fma(p[2][0], g2, fma(p[1][0], g1, p[0][0] * g0))
            add_product(own, axes[0], a[0], g)
            g = fma(p[2][1], g2, fma(p[1][1], g1, p[0][1] * g0))
            add_product(own, axes[1], a[1], g)
            g = fma(p[2][2], g2, fma(p[1][2], g1, p[0][2] * g0))
            add_product(own, axes[2], a[2], g)


@inlined
def store_rows(kept, p):
    """Keep attention weights (3, 3, 8)."""
    store3(kept, p[0])
    store3(advance(kept, 3 * WIDTH), p[1])
    store3(advance(kept, 6 * WIDTH), p[2])


@inlined
def load_rows(kept):
    """Attention weights that were kept."""
    return load3(kept), load3(advance(kept, 3 * WIDTH)), load3(advance(kept, 6 * WIDTH))


@written_out
def pass_expert(parameters, batch_ptrs, rule, buffer_ptrs, gradient, at_work):
    """What `pass_three` does for one expert.

    `at_work`: which, whether it keeps its weights from one phase to the next, and the phase.
    """
    i_expert, keeps, phase = at_work
    blocks, r, neurons = batch_ptrs.blocks, batch_ptrs.coordinates, rule.neurons
    expert = Expert(
        advance(pointer(parameters.ffn), i_expert * neurons * r),
        advance(pointer(parameters.attention), i_expert * r * r),
        advance(buffer_ptrs.ffn_sums, i_expert * neurons * r * WIDTH),
        buffer_ptrs.attention_sums, r,
    )  # fmt: skip
    attention_probs = advance(buffer_ptrs.attention_probs, i_expert * blocks * 9 * WIDTH)
    zero, of_this = broadcast(0.0), phase == BOTH and neurons == 1
    for block in range(blocks):
        if passed_over(batch_ptrs, rule, buffer_ptrs, i_expert, 1, block):
            continue
        output_at, signals = (i_expert * blocks + block) * WIDTH, signals_of(batch_ptrs, block)
        kept = advance(attention_probs, block * 9 * WIDTH)
        if phase == BACKWARD and keeps:
            p = load_rows(kept)
        else:
            p = attention_probs_of(expert.attention, signals)
            if keeps and phase == FORWARD:
                store_rows(kept, p)
        t, u = (zero, zero, zero), (zero, zero, zero)
        if phase != BACKWARD:
            f, t, u = forward(expert, signals, p, rule)
            store(buffer_ptrs.outputs, output_at, f)
        if phase == FORWARD:
            continue
        if phase == BOTH:
            slope = expected_coefficient(
                batch_ptrs, rule.logistic, buffer_ptrs, output_at, block * WIDTH
            )
        else:
            slope = load(buffer_ptrs.by_output, output_at)
        backward(slope, expert, signals, p, (t, u, of_this), rule)
    if phase != FORWARD:
        if rule.trains_ffn:
            out = advance(pointer(gradient.ffn), i_expert * neurons * r)
            totals(expert.ffn_sums, neurons * r, out)
        out = advance(pointer(gradient.attention), i_expert * r * r)
        totals(expert.attention_sums, r * r, out)


@cached
def pass_three(parameters, batch, rule, buffers, gradient, mode):
    """Outputs, and gradients unless FORWARD, of all experts; see `passes.pass_groups`."""
    batch_ptrs, buffer_ptrs = batch_addresses(batch), buffer_addresses(buffers, mode.dense)
    keeps = buffers.attention_probs.shape[0] > 0
    for i_expert in range(buffers.outputs.shape[0]):
        at_work = i_expert, keeps, mode.phase
        pass_expert(parameters, batch_ptrs, rule, buffer_ptrs, gradient, at_work)
