"""Feed-forward experts after the attention, on one block of eight points.

f_i = sum_l sum_j phi(u_ijl), u_l = sum_k P[l, k] t_k, t_k = w . x_k; phi is u^3 if cubic, else u.
The three signal tokens are written out, the others are loops.
"""

from motsim.vectors.addresses import advance, load, load_broadcast, load_scalar, store, two
from motsim.vectors.lanes import WIDTH, broadcast, fma, inlined, sum_fma

FIRST, SECOND, THIRD = 0, WIDTH, 2 * WIDTH


@inlined
def signal_products(weight, axes, amplitudes):
    """t of the three signal tokens of one neuron, `weight` (r,)."""
    return (
        load(amplitudes, FIRST) * load_broadcast(weight, load_scalar(axes, 0)),
        load(amplitudes, SECOND) * load_broadcast(weight, load_scalar(axes, 1)),
        load(amplitudes, THIRD) * load_broadcast(weight, load_scalar(axes, 2)),
    )


@inlined
def other_products(weight, tokens, others, coordinates, out):
    """t (K, 8) of the other tokens of one neuron, four at a time."""
    step = others * WIDTH
    tiled = step - step % (4 * WIDTH)
    for k in range(0, tiled, 4 * WIDTH):
        v0, v1, v2, v3 = broadcast(0.0), broadcast(0.0), broadcast(0.0), broadcast(0.0)
        for a in range(coordinates):
            w, x = load_broadcast(weight, a), advance(tokens, a * step + k)
            v0 = fma(load(x, 0), w, v0)
            v1 = fma(load(x, WIDTH), w, v1)
            v2 = fma(load(x, 2 * WIDTH), w, v2)
            v3 = fma(load(x, 3 * WIDTH), w, v3)
        store(out, k, v0)
        store(out, k + WIDTH, v1)
        store(out, k + 2 * WIDTH, v2)
        store(out, k + 3 * WIDTH, v3)
    for k in range(tiled, step, WIDTH):
        v0 = broadcast(0.0)
        for a in range(coordinates):
            v0 = fma(load(tokens, a * step + k), load_broadcast(weight, a), v0)
        store(out, k, v0)


@inlined
def neuron_output(batch_ptrs, attention_probs, queries, cubic, t_ptrs, mixed):
    """Sum over l of phi(u_l), from t of the signal tokens and of the others; keeps u (Q, 8)."""
    t, others = t_ptrs
    length = batch_ptrs.signals + batch_ptrs.others
    f = broadcast(0.0)
    if batch_ptrs.signals > 0:
        t0, t1, t2 = load(t, FIRST), load(t, SECOND), load(t, THIRD)
    else:
        t0, t1, t2 = broadcast(0.0), broadcast(0.0), broadcast(0.0)
    for query in range(queries):
        p = advance(attention_probs, query * length * WIDTH)
        u = broadcast(0.0)
        if batch_ptrs.signals > 0:
            u = load(p, FIRST) * t0
            u = fma(load(p, SECOND), t1, u)
            u = fma(load(p, THIRD), t2, u)
            p = advance(p, 3 * WIDTH)
        for k in range(0, batch_ptrs.others * WIDTH, WIDTH):
            u = fma(load(p, k), load(others, k), u)
        store(mixed, query * WIDTH, u)
        f = fma(u * u, u, f) if cubic else f + u
    return f


@inlined
def plain_output(count, cubic, sign, t):
    """Sum over `count` tokens of phi(t), where there is no attention; the first times `sign`."""
    f = broadcast(0.0)
    for at in range(0, count * WIDTH, WIDTH):
        u = load(t, at)
        if at == 0:
            u = u * sign
        f = fma(u * u, u, f) if cubic else f + u
    return f


@inlined
def activation_gradient(first, coefficient, mixed, count, cubic):
    """Overwrite u (count, 8) by the gradient c phi'(u); c of the first token is its own."""
    for at in range(0, count * WIDTH, WIDTH):
        c = first if at == 0 else coefficient
        if cubic:
            u = load(mixed, at)
            c = c * broadcast(3.0) * u * u
        store(mixed, at, c)


@inlined
def unmix(batch_ptrs, attention_probs, queries, mixed, by_product, others):
    """Gradient by t from the gradient by u, the transpose of mixing."""
    # by t_k: sum_l P[l, k] g_l, g_l the gradient by u_l
    span = (batch_ptrs.signals + batch_ptrs.others) * WIDTH
    if batch_ptrs.signals > 0:
        g0, g1, g2 = broadcast(0.0), broadcast(0.0), broadcast(0.0)
        for query in range(queries):
            p, g = advance(attention_probs, query * span), load(mixed, query * WIDTH)
            g0 = fma(load(p, FIRST), g, g0)
            g1 = fma(load(p, SECOND), g, g1)
            g2 = fma(load(p, THIRD), g, g2)
        store(by_product, FIRST, g0)
        store(by_product, SECOND, g1)
        store(by_product, THIRD, g2)
    for k in range(0, batch_ptrs.others * WIDTH, WIDTH):
        column = advance(attention_probs, batch_ptrs.signals * WIDTH + k)
        value = broadcast(0.0)
        for query in range(queries):
            value = fma(load(column, query * span), load(mixed, query * WIDTH), value)
        store(others, k, value)


@inlined
def add_product(sums, axis, amplitude, slope):
    """Add amplitude * slope to the sums of one coordinate."""
    sum_at = axis * WIDTH
    store(sums, sum_at, sum_fma(amplitude, slope, load(sums, sum_at)))


@inlined
def add_signal_gradient(by_product, axes, amplitudes, sums):
    """Add sum_k t'_k x_k over the signal tokens of a block to `sums` (r, 8)."""
    add_product(sums, load_scalar(axes, 0), load(amplitudes, FIRST), load(by_product, FIRST))
    add_product(sums, load_scalar(axes, 1), load(amplitudes, SECOND), load(by_product, SECOND))
    add_product(sums, load_scalar(axes, 2), load(amplitudes, THIRD), load(by_product, THIRD))


@inlined
def add_other_gradient(slopes, tokens, others, coordinates, sums):
    """The same over the other tokens, four, two and one at a time."""
    step, k = others * WIDTH, 0
    while k + 4 * WIDTH <= step:
        slope = two(advance(slopes, k), WIDTH)
        g, h = load(slope, 0), load(slope, 2 * WIDTH)
        for a in range(coordinates):
            x = two(advance(tokens, a * step + k), WIDTH)
            value = sum_fma(load(x, 0), g, load(sums, a * WIDTH))
            store(sums, a * WIDTH, sum_fma(load(x, 2 * WIDTH), h, value))
        k += 4 * WIDTH
    if k + 2 * WIDTH <= step:
        g = load(two(advance(slopes, k), WIDTH), 0)
        for a in range(coordinates):
            add_product(sums, a, load(two(advance(tokens, a * step + k), WIDTH), 0), g)
        k += 2 * WIDTH
    if k < step:
        g = load(slopes, k)
        for a in range(coordinates):
            add_product(sums, a, load(tokens, a * step + k), g)
