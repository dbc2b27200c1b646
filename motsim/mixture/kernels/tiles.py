"""Products of tokens in tiles that stay in registers, on blocks of eight points; of all by BLAS.

Blocks are (r, K, 8): r coordinates of K tokens; `step` = 8 K numbers lie between two coordinates.
"""

import numba
import numpy as np

from motsim.vectors.addresses import advance, load, load_broadcast, store, store_scalar
from motsim.vectors.lanes import WIDTH, broadcast, fma, inlined, internal, reduce_add


@numba.njit(error_model="numpy", _nrt=True, no_cpython_wrapper=True, no_cfunc_wrapper=True)
def multiply_all(left, right, out):
    """Product of two matrices, by BLAS; numba's needs reference counts, as it returns `out`."""
    np.dot(left, right, out)


@inlined
def load_four(ptr, apart):
    """Four times eight numbers."""
    return load(ptr, 0), load(ptr, apart), load(ptr, 2 * apart), load(ptr, 3 * apart)


@inlined
def store_four(ptr, apart, values):
    """Write four times eight numbers."""
    store(ptr, 0, values[0])
    store(ptr, apart, values[1])
    store(ptr, 2 * apart, values[2])
    store(ptr, 3 * apart, values[3])


@inlined
def dot_tokens(token, step, coordinates, matrix, stride):
    """Sum over a of token[a] * matrix[a], `step` and `stride` numbers apart."""
    value = broadcast(0.0)
    for a in range(coordinates):
        value = fma(load(token, a * step), load_broadcast(matrix, a * stride), value)
    return value


@inlined
def dot_moved(token, step, coordinates, moved):
    """Sum over a of token[a] * moved[a], both `step` numbers apart."""
    value = broadcast(0.0)
    for a in range(coordinates):
        value = fma(load(token, a * step), load(moved, a * step), value)
    return value


@inlined
def move_four(rows, coordinates, token, step, out):
    """Four rows of A times one token; `out` and `token` are `step` numbers apart."""
    v0, v1, v2, v3 = broadcast(0.0), broadcast(0.0), broadcast(0.0), broadcast(0.0)
    for c in range(coordinates):
        x, row = load(token, c * step), advance(rows, c)
        v0 = fma(load_broadcast(row, 0), x, v0)
        v1 = fma(load_broadcast(row, coordinates), x, v1)
        v2 = fma(load_broadcast(row, 2 * coordinates), x, v2)
        v3 = fma(load_broadcast(row, 3 * coordinates), x, v3)
    store_four(out, step, (v0, v1, v2, v3))


@inlined
def move_four_by_two(rows, coordinates, token, step, out):
    """Four rows of A times two neighboring tokens."""
    v0, v1, v2, v3 = broadcast(0.0), broadcast(0.0), broadcast(0.0), broadcast(0.0)
    w0, w1, w2, w3 = broadcast(0.0), broadcast(0.0), broadcast(0.0), broadcast(0.0)
    for c in range(coordinates):
        x, y, row = load(token, c * step), load(token, c * step + WIDTH), advance(rows, c)
        a = load_broadcast(row, 0)
        v0, w0 = fma(a, x, v0), fma(a, y, w0)
        a = load_broadcast(row, coordinates)
        v1, w1 = fma(a, x, v1), fma(a, y, w1)
        a = load_broadcast(row, 2 * coordinates)
        v2, w2 = fma(a, x, v2), fma(a, y, w2)
        a = load_broadcast(row, 3 * coordinates)
        v3, w3 = fma(a, x, v3), fma(a, y, w3)
    store_four(out, step, (v0, v1, v2, v3))
    store_four(advance(out, WIDTH), step, (w0, w1, w2, w3))


@internal
def move_tokens(matrix, rows, tokens, others, coordinates, out):
    """Products (rows, K, 8) of a matrix (rows, r) and the other tokens (r, K, 8) of a block.

    In tiles of four rows and two tokens.
    """
    step = others * WIDTH
    tiled, pairs = rows - rows % 4, step - step % (2 * WIDTH)
    for a in range(0, tiled, 4):
        row, row_out = advance(matrix, a * coordinates), advance(out, a * step)
        for k in range(0, pairs, 2 * WIDTH):
            move_four_by_two(row, coordinates, advance(tokens, k), step, advance(row_out, k))
        for k in range(pairs, step, WIDTH):
            move_four(row, coordinates, advance(tokens, k), step, advance(row_out, k))
    for a in range(tiled, rows):
        row = advance(matrix, a * coordinates)
        for k in range(0, step, WIDTH):
            value = dot_tokens(advance(tokens, k), step, coordinates, row, 1)
            store(out, a * step + k, value)


@inlined
def add_to(ptr, offset, value):
    """Add eight numbers."""
    store(ptr, offset, load(ptr, offset) + value)


@inlined
def weighted_tokens(tokens, others, scores):
    """Sum over the other tokens, one coordinate of them, weighted by `scores` (K, 8)."""
    value = broadcast(0.0)
    for key in range(0, others * WIDTH, WIDTH):
        value = fma(load(tokens, key), load(scores, key), value)
    return value


@inlined
def add_four(left, right, count, steps, out):
    """Add products of four rows of `left` and one of `right` over `count` blocks to `out`.

    `steps` are the numbers from one block to the next on either side, from one row to the next,
    and from one row of `out` to the next.
    """
    spans, step, next_row = steps
    v0, v1, v2, v3 = load_four(out, next_row)
    for _ in range(count):
        for k in range(0, step, WIDTH):
            x = load(right, k)
            v0 = fma(load(left, k), x, v0)
            v1 = fma(load(left, step + k), x, v1)
            v2 = fma(load(left, 2 * step + k), x, v2)
            v3 = fma(load(left, 3 * step + k), x, v3)
        left, right = advance(left, spans[0]), advance(right, spans[1])
    store_four(out, next_row, (v0, v1, v2, v3))


@inlined
def add_four_by_four(left, right, count, steps, out):
    """The same with four rows of `right`: sixteen sums in registers."""
    spans, step, next_row = steps
    v0, v1, v2, v3 = load_four(out, WIDTH)
    w0, w1, w2, w3 = load_four(advance(out, next_row), WIDTH)
    x0, x1, x2, x3 = load_four(advance(out, 2 * next_row), WIDTH)
    y0, y1, y2, y3 = load_four(advance(out, 3 * next_row), WIDTH)
    for _ in range(count):
        for k in range(0, step, WIDTH):
            a, b, c, d = load_four(advance(right, k), step)
            m = load(left, k)
            v0, v1, v2, v3 = fma(m, a, v0), fma(m, b, v1), fma(m, c, v2), fma(m, d, v3)
            m = load(left, step + k)
            w0, w1, w2, w3 = fma(m, a, w0), fma(m, b, w1), fma(m, c, w2), fma(m, d, w3)
            m = load(left, 2 * step + k)
            x0, x1, x2, x3 = fma(m, a, x0), fma(m, b, x1), fma(m, c, x2), fma(m, d, x3)
            m = load(left, 3 * step + k)
            y0, y1, y2, y3 = fma(m, a, y0), fma(m, b, y1), fma(m, c, y2), fma(m, d, y3)
        left, right = advance(left, spans[0]), advance(right, spans[1])
    store_four(out, WIDTH, (v0, v1, v2, v3))
    store_four(advance(out, next_row), WIDTH, (w0, w1, w2, w3))
    store_four(advance(out, 2 * next_row), WIDTH, (x0, x1, x2, x3))
    store_four(advance(out, 3 * next_row), WIDTH, (y0, y1, y2, y3))


@internal
def add_moved(moved, tokens, count, sizes, sums):
    """Add sum of moved[a] x[c] over the other tokens of `count` blocks to `sums` (rows, r, 8).

    `moved` is (count, rows, K, 8), `tokens` (count, r, K, 8); `sizes` are rows, K, r.
    """
    rows, others, coordinates = sizes
    step, next_row = others * WIDTH, coordinates * WIDTH
    spans = rows * step, coordinates * step
    steps = spans, step, next_row
    tiled, columns = rows - rows % 4, coordinates - coordinates % 4
    for a in range(0, tiled, 4):
        left, out = advance(moved, a * step), advance(sums, a * next_row)
        for c in range(0, columns, 4):
            right, own_sums = advance(tokens, c * step), advance(out, c * WIDTH)
            add_four_by_four(left, right, count, steps, own_sums)
        for c in range(columns, coordinates):
            right, own_sums = advance(tokens, c * step), advance(out, c * WIDTH)
            add_four(left, right, count, steps, own_sums)
    for a in range(tiled, rows):
        for c in range(coordinates):
            value = broadcast(0.0)
            for i in range(count):
                left = advance(moved, i * spans[0] + a * step)
                right = advance(tokens, i * spans[1] + c * step)
                for k in range(0, step, WIDTH):
                    value = fma(load(left, k), load(right, k), value)
            add_to(sums, a * next_row + c * WIDTH, value)


@inlined
def totals(sums, size, out):
    """Sum eight numbers each of `sums` (size, 8) into `out` (size,), and clear them."""
    for a in range(size):
        store_scalar(out, a, reduce_add(load(sums, a * WIDTH)))
        store(sums, a * WIDTH, broadcast(0.0))
