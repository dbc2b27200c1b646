"""The pass over points of three signal tokens where attention is frozen.

With frozen weights P, z_l = (P[l, k] a_k)_k and w on the three axes of a block, an expert
f = sum_l (z_l . w)^3 is a cubic form w . D, D = sum_l z_l (z_l . w)^2, and its gradient is 3 D. The
ten numbers sum_l z_la z_lb z_lc depend on the point alone and are computed once a stage. Linear
experts need D = sum_l z_l only, which is their gradient (docs/theory.md §3).
"""

from typing import Any, NamedTuple

from motsim.mixture.kernels.arguments import batch_addresses, buffer_addresses
from motsim.mixture.kernels.experts import add_product
from motsim.mixture.kernels.passes import passed_over
from motsim.mixture.kernels.phases import BACKWARD, BOTH, FORWARD
from motsim.mixture.kernels.routing import expected_coefficient
from motsim.mixture.kernels.three import amplitude_products, dot3, query_probs
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
from motsim.vectors.lanes import WIDTH, broadcast, cached, fma, inlined, internal


@internal
def block_moments(matrix, mixed, cubic, batch_ptrs, block, out):
    """Moments of z (10 or 3, 8) of one block; `matrix` (r, r) is A, if there is attention.

    Of cubic experts those of order three, 000 001 002 011 012 022 111 112 122 222; of linear ones
    the sums.
    """
    r, axes = batch_ptrs.coordinates, advance(batch_ptrs.axes, block * 3)
    x0, x1, x2 = load_scalar(axes, 0), load_scalar(axes, 1), load_scalar(axes, 2)
    a = load3(advance(batch_ptrs.amplitudes, block * 3 * WIDTH))
    if mixed:
        e, rows = amplitude_products(a), (x0 * r, x1 * r, x2 * r)
        # z_la = P[l, a] times the amplitude of token a
        p = query_probs(matrix, rows, x0, e[0])
        q = query_probs(matrix, rows, x1, e[1])
        s = query_probs(matrix, rows, x2, e[2])
        x = (p[0] * a[0], q[0] * a[0], s[0] * a[0])  # z of the three queries, by axes
        y = (p[1] * a[1], q[1] * a[1], s[1] * a[1])
        z = (p[2] * a[2], q[2] * a[2], s[2] * a[2])
    else:
        zero = broadcast(0.0)
        x, y, z = (a[0], zero, zero), (zero, a[1], zero), (zero, zero, a[2])
    if not cubic:
        store3(out, (x[0] + x[1] + x[2], y[0] + y[1] + y[2], z[0] + z[1] + z[2]))
        return
    # m_abc = sum_l z_la z_lb z_lc
    xx, xy, yy, zz = products(x, x), products(x, y), products(y, y), products(z, z)
    store3(out, (dot3(xx, x), dot3(xx, y), dot3(xx, z)))
    store3(advance(out, 3 * WIDTH), (dot3(yy, x), dot3(xy, z), dot3(zz, x)))
    store3(advance(out, 6 * WIDTH), (dot3(yy, y), dot3(yy, z), dot3(zz, y)))
    store(out, 9 * WIDTH, dot3(zz, z))


@inlined
def products(a, b):
    """Of triples, one by one."""
    return a[0] * b[0], a[1] * b[1], a[2] * b[2]


@inlined
def products_of_two(w):
    """Products of two weights: squares, and twice 01, 02, 12."""
    a, b = w[0] + w[0], w[1] + w[1]
    return (w[0] * w[0], w[1] * w[1], w[2] * w[2]), (a * w[1], a * w[2], b * w[2])


@inlined
def cubic_form(moments, squares, mixed):
    """D of cubic experts from the products of two weights."""
    m001, m002 = load(moments, WIDTH), load(moments, 2 * WIDTH)
    m011, m012, m022 = load3(advance(moments, 3 * WIDTH))
    m111, m112, m122 = load3(advance(moments, 6 * WIDTH))
    (q00, q11, q22), (q01, q02, q12) = squares, mixed
    # D_a = sum_bc m_abc w_b w_c, m_abc = sum_l z_la z_lb z_lc
    a = fma(m001, q01, load(moments, 0) * q00)
    b = fma(m011, q01, m001 * q00)
    c = fma(m012, q01, m002 * q00)
    a, b, c = fma(m002, q02, a), fma(m012, q02, b), fma(m022, q02, c)
    a, b, c = fma(m011, q11, a), fma(m111, q11, b), fma(m112, q11, c)
    a, b, c = fma(m012, q12, a), fma(m112, q12, b), fma(m122, q12, c)
    return fma(m022, q22, a), fma(m122, q22, b), fma(load(moments, 9 * WIDTH), q22, c)


@inlined
def contracted(moments, w, cubic):
    """D: f = w . D; the gradient of f is 3 D if cubic, else D."""
    if not cubic:
        return load3(moments)
    squares, mixed = products_of_two(w)
    return cubic_form(moments, squares, mixed)


class Expert(NamedTuple):
    """Addresses of one expert, of its moments of a block, and of sums over points."""

    ffn: Any  # (J, r)
    moments: Any  # (10 or 3, 8)
    sums: Any  # (J, r, 8) of the gradient by the weights
    coordinates: int  # r


@inlined
def neuron_form(expert, j, axes, cubic):
    """w of one neuron on the axes of a block, and D."""
    row = advance(expert.ffn, j * expert.coordinates)
    w = load_broadcast(row, axes[0]), load_broadcast(row, axes[1]), load_broadcast(row, axes[2])
    return w, contracted(expert.moments, w, cubic)


@inlined
def forward(expert, axes, rule):
    """Output f of an expert for a block, and D of its last neuron."""
    # f = sum_j w_j . D_j
    f = broadcast(0.0)
    d = (f, f, f)
    for j in range(rule.neurons):
        w, d = neuron_form(expert, j, axes, rule.cubic)
        f = f + dot3(w, d)
    return f, d


@inlined
def backward(slope, expert, axes, known, rule):
    """Add an expert's gradient from a block to its sums.

    `slope` is the gradient of the loss by f, three times it if cubic. `known`: D, and whether it is
    that of the only neuron.
    """
    # by w_j, f has the gradient 3 D_j if cubic, D_j if linear
    d, of_this = known
    for j in range(rule.neurons):
        if not of_this:
            _, d = neuron_form(expert, j, axes, rule.cubic)
        sums = advance(expert.sums, j * expert.coordinates * WIDTH)
        add_product(sums, axes[0], slope, d[0])
        add_product(sums, axes[1], slope, d[1])
        add_product(sums, axes[2], slope, d[2])


@cached
def pass_frozen(parameters, batch, rule, buffers, gradient, mode):
    """Outputs, and gradients unless FORWARD, of all experts; see `passes.pass_groups`."""
    batch_ptrs, buffer_ptrs = batch_addresses(batch), buffer_addresses(buffers, mode.dense)
    phase, neurons, cubic = mode.phase, rule.neurons, rule.cubic
    blocks, r = batch_ptrs.blocks, batch_ptrs.coordinates
    experts, sets = buffers.outputs.shape[0], buffers.moments.shape[1]
    anew = buffers.moments.shape[:2] == (1, 1)
    trains = phase != FORWARD and rule.trains_ffn
    matrix, own = pointer(parameters.attention), parameters.attention.shape[0] > 1
    size, zero = buffer_ptrs.terms * WIDTH, broadcast(0.0)
    factor, of_this = broadcast(3.0 if cubic else 1.0), phase == BOTH and neurons == 1
    for block in range(blocks):
        axes_ptr = advance(batch_ptrs.axes, block * 3)
        axes = load_scalar(axes_ptr, 0), load_scalar(axes_ptr, 1), load_scalar(axes_ptr, 2)
        kept = advance(
            buffer_ptrs.moments, 0 if anew else (buffer_ptrs.first + block) * sets * size
        )
        for i in range(experts):
            if passed_over(batch_ptrs, rule, buffer_ptrs, i, 1, block):
                continue
            if anew:
                block_moments(
                    advance(matrix, i * r * r if own else 0), rule.mixed, cubic, batch_ptrs, block,
                    kept,
                )  # fmt: skip
            output_at = (i * blocks + block) * WIDTH
            expert = Expert(
                advance(pointer(parameters.ffn), i * neurons * r),
                advance(kept, i * size if sets > 1 else 0),
                advance(buffer_ptrs.ffn_sums, i * neurons * r * WIDTH),
                r,
            )
            d = (zero, zero, zero)
            if phase != BACKWARD:
                f, d = forward(expert, axes, rule)
                store(buffer_ptrs.outputs, output_at, f)
            if phase == FORWARD:
                continue
            if phase == BOTH:  # it writes the gradient by pi as well
                slope = expected_coefficient(
                    batch_ptrs, rule.logistic, buffer_ptrs, output_at, block * WIDTH
                )
            else:
                slope = load(buffer_ptrs.by_output, output_at)
            if trains:
                backward(slope * factor, expert, axes, (d, of_this), rule)
    if trains and buffer_ptrs.ends:
        totals(buffer_ptrs.ffn_sums, experts * neurons * r, pointer(gradient.ffn))


@cached
def refresh_moments(parameters, batch, rule, moments):
    """Fill the moments (B / 8, M or 1, 10 or 3, 8) of frozen attention."""
    batch_ptrs = batch_addresses(batch)
    blocks, sets, terms, _ = moments.shape
    r, out = batch_ptrs.coordinates, pointer(moments)
    for block in range(blocks):
        for i in range(sets):
            matrix = advance(pointer(parameters.attention), i * r * r if sets > 1 else 0)
            block_moments(matrix, rule.mixed, rule.cubic, batch_ptrs, block, out)
            out = advance(out, terms * WIDTH)
