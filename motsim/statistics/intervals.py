"""Intervals from the seeds (motsim/statistics/interval.py says what they decide).

Coverage of the 95 % intervals in per cent [measured: tests/statistics/test_coverage.py holds it
between 93 and 97, and `-m slow -s` prints more of it]:

=====================  ===============================================  ====================
interval               of                                               covers
=====================  ===============================================  ====================
`mean_interval`        mean of 3 to 60 normal values                    95
`jackknife_interval`   crossing of simulated shares, 3 to 60 seeds      94 to 97
`median_interval`      median of 6 to 60 values, or known between ends  94 to 98
`least_interval`       least of 1 mean, of 2 to 15 means                95, 96 to 100
`share_interval`       share of 5 to 200 runs, average over all shares  95 to 96 (least 83)
`mean_share_interval`  mean of 3 shares of 0.85 to 0.98, 20 or 60 seeds 94 to 98
=====================  ===============================================  ====================

In the same trials the percentile bootstrap covers 75, 85 and 89 at 3, 5 and 10 normal values.

Two limits [measured]. A mean of skewed values is covered less often (log-normal, sigma = 0.5: 92 to
94), so ratios of steps and of losses go in as logarithms. No interval of a share covers 95 % at
every share; at the claims' threshold a true share of 1/2 is called more than 1/2 in 3 % at most.

Where every seed gives the same value, to rounding, nothing varies with the seed and there is no
interval: both ends are that value, `Finding` drops them, and in print words say so.
"""

from collections.abc import Callable, Sequence
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import stdtrit

from motsim.statistics.confidence import resolve
from motsim.statistics.interval import Interval, stacked

__all__ = [
    "exact_share_interval",
    "jackknife_interval",
    "least_interval",
    "mean_interval",
    "mean_share_interval",
    "median_interval",
    "share_interval",
]

MIN_SEEDS = 3
ROUNDING = 1e-12  # relative: a smaller spread is that of the arithmetic, not of the seeds


def share_interval(successes: int, trials: int, level: float | None = None) -> Interval:
    """Wilson interval of a share; ends 0 and 1 without trials.

    >>> print(f"{share_interval(10, 10):.3f}")
    1.000 [0.722, 1.000]
    """
    return _share(successes, trials, level, "wilson")


def exact_share_interval(successes: int, trials: int, level: float | None = None) -> Interval:
    """Clopper and Pearson's interval of a share, never below its level; 0 and 1 without trials.

    Source: Biometrika 26 (1934), 404.

    >>> print(f"{exact_share_interval(10, 10):.3f}")
    1.000 [0.692, 1.000]
    """
    return _share(successes, trials, level, "exact")


def _share(
    successes: int, trials: int, level: float | None, method: Literal["wilson", "exact"]
) -> Interval:
    if trials == 0:
        return Interval(low=0.0, high=1.0)
    from scipy import stats  # takes as long to import as all of motsim.rates

    found = stats.binomtest(successes, trials).proportion_ci(resolve(level), method=method)
    return Interval(successes / trials, float(found.low), float(found.high))


def mean_share_interval(values: ArrayLike, level: float | None = None) -> Interval:
    """Mean of shares in [0, 1], one a seed, with Wilson's interval of the trials it is worth.

    The trials are those of a binomial share with the same standard error (at least one, and as
    many as seeds where these are all equal), with Student's quantile for the normal one. Shares
    within a seed may depend on each other. Student's own interval fails where the mean is close
    to 1 (20 or 60 seeds at 0.98: covers 32 to 88 %, measured). NaN ends below three seeds.
    """
    x = _finite(values)
    if len(x) < MIN_SEEDS:
        return Interval(_mean(x))
    mean, variance = float(x.mean()), float(x.var(ddof=1)) / len(x)
    trials = len(x) if np.ptp(x) <= ROUNDING else max(mean * (1 - mean) / variance, 1.0)
    square = student(len(x) - 1, level) ** 2 / trials
    center = (mean + square / 2) / (1 + square)
    half = np.sqrt(square * (mean * (1 - mean) + square / 4)) / (1 + square)
    return Interval(mean, max(float(center - half), 0.0), min(float(center + half), 1.0))


def mean_interval(values: ArrayLike, level: float | None = None) -> Interval:
    """Mean of the seeds with Student's t interval; NaN ends below three seeds.

    Values that are all the same, to rounding, have no interval: both ends are the mean.
    """
    x = _finite(values)
    mean = _mean(x)
    if len(x) < MIN_SEEDS:
        return Interval(mean)
    if np.ptp(x) <= ROUNDING * np.abs(x).max():
        return Interval(mean, mean, mean)
    half = student(len(x) - 1, level) * float(x.std(ddof=1)) / len(x) ** 0.5
    return Interval(mean, mean - half, mean + half)


def jackknife_interval(
    values: ArrayLike, statistic: Callable[[NDArray[np.float64]], float], level: float | None = None
) -> Interval:
    """Statistic of the seeds (rows) with Student's interval over its jackknife pseudo-values.

    Of a mean it is Student's interval. The statistic must be smooth in the weights of the seeds:
    a median is not. Seeds with a value that is not finite are left out; NaN ends below three
    seeds, or where the statistic does not exist without one of them. Both ends are the value
    itself where no seed moves it.

    Source: J. Tukey, "Bias and confidence in not-quite large samples", Annals of Mathematical
    Statistics 29 (1958), 614.
    """
    x = _finite(values)
    n = len(x)
    if n < MIN_SEEDS:
        return Interval(float(statistic(x))) if n else Interval()
    value = float(statistic(x))
    without = np.array([statistic(np.delete(x, i, axis=0)) for i in range(n)])
    if not np.isfinite(without).all():
        return Interval(value)
    # pseudo-values spread n - 1 times as far as the statistic without each of the seeds
    if (n - 1) * np.ptp(without) <= ROUNDING * np.abs(without).max():
        return Interval(value, value, value)
    error = (n - 1) * float(without.std(ddof=1)) / n**0.5
    half = student(n - 1, level) * error
    return Interval(value, value - half, value + half)


def median_interval(
    values: ArrayLike,
    level: float | None = None,
    *,
    between: tuple[ArrayLike, ArrayLike] | None = None,
) -> Interval:
    """Median of the seeds with the exact interval of order statistics; NaN ends below six seeds.

    For runs of which a few behave in another way: a mean would be theirs. Infinite values are
    values; NaN is none. Exact for any distribution, hence conservative (the sign test turned
    round). Of a value that is known only to lie `between` two ends give one each, infinite where
    that side is open: a few of those leave the interval finite.
    """
    x = _sorted(values)
    if not len(x):
        return Interval()
    middle = x[(len(x) - 1) // 2 : len(x) // 2 + 1]
    value = float(middle.mean()) if np.isfinite(middle).all() else float(middle[-1])
    low, high = (x, x) if between is None else (_sorted(ends) for ends in between)
    from scipy import stats

    k = int(stats.binom.ppf((1 - resolve(level)) / 2, len(low), 0.5))
    if k < 1:  # no pair of values is wide enough
        return Interval(value)
    return Interval(value, float(low[k - 1]), float(high[len(high) - k]))


def least_interval(samples: Sequence[ArrayLike], level: float | None = None) -> Interval:
    """Least of the means of k samples, with an interval of the least true mean; NaN without any.

    The interval of the sample that happens to have the least mean misses the truth more and more
    often as k grows (covers 78 % at k = 15, n = 5, measured). Here the lower end is the least of
    Student's lower ends, as it must be below every one of them, and the upper end the least of
    upper ends that hold for all k samples together (Bonferroni). Each end is wrong in 2.5 % at
    most; seldom both can be, so that k > 1 means are covered in 96 to 100 %: above the band.
    """
    if not len(samples):
        return Interval()
    level = resolve(level)
    joint = 1 - (1 - level) / len(samples)
    mean, low, _ = stacked(mean_interval(x, level) for x in samples)
    high = stacked(mean_interval(x, joint) for x in samples)[2]
    return Interval(float(mean.min()), float(low.min()), float(high.min()))


def student(freedom: int, level: float | None) -> float:
    """Two-sided quantile of Student's t; a hundred times as fast as `stats.t.ppf`."""
    return float(stdtrit(freedom, (1 + resolve(level)) / 2))


def _finite(values: ArrayLike) -> NDArray[np.float64]:
    """Values (n, ...) of the seeds that have nothing missing."""
    x = np.asarray(values, dtype=float)
    return x[np.isfinite(x.reshape(len(x), -1)).all(axis=1)] if x.size else x.reshape(0)


def _sorted(values: ArrayLike) -> NDArray[np.float64]:
    x = np.sort(np.asarray(values, dtype=float))
    return x[~np.isnan(x)]


def _mean(x: NDArray[np.float64]) -> float:
    return float(x.mean()) if len(x) else float("nan")
