"""Products of small matrices, in tiles of four rows and eight or sixteen columns.

A call of BLAS on matrices of a few dozen rows and columns costs as much as its sums.
"""

import numba
import numpy as np

from motsim.vectors.addresses import advance, load, load_broadcast, store
from motsim.vectors.lanes import WIDTH, broadcast, fma, inlined, internal

__all__ = ["multiply", "padded"]

#: For functions with one caller: written into it before anything is compiled.
inlined_whole = numba.njit(error_model="numpy", inline="always")
TWICE = 2 * WIDTH


def padded(size: int) -> int:
    """Numbers in the whole groups of eight that hold `size`."""
    return -(-size // WIDTH) * WIDTH


@inlined
def multiply(a, across, along, b, out, rows, depth, columns, add):
    """out (rows, columns) becomes a b, or a b is added to it; columns are a multiple of eight.

    a (rows, depth) has its numbers `across` apart between rows and `along` between columns, so it
    may be a transpose; b (depth, columns) and out are contiguous. All three are addresses.
    """
    # as plain numbers: numba would compile the product anew for each constant
    in_tiles(a, np.int64(across), np.int64(along), b, out, rows, depth, columns, np.int64(add) > 0)


@internal
def in_tiles(a, across, along, b, out, rows, depth, columns, add):
    """The product, tile by tile; a rest of rows one by one."""
    tiled = rows - rows % 4
    paired = columns - columns % TWICE
    for j in range(0, paired, TWICE):
        for r in range(0, tiled, 4):
            four_rows_twice(
                advance(a, r * across), across, along, advance(b, j),
                advance(out, r * columns + j), depth, columns, add,
            )  # fmt: skip
        for r in range(tiled, rows):
            one_row_twice(
                advance(a, r * across), along, advance(b, j), advance(out, r * columns + j),
                depth, columns, add,
            )  # fmt: skip
    if paired < columns:
        for r in range(0, tiled, 4):
            four_rows(
                advance(a, r * across), across, along, advance(b, paired),
                advance(out, r * columns + paired), depth, columns, add,
            )  # fmt: skip
        for r in range(tiled, rows):
            one_row(
                advance(a, r * across), along, advance(b, paired),
                advance(out, r * columns + paired), depth, columns, add,
            )  # fmt: skip


@inlined
def before(out, offset, add):
    """What a sum of products starts from."""
    return load(out, offset) if add else broadcast(0.0)


@inlined
def four_rows_twice(a, across, along, b, out, depth, columns, add):
    """Four rows of sixteen columns."""
    second, third = 2 * across, 3 * across
    s0, t0 = before(out, 0, add), before(out, WIDTH, add)
    s1, t1 = before(out, columns, add), before(out, columns + WIDTH, add)
    s2, t2 = before(out, 2 * columns, add), before(out, 2 * columns + WIDTH, add)
    s3, t3 = before(out, 3 * columns, add), before(out, 3 * columns + WIDTH, add)
    for k in range(depth):
        x, y, place = load(b, k * columns), load(b, k * columns + WIDTH), k * along
        v = load_broadcast(a, place)
        s0, t0 = fma(v, x, s0), fma(v, y, t0)
        v = load_broadcast(a, place + across)
        s1, t1 = fma(v, x, s1), fma(v, y, t1)
        v = load_broadcast(a, place + second)
        s2, t2 = fma(v, x, s2), fma(v, y, t2)
        v = load_broadcast(a, place + third)
        s3, t3 = fma(v, x, s3), fma(v, y, t3)
    store(out, 0, s0)
    store(out, WIDTH, t0)
    store(out, columns, s1)
    store(out, columns + WIDTH, t1)
    store(out, 2 * columns, s2)
    store(out, 2 * columns + WIDTH, t2)
    store(out, 3 * columns, s3)
    store(out, 3 * columns + WIDTH, t3)


@inlined
def one_row_twice(a, along, b, out, depth, columns, add):
    """One row of sixteen columns."""
    s, t = before(out, 0, add), before(out, WIDTH, add)
    for k in range(depth):
        v = load_broadcast(a, k * along)
        s, t = fma(v, load(b, k * columns), s), fma(v, load(b, k * columns + WIDTH), t)
    store(out, 0, s)
    store(out, WIDTH, t)


@inlined
def four_rows(a, across, along, b, out, depth, columns, add):
    """Four rows of eight columns."""
    second, third = 2 * across, 3 * across
    s0, s1 = before(out, 0, add), before(out, columns, add)
    s2, s3 = before(out, 2 * columns, add), before(out, 3 * columns, add)
    for k in range(depth):
        x, place = load(b, k * columns), k * along
        s0, s1 = fma(load_broadcast(a, place), x, s0), fma(load_broadcast(a, place + across), x, s1)
        s2 = fma(load_broadcast(a, place + second), x, s2)
        s3 = fma(load_broadcast(a, place + third), x, s3)
    store(out, 0, s0)
    store(out, columns, s1)
    store(out, 2 * columns, s2)
    store(out, 3 * columns, s3)


@inlined
def one_row(a, along, b, out, depth, columns, add):
    """One row of eight columns."""
    s = before(out, 0, add)
    for k in range(depth):
        s = fma(load_broadcast(a, k * along), load(b, k * columns), s)
    store(out, 0, s)
