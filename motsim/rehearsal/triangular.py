"""One fit of K rows whose last K columns are lower triangular, in O(r K²): numba, nothing checked.

The factor of X Xᵀ = H Hᵀ + L Lᵀ is L itself after one reflection a column, which turns that
column's entries of H into the diagonal (a rank-r update), so that no Gram matrix is made.
"""

from __future__ import annotations

import numpy as np

from motsim.rehearsal.arguments import FloatArray
from motsim.vectors.compiling import kernel

__all__ = ["triangular_fit"]


@kernel
def triangular_fit(
    drawn: FloatArray,
    lengths: FloatArray,
    residual: FloatArray,
    step: FloatArray,
    across: FloatArray,
    factor: FloatArray,
) -> float:
    """Move to the nearest interpolator of K rows; return the squared move along the triangle.

    Parameters
    ----------
    drawn : array
        Row after row: its r entries in H, then those below the diagonal of L.
    lengths : array (K,)
        Diagonal of L, positive.
    residual : array (K,)
        y − X w; overwritten by the coefficients.
    step : array (r,)
        The move along the columns of H is written here.
    across, factor : arrays (r, >= K) and (>= K, >= K)
        Scratch.
    """
    size, head = lengths.size, step.size
    drawn_at = 0
    for i in range(size):
        for h in range(head):
            across[h, i] = drawn[drawn_at + h]
        drawn_at += head
        for k in range(i):
            factor[k, i] = drawn[drawn_at + k]
        factor[i, i] = lengths[i]
        drawn_at += i
    along = np.empty(size)
    for k in range(size):
        row = factor[k]
        square = 0.0
        for h in range(head):
            square += across[h, k] ** 2
        length = (row[k] ** 2 + square) ** 0.5
        first = row[k] + length  # no cancellation: both are positive
        for i in range(k + 1, size):
            along[i] = first * row[i]
        for h in range(head):
            other = across[h]
            entry = other[k]  # a scalar: vectors of the loop below need not read it again
            for i in range(k + 1, size):
                along[i] += entry * other[i]
        scale = 1.0 / (length * first)
        for i in range(k + 1, size):
            along[i] *= scale
            row[i] -= first * along[i]
        for h in range(head):
            other = across[h]
            entry = other[k]
            for i in range(k + 1, size):
                other[i] -= entry * along[i]
        row[k] = -length
        entry = residual[k] / row[k]
        residual[k] = entry
        for i in range(k + 1, size):
            residual[i] -= entry * row[i]
    for k in range(size - 1, -1, -1):
        row = factor[k]
        total = residual[k]
        for i in range(k + 1, size):
            total -= row[i] * residual[i]
        residual[k] = total / row[k]
    step[:] = 0.0
    tail = factor[0]  # the factor has served
    tail[:size] = 0.0
    drawn_at = 0
    for i in range(size):
        entry = residual[i]
        for h in range(head):
            step[h] += entry * drawn[drawn_at + h]
        drawn_at += head
        for k in range(i):
            tail[k] += entry * drawn[drawn_at + k]
        tail[i] += entry * lengths[i]
        drawn_at += i
    total = 0.0
    for k in range(size):
        total += tail[k] ** 2
    return total
