r"""Local exponents: p(eps) = d log T / d log(1/eps), steps a decade, and where p goes.

Over ten decades and more hardly a curve has one law. As functions of eps both say so directly: of
a logarithm the steps a decade are constant, of a power p is, and at a stop both jump. Where theory
has a form, as p(eps) = p - c / log(1/eps) of the logistic loss (docs/theory.md), its limit p is an
extrapolation.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from motsim.statistics.intervals import median_interval

__all__ = ["LocalExponents", "limit_exponent", "local_exponents"]

LEAST_DECADES = 6.0  # of an extrapolation: its smaller half is looked at alone
Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class LocalExponents:
    """Local exponents (S, K) and steps a decade (S, K) of S runs, at the middle of K ranges.

    NaN where a run did not reach the end of the range, or passed its beginning at step 0.
    """

    epsilons: Array
    exponents: Array
    steps_per_decade: Array

    def band(self, level: float | None = None) -> tuple[Array, Array, Array]:
        """Median exponent over the runs and both ends of its interval (order statistics)."""
        return _band(self.exponents, level)

    def steps_band(self, level: float | None = None) -> tuple[Array, Array, Array]:
        """Return the same of the steps a decade."""
        return _band(self.steps_per_decade, level)


def local_exponents(
    epsilons: ArrayLike, hits: ArrayLike, *, decades: float = 1.0
) -> LocalExponents:
    """Exponent and steps a decade of every run, over ranges of so many decades of eps.

    Parameters
    ----------
    epsilons : (E,) array
        Falling.
    hits : (S, E) array
        T(eps); negative where eps was not reached.
    decades : float
        Length of a range; T is interpolated in log T at its ends.

    Raises
    ------
    ValueError
        If the shapes do not agree, eps do not fall, or `decades` is not positive.
    """
    x, times = _checked(epsilons, hits)
    if not (np.isfinite(decades) and decades > 0):
        raise ValueError(f"decades must be finite and > 0; got {decades}")
    log_times = np.log(np.where(times > 0, times, np.nan))  # NaN spreads over its neighbors
    reach = 0.5 * decades * np.log(10.0)
    middle = x[(x >= x[0] + reach - 1e-9) & (x <= x[-1] - reach + 1e-9)]
    early, late = (
        np.array([np.interp(middle + side, x, run) for run in log_times]).reshape(
            len(log_times), middle.size
        )
        for side in (-reach, reach)
    )
    return LocalExponents(
        np.exp(-middle), (late - early) / (2.0 * reach), (np.exp(late) - np.exp(early)) / decades
    )


def limit_exponent(
    epsilons: ArrayLike, hits: ArrayLike, eps_range: tuple[float, float] = (0.0, 1.0)
) -> tuple[float, float, float]:
    """Extrapolate p(eps) = p - c / log(1/eps) to eps = 0: p, and both ends of its interval.

    log T = a + p log(1/eps) - c log log(1/eps) by least squares, a run at a time, over the smaller
    half (in decades) of `eps_range`; p is the median over the runs. Its interval is that of order
    statistics, wider on both sides by how far the whole range says otherwise: what the form leaves
    out is seen there. NaN below `LEAST_DECADES`; its ends also below six runs.

    Raises
    ------
    ValueError
        If the shapes do not agree, or eps do not fall.
    """
    x, times = _checked(epsilons, hits)
    low, high = eps_range
    used = (np.exp(-x) >= low * 0.999) & (np.exp(-x) <= high * 1.001) & (x > 0)
    x, times = x[used], times[:, used]
    whole = (times > 0).all(axis=1)
    if not whole.any() or x[-1] - x[0] < LEAST_DECADES * np.log(10.0) - 1e-9:
        return np.nan, np.nan, np.nan
    log_times = np.log(times[whole])
    small = x >= 0.5 * (x[0] + x[-1])
    found = median_interval(_limits(x[small], log_times[:, small]))
    apart = abs(found.value - float(np.median(_limits(x, log_times))))
    return found.value, found.low - apart, found.high + apart


def _limits(x: Array, log_times: Array) -> Array:
    """Return p of each run (S,)."""
    design = np.stack([np.ones_like(x), x, -np.log(x)], axis=1)
    return np.asarray(np.linalg.lstsq(design, log_times.T, rcond=None)[0][1])


def _band(values: Array, level: float | None) -> tuple[Array, Array, Array]:
    found = [median_interval(column[np.isfinite(column)], level) for column in values.T]
    value, low, high = (np.array([getattr(f, n) for f in found]) for n in ("value", "low", "high"))
    return value, low, high


def _checked(epsilons: ArrayLike, hits: ArrayLike) -> tuple[Array, Array]:
    """Return log(1/eps) and times."""
    x, times = -np.log(np.asarray(epsilons, float)), np.asarray(hits, float)
    if times.ndim != 2 or times.shape[1] != x.size or not (np.diff(x) > 0).all():
        raise ValueError(
            "epsilons (E,) must fall and hits must be (S, E);"
            f" got shapes {x.shape} and {times.shape}"
        )
    return x, times
