"""Noise of each logged loss: how large it is, and the monotone mean that it leaves.

T(eps) is defined by the expected loss. First passage of a noisy loss comes early, the more so the
denser the rows are, and in every run alike: no interval over runs would show it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from scipy.optimize import isotonic_regression

from motsim.rates.laws import Array

MIN_ROWS = 40
LEAST = 0.005  # nats: less noise than this moves no first passage that matters
# Second differences of independent noise change sign in 0.73 of the rows, a smooth curve's hardly
# ever, a zigzag's always; those of a noise that remembers its last value change it more rarely.
CHANGES = (0.55, 0.85)
WINDOW = 7  # rows to either side: the level that a rise is told from
RISE = 5.0  # sigma above the level before: a rise or a burst, no noise
PLATEAU = 0.7  # of its last step: a last block that begins earlier shows a loss that stands still


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
    sigma = float(np.median(np.abs(bend))) / 0.6745 / np.sqrt(6.0)
    return sigma if sigma > LEAST and CHANGES[0] <= share <= CHANGES[1] else 0.0


def monotone_mean(steps: Array, loss: Array) -> MonotoneMean | None:
    """Return the monotone mean of a noisy loss > 0; None where it is not noisy."""
    sigma = row_noise(loss)
    if not sigma:
        return None
    log = np.log(loss)
    risen = log > np.minimum.accumulate(_local_median(log)) + RISE * sigma
    kept = np.flatnonzero(~risen)
    fit = isotonic_regression(log[kept], increasing=False)
    ends = fit.blocks.astype(int)
    level = fit.x[ends[:-1]]
    count = _believed(ends, steps[kept])
    first, last = ends[:count], ends[1 : count + 1] - 1
    middle = 0.5 * (steps[kept[(first + last) // 2]] + steps[kept[(first + last + 1) // 2]])
    whole = not risen[-1] and _stands(steps[kept], ends)
    rows = loss.copy()
    rows[kept] = np.exp(fit.x)
    return MonotoneMean(
        sigma, middle, np.exp(level[:count]), float(steps[-1] if whole else middle[-1]), rows
    )


def _local_median(log: Array) -> Array:
    """Median over rows to either side, fewer at the ends: a straight line is its own."""
    padded = np.concatenate(
        [2 * log[0] - log[WINDOW:0:-1], log, 2 * log[-1] - log[-2 : -WINDOW - 2 : -1]]
    )
    return np.median(sliding_window_view(padded, 2 * WINDOW + 1), axis=1)


def _stands(steps: Array, ends: Array) -> bool:
    return bool(steps[ends[-2]] < PLATEAU * steps[-1])


def _believed(ends: Array, steps: Array) -> int:
    """Number of blocks to believe: the fit follows single low values where no row comes after.

    Left out are blocks from the end until they hold as many rows as the longest of the last ones
    of the rest; a plateau stays.
    """
    size = np.diff(ends)
    if _stands(steps, ends):
        return size.size
    count, rows = size.size, 0
    while count > 4 and rows < size[max(count - 5, 0) : count].max():
        count -= 1
        rows += size[count]
    return count
