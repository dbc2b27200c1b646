"""Products of small matrices, in tiles of four rows and eight or sixteen columns.

A call of BLAS on matrices of a few dozen rows and columns costs as much as its sums.
"""

from typing import Any, NamedTuple

import numba
import numpy as np

from motsim.vectors.addresses import advance, load, load_broadcast, store
from motsim.vectors.lanes import WIDTH, broadcast, fma, inlined, internal

__all__ = ["Left", "Sizes", "multiply", "padded", "rows_of", "transpose_of"]

#: For functions with one caller: written into it before anything is compiled.
inlined_whole = numba.njit(error_model="numpy", inline="always")
TWICE = 2 * WIDTH


class Left(NamedTuple):
    """The left matrix of a product, which may be a transpose."""

    ptr: Any
    across: int  # numbers from one row to the next
    along: int  # numbers from one column to the next


class Sizes(NamedTuple):
    """Of a product: (rows, depth) times (depth, columns)."""

    rows: int
    depth: int
    columns: int  # a multiple of eight


def padded(size: int) -> int:
    """Numbers in the whole groups of eight that hold `size`."""
    return -(-size // WIDTH) * WIDTH


@inlined
def rows_of(ptr, width):
    """A matrix as it is, its rows `width` numbers apart."""
    return Left(ptr, width, 1)


@inlined
def transpose_of(ptr, width):
    """The transpose of a matrix whose rows are `width` numbers apart."""
    return Left(ptr, 1, width)


@inlined
def multiply(left, right, out, sizes, add):
    """out (rows, columns) becomes left @ right, or that is added to it.

    right (depth, columns) and out are contiguous, and addresses.
    """
    # as a plain number: numba would compile the product anew for each constant
    in_tiles(left, right, out, sizes, np.int64(add) > 0)


@internal
def in_tiles(left, right, out, sizes, add):
    """The product, tile by tile; a rest of rows one by one."""
    rows, columns = sizes.rows, sizes.columns
    tiled = rows - rows % 4
    paired = columns - columns % TWICE
    for c in range(0, paired, TWICE):
        b = advance(right, c)
        for r in range(0, tiled, 4):
            four_rows_twice(rows_from(left, r), b, advance(out, r * columns + c), sizes, add)
        for r in range(tiled, rows):
            one_row_twice(rows_from(left, r), b, advance(out, r * columns + c), sizes, add)
    if paired < columns:
        b = advance(right, paired)
        for r in range(0, tiled, 4):
            four_rows(rows_from(left, r), b, advance(out, r * columns + paired), sizes, add)
        for r in range(tiled, rows):
            one_row(rows_from(left, r), b, advance(out, r * columns + paired), sizes, add)


@inlined
def rows_from(left, row):
    """The left matrix from a row on."""
    return Left(advance(left.ptr, row * left.across), left.across, left.along)


@inlined
def before(out, offset, add):
    """What a sum of products starts from."""
    return load(out, offset) if add else broadcast(0.0)


@inlined
def four_rows_twice(left, right, out, sizes, add):
    """Four rows of sixteen columns."""
    # out[r, c] = sum_k left[r, k] right[k, c]
    a, across, columns = left.ptr, left.across, sizes.columns
    second, third = 2 * across, 3 * across
    s0, t0 = before(out, 0, add), before(out, WIDTH, add)
    s1, t1 = before(out, columns, add), before(out, columns + WIDTH, add)
    s2, t2 = before(out, 2 * columns, add), before(out, 2 * columns + WIDTH, add)
    s3, t3 = before(out, 3 * columns, add), before(out, 3 * columns + WIDTH, add)
    for k in range(sizes.depth):
        x, y = load(right, k * columns), load(right, k * columns + WIDTH)
        a_at = k * left.along
        v = load_broadcast(a, a_at)
        s0, t0 = fma(v, x, s0), fma(v, y, t0)
        v = load_broadcast(a, a_at + across)
        s1, t1 = fma(v, x, s1), fma(v, y, t1)
        v = load_broadcast(a, a_at + second)
        s2, t2 = fma(v, x, s2), fma(v, y, t2)
        v = load_broadcast(a, a_at + third)
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
def one_row_twice(left, right, out, sizes, add):
    """One row of sixteen columns."""
    s, t = before(out, 0, add), before(out, WIDTH, add)
    for k in range(sizes.depth):
        v, b = load_broadcast(left.ptr, k * left.along), advance(right, k * sizes.columns)
        s, t = fma(v, load(b, 0), s), fma(v, load(b, WIDTH), t)
    store(out, 0, s)
    store(out, WIDTH, t)


@inlined
def four_rows(left, right, out, sizes, add):
    """Four rows of eight columns."""
    a, across, columns = left.ptr, left.across, sizes.columns
    second, third = 2 * across, 3 * across
    s0, s1 = before(out, 0, add), before(out, columns, add)
    s2, s3 = before(out, 2 * columns, add), before(out, 3 * columns, add)
    for k in range(sizes.depth):
        x, a_at = load(right, k * columns), k * left.along
        s0, s1 = fma(load_broadcast(a, a_at), x, s0), fma(load_broadcast(a, a_at + across), x, s1)
        s2 = fma(load_broadcast(a, a_at + second), x, s2)
        s3 = fma(load_broadcast(a, a_at + third), x, s3)
    store(out, 0, s0)
    store(out, columns, s1)
    store(out, 2 * columns, s2)
    store(out, 3 * columns, s3)


@inlined
def one_row(left, right, out, sizes, add):
    """One row of eight columns."""
    s = before(out, 0, add)
    for k in range(sizes.depth):
        v = load_broadcast(left.ptr, k * left.along)
        s = fma(v, load(right, k * sizes.columns), s)
    store(out, 0, s)
