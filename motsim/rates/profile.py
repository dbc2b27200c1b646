"""Intervals of an exponent: from the profile of its likelihood over curves, and from resamples."""

from __future__ import annotations

import numpy as np
from scipy.special import gammaincinv

from motsim.rates.laws import Array
from motsim.statistics.intervals import student


def between(grid: Array, profile: Array) -> Array:
    """Return exponents about the peak of a summed profile, eight times finer than the grid."""
    i = int(np.clip(profile.argmax(), 1, grid.size - 2))
    fine = np.concatenate(
        [np.linspace(grid[i - 1], grid[i], 9), np.linspace(grid[i], grid[i + 1], 9)]
    )
    return np.setdiff1d(fine, grid)


def peak(profile: Array, grid: Array) -> Array:
    """Return the p that maximizes each row of `profile`, by a parabola through three points."""
    rows, top = np.arange(len(profile)), profile.argmax(axis=1)
    i = top.clip(1, grid.size - 2)
    x0, x1, x2 = grid[i - 1], grid[i], grid[i + 1]
    y0, y1, y2 = profile[rows, i - 1], profile[rows, i], profile[rows, i + 1]
    left, right = (y1 - y0) * (x1 - x2), (y1 - y2) * (x1 - x0)
    bend = left - right
    inside = (y1 >= y0) & (y1 >= y2) & (bend != 0.0)
    shift = 0.5 * (left * (x1 - x2) - right * (x1 - x0)) / np.where(inside, bend, 1.0)
    return np.where(inside, np.clip(x1 - shift, x0, x2), grid[top])


def of_profile(
    profile: Array, grid: Array, weights: Array, level: float, common: float = 0.0
) -> tuple[float, float]:
    """Interval of the exponent: by resampling, and at least what the likelihood leaves open.

    Error that curves have in common (share `common`) does not average out over them.
    """
    draws = peak(weights @ profile, grid)
    low, high = interval(draws, level, len(profile)) if len(profile) > 1 else (draws[0], draws[0])
    n = len(profile)
    total = profile.sum(axis=0) * (1.0 + (n - 1.0) * (1.0 - common)) / n
    drop = total.max() - total - float(gammaincinv(0.5, level))  # half a chi-squared of one number
    top = int(total.argmax())
    left, right = np.flatnonzero(drop[:top] > 0), np.flatnonzero(drop[top:] > 0) + top
    if left.size:
        i = int(left[-1])
        low = min(low, float(np.interp(0.0, [drop[i + 1], drop[i]], [grid[i + 1], grid[i]])))
    else:
        low = -np.inf
    if right.size:
        i = int(right[0])
        high = max(high, float(np.interp(0.0, [drop[i - 1], drop[i]], [grid[i - 1], grid[i]])))
    else:
        high = np.inf
    return float(low), float(high)


def interval(draws: Array, level: float, num_curves: int) -> tuple[float, float]:
    """Interval about ``draws[0]`` (the estimate): Student's, by the spread of the other draws.

    Of a mean it is Student's interval but for the number of draws. Percentiles of the draws cover
    0.90 of exponents at three curves, the leave-one-out jackknife 0.86 at five to ten, this 0.94
    to 0.96 (measured here: five laws of 3 to 20 curves, 200 sets each, seeds from 600000).
    """
    stretch = np.sqrt(num_curves / (num_curves - 1)) * student(num_curves - 1, level)
    half = float(stretch * draws[1:].std())
    return float(draws[0]) - half, float(draws[0]) + half
