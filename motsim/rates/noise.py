"""Noise of each logged loss: how large it is, and the monotone mean that it leaves.

T(eps) is defined by the expected loss. First passage of a noisy loss comes early, the more so the
denser the rows are, and in every run alike: no interval over runs would show it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import median_filter
from scipy.optimize import isotonic_regression

from motsim.rates.laws import Array

MIN_ROWS = 40
LEAST = 0.005  # nats: less noise than this moves no first passage that matters
# Second differences of independent noise change sign in 0.73 of the rows, a smooth curve's hardly
# ever, a zigzag's always; those of a noise that remembers its last value change it more rarely.
CHANGES = (0.55, 0.85)
WINDOW = 7  # rows to either side: the level that a rise is told from
RISE = 5.0  # sigma above the level before: a rise or a burst, no noise
MIN_STILL, STILL = 20, 0.05  # rows, and nats that they fall at most, of a loss that stands still


@dataclass(frozen=True, eq=False)
class MonotoneMean:
    """Decreasing mean of the log loss: blocks of rows of one level, at the middle of their rows."""

    sigma: float  # of the log loss, from row to row
    steps: Array  # (num_blocks,)
    loss: Array  # (num_blocks,) falling
    end: float  # last step that the mean speaks of
    rows: Array  # (n,) the mean at every row; where the loss rose, the loss itself


def row_noise(loss: Array) -> float:
    """Return the standard deviation of independent noise of log loss; 0 where there is none.

    From the median of absolute second differences: neither a trend nor a few bursts enter.
    """
    if loss.size < MIN_ROWS:
        return 0.0
    bend = np.diff(np.log(loss), 2)
    share = float(np.mean(np.signbit(bend[1:]) != np.signbit(bend[:-1])))
    sigma = float(_deviation(np.median(np.abs(bend))))
    return sigma if sigma > LEAST and CHANGES[0] <= share <= CHANGES[1] else 0.0


def _deviation(bend: Array) -> Array:
    """Standard deviation of normal noise by the median of its absolute second differences."""
    return np.asarray(bend / 0.6745 / np.sqrt(6.0))


def monotone_mean(steps: Array, loss: Array) -> MonotoneMean | None:
    """Return the monotone mean of a noisy loss > 0; None where it is not noisy."""
    sigma = row_noise(loss)
    if not sigma:
        return None
    log = np.log(loss)
    around = np.maximum(sigma, _local_noise(log))
    risen = log > np.minimum.accumulate(_local_median(log)) + RISE * around
    kept = np.flatnonzero(~risen)
    fit = isotonic_regression(log[kept], increasing=False)
    ends = fit.blocks.astype(int)
    level = fit.x[ends[:-1]]
    still = 0 if risen[-1] else _standing(log[kept])
    if still:
        first = kept.size - still
        count = int(np.sum((ends[1:] <= first) & (level > log[kept[first:]].mean())))
    else:
        count = _believed(np.diff(ends))
    begin, last = ends[:count], ends[1 : count + 1] - 1
    middle = 0.5 * (steps[kept[(begin + last) // 2]] + steps[kept[(begin + last + 1) // 2]])
    level, end = level[:count], float(middle[-1])
    if still:
        middle = np.append(middle, steps[kept[first]])
        level, end = np.append(level, log[kept[first:]].mean()), float(steps[-1])
    rows = loss.copy()
    rows[kept] = np.exp(fit.x)
    return MonotoneMean(sigma, middle, np.exp(level), end, rows)


def _local_median(log: Array) -> Array:
    """Median over rows to either side, fewer at the ends: a straight line is its own."""
    padded = np.concatenate(
        [2 * log[0] - log[WINDOW:0:-1], log, 2 * log[-1] - log[-2 : -WINDOW - 2 : -1]]
    )
    return _medians(padded, WINDOW)


def _local_noise(log: Array) -> Array:
    """Noise about every row: it may grow on the way, as towards a level of noise."""
    side = MIN_ROWS // 2
    bend = np.pad(np.abs(np.diff(log, 2)), side + 1, mode="reflect")
    return _deviation(_medians(bend, side))


def _medians(values: Array, side: int) -> Array:
    """Medians of each value and `side` to either side of it, where there are so many."""
    found = median_filter(values, 2 * side + 1, mode="nearest")
    return np.asarray(found[side : values.size - side])


def _standing(log: Array) -> int:
    """Return how many of the last rows stand still, after rows that fell; 0 where they fall.

    They fall by no more than `STILL` and noise, and by under a quarter of what as many rows before
    them did: half the rows of a power are never so, in steps nor in the logarithm of steps.
    """
    for share in np.arange(0.9, 0.05, -0.1):
        size = int(share * log.size)
        before = log[max(log.size - 2 * size, 0) : log.size - size]
        if size < MIN_STILL or before.size < 3:
            continue
        (slope, error), (usual, _) = _slope(log[-size:]), _slope(before)
        fall, noise = -slope * size, 2.0 * error * size
        if fall < STILL + noise and fall + noise < -0.25 * usual * size:
            return size
    return 0


def _slope(log: Array) -> tuple[float, float]:
    """Return the slope a row, and its standard error."""
    row = np.arange(log.size) - 0.5 * (log.size - 1)
    spread = _product(row, row)
    slope = _product(row, log) / spread
    rest = log - log.mean() - slope * row
    return slope, float(np.sqrt(_product(rest, rest) / max(log.size - 2, 1) / spread))


def _product(one: NDArray[np.floating[Any]], other: NDArray[np.floating[Any]]) -> float:
    """Without BLAS, which wakes a thread for vectors that one is done with sooner."""
    return float(np.einsum("i,i->", one, other))


def _believed(size: NDArray[np.intp]) -> int:
    """Number of blocks to believe: the fit follows single low values where no row comes after.

    Left out are blocks from the end until they hold as many rows as the longest of the last ones
    of the rest.
    """
    count, rows = size.size, 0
    while count > 4 and rows < size[max(count - 5, 0) : count].max():
        count -= 1
        rows += int(size[count])
    return count
