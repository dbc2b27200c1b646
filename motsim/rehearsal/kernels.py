"""Numba kernels of the rehearsal package: plain arrays in, results written into arrays passed in.

Serial, float64, no fastmath; all random numbers are drawn outside. Nothing is checked here.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from motsim.rehearsal.arguments import FloatArray, IntArray
from motsim.rehearsal.layout import Layout
from motsim.rehearsal.triangular import triangular_fit
from motsim.vectors.compiling import kernel

FLAT = 6  # rows to each column beside the triangle from which the triangle is used: measured
BLOCK = 64  # columns of the Gram matrix computed at a time; only its lower half is needed


class Draws(NamedTuple):
    """Random numbers of R repetitions of N rows, in the coordinates that matter."""

    normals: FloatArray  # (R, draws)
    lengths: FloatArray  # (R, N) diagonals of triangular factors
    noise: FloatArray  # (R, N)


@kernel
def interpolate(inputs: FloatArray, residual: FloatArray, w: FloatArray) -> None:
    """Move `weights` (p,) to the nearest interpolator of K rows: w += X (XᵀX)^{-1} r.

    `inputs` (K, p) holds Xᵀ, one sample a row; `residual` (K,) holds y − Xᵀ w and is overwritten by
    the coefficients. The Gram matrix is factored by Cholesky and never inverted.
    """
    size = inputs.shape[0]
    gram = np.empty((size, size))
    for start in range(0, size, BLOCK):
        stop = min(start + BLOCK, size)
        gram[start:, start:stop] = np.dot(inputs[start:], inputs[start:stop].T)
    factor = np.linalg.cholesky(gram)
    for i in range(size):  # L z = r
        total = residual[i]
        for k in range(i):
            total -= factor[i, k] * residual[k]
        residual[i] = total / factor[i, i]
    for i in range(size - 1, -1, -1):  # Lᵀ c = z
        residual[i] /= factor[i, i]
        for k in range(i):
            residual[k] -= factor[i, k] * residual[i]
    w += np.dot(residual, inputs)


@kernel
def squared_errors(w: FloatArray, truths: FloatArray, out: FloatArray) -> None:
    """Write ‖w − w*_j‖² into out (T,); truths (T, r) are zero beyond their r coordinates."""
    rank = truths.shape[1]
    rest = 0.0
    for k in range(rank, w.size):
        rest += w[k] ** 2
    for j in range(truths.shape[0]):
        total = rest
        for k in range(rank):
            total += (w[k] - truths[j, k]) ** 2
        out[j] = total


@kernel
def residuals(
    inputs: FloatArray,
    noise: FloatArray,
    truths: FloatArray,
    fit: IntArray,
    w: FloatArray,
) -> FloatArray:
    """Return y − Xᵀ w (K,) with y = Xᵀ w*_i + noise for the rows of each block of `fit`.

    `fit` (B, 3) lists task, first row, number of rows; the rows stand in `inputs` (K, p) and
    `noise` (K,) in this order. truths (T, r) are zero beyond their r coordinates.
    """
    result = noise - np.dot(inputs, w)
    row = 0
    for b in range(fit.shape[0]):
        for _ in range(fit[b, 2]):
            for k in range(truths.shape[1]):
                result[row] += inputs[row, k] * truths[fit[b, 0], k]
            row += 1
    return result


@kernel
def gather(samples: FloatArray, noise: FloatArray, fit: IntArray) -> tuple[FloatArray, FloatArray]:
    """Return the rows (K, p) and noise (K,) of a fit: a view if they are adjacent, else a copy."""
    size = fit[:, 2].sum()
    first = fit[0, 1]
    adjacent = True
    for b in range(1, fit.shape[0]):
        adjacent = adjacent and fit[b, 1] == fit[b - 1, 1] + fit[b - 1, 2]
    if adjacent:
        return samples[first : first + size], noise[first : first + size]
    inputs = np.empty((size, samples.shape[1]))
    labels = np.empty(size)
    row = 0
    for b in range(fit.shape[0]):
        first, count = fit[b, 1], fit[b, 2]
        inputs[row : row + count] = samples[first : first + count]
        labels[row : row + count] = noise[first : first + count]
        row += count
    return inputs, labels


@kernel
def run_full(
    samples: FloatArray,
    noise: FloatArray,
    truths: FloatArray,
    layout: Layout,
    errors: FloatArray,
) -> None:
    """Run R repetitions in R^p from drawn samples (R, N, p) and noise (R, N); errors (R, T, T)."""
    blocks, fit_start, step_start = layout.blocks, layout.fit_start, layout.step_start
    for rep in range(samples.shape[0]):
        w = np.zeros(samples.shape[2])
        for t in range(step_start.size - 1):
            for f in range(step_start[t], step_start[t + 1]):
                fit = blocks[fit_start[f] : fit_start[f + 1]]
                inputs, labels = gather(samples[rep], noise[rep], fit)
                residual = residuals(inputs, labels, truths, fit, w)
                interpolate(inputs, residual, w)
            squared_errors(w, truths, errors[rep, t])


@kernel
def triangular_residuals(
    drawn: FloatArray,
    noise: FloatArray,
    truths: FloatArray,
    fit: IntArray,
    visible: FloatArray,
    out: FloatArray,
) -> None:
    """Write y − Xᵀ w as `residuals` does, for rows that stand as in `triangular_fit`."""
    row = drawn_at = 0
    for b in range(fit.shape[0]):
        for _ in range(fit[b, 2]):
            total = noise[row]
            for k in range(visible.size):
                total -= drawn[drawn_at + k] * visible[k]
            for k in range(truths.shape[1]):
                total += drawn[drawn_at + k] * truths[fit[b, 0], k]
            out[row] = total
            drawn_at += visible.size + row
            row += 1


@kernel
def run_reduced(
    draws: Draws,
    truths: FloatArray,
    layout: Layout,
    dimension: int,
    errors: FloatArray,
) -> None:
    """Run R repetitions of the same algorithm in the coordinates that matter; fresh memory only.

    Coordinates: the r of the task vectors, one along the rest of w, and for a fit of K columns the
    K of its triangular factor (Bartlett): below the diagonal normal, on it `lengths` (chi). Where
    fewer than K dimensions are left, all of them are drawn as normals. Fits of many rows keep the
    triangle, others fill a matrix for BLAS: the same numbers but for rounding.
    """
    normals, lengths, noise = draws.normals, draws.lengths, draws.noise
    blocks, fit_start, step_start = layout.blocks, layout.fit_start, layout.step_start
    rank = truths.shape[1]
    head = min(rank + 1, dimension)
    other = dimension - head
    most = 0
    for f in range(fit_start.size - 1):
        most = max(most, blocks[fit_start[f] : fit_start[f + 1], 2].sum())
    across, factor = np.empty((head, most)), np.empty((most, most))
    residual, step = np.empty(most), np.empty(head)
    for rep in range(normals.shape[0]):
        visible = np.zeros(head)
        used = 0
        rows = 0
        for t in range(step_start.size - 1):
            for f in range(step_start[t], step_start[t + 1]):
                fit = blocks[fit_start[f] : fit_start[f + 1]]
                size = fit[:, 2].sum()
                labels = noise[rep, rows : rows + size]
                tail = min(size, other)
                last = used + size * head
                last += size * other if size > other else size * (size - 1) // 2
                drawn = normals[rep, used:last]
                if size <= other and size >= FLAT * head:
                    triangular_residuals(drawn, labels, truths, fit, visible, residual)
                    rest = triangular_fit(
                        drawn, lengths[rep, rows : rows + size], residual[:size], step, across,
                        factor,
                    )  # fmt: skip
                    visible += step
                    if head > rank:
                        rest += visible[rank] ** 2
                else:
                    inputs = np.zeros((size, head + tail))
                    drawn_at = 0
                    for i in range(size):
                        row = head + (tail if size > other else i)
                        inputs[i, :row] = drawn[drawn_at : drawn_at + row]
                        drawn_at += row
                        if size <= other:
                            inputs[i, row] = lengths[rep, rows + i]
                    w = np.zeros(head + tail)
                    w[:head] = visible
                    interpolate(inputs, residuals(inputs, labels, truths, fit, w), w)
                    visible[:rank] = w[:rank]
                    rest = np.sum(w[rank:] ** 2)
                if head > rank:
                    visible[rank] = np.sqrt(rest)
                used = last
                rows += size
            squared_errors(visible, truths, errors[rep, t])


@kernel
def subset_chain(
    keep: FloatArray,
    shift: FloatArray,
    start: float,
    required: int,
    best: FloatArray,
    last: IntArray,
) -> None:
    """Best ordered partition of every subset S of blocks (bit masks) into fits.

    A fit on subset L maps g to keep[L] g + shift[L] (shift = inf: not allowed). best[S] is the
    least value that fits on exactly the blocks of S reach from `start`; last[S] is the last fit.
    With required > 0 the first fit must contain those bits.
    """
    best[0] = np.inf
    for whole in range(1, keep.size):
        best[whole] = np.inf
        last[whole] = 0
        if whole & required != required:
            continue
        best[whole] = keep[whole] * start + shift[whole]
        last[whole] = whole
        part = (whole - 1) & whole
        while part > 0:
            value = keep[part] * best[whole ^ part] + shift[part]
            if value < best[whole]:
                best[whole] = value
                last[whole] = part
            part = (part - 1) & whole
