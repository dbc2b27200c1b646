"""How deep a logarithm goes: the eps down to which a run keeps its steps per decade.

A law of many runs says what happens in a range that all of them share. Where each run leaves its
logarithm at an eps of its own, that range says nothing about below; here each run is asked alone.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from motsim.statistics.intervals import median_interval

__all__ = ["LEAST_DECADES", "SAME_ORDER", "Depth", "log_depth"]

SAME_ORDER = 3.0  # steps per decade within this factor are "a constant of the same order"
LEAST_DECADES = 3.0  # of a logarithm that is one


@dataclass(frozen=True, eq=False)
class Depth:
    """One entry a run: where its logarithm begins and ends.

    Attributes
    ----------
    eps_high, eps_low : (S,) arrays
        Range of eps of the first logarithm of at least `LEAST_DECADES`; inf where there is none.
    steps_per_decade : (S,) array
        Median over that range; NaN where there is none.
    ended : (S,) array of bool
        Whether another law was seen below; False where the run was not looked at further down.
    growth : (S,) array
        T at the end of the decade below `eps_low` over T at `eps_low`: inf where the run did not
        get there, NaN where it was not looked at.
    """

    eps_high: NDArray[np.float64]
    eps_low: NDArray[np.float64]
    steps_per_decade: NDArray[np.float64]
    ended: NDArray[np.bool_]
    growth: NDArray[np.float64]

    @property
    def num_kept(self) -> int:
        """How many runs keep their logarithm to the end of what was looked at."""
        return int((np.isfinite(self.eps_low) & ~self.ended).sum())

    def median(self, level: float | None = None) -> tuple[float, float, float]:
        """Median over the runs of the eps at which the logarithm ends, with its interval.

        Runs without a logarithm count as inf; of those that keep it, the end of what was looked
        at, so that the median is an upper bound where half of the runs do. The interval is of
        order statistics; NaN ends below six runs.
        """
        found = median_interval(np.log(self.eps_low), level).map(np.exp)
        return found.value, found.low, found.high


def log_depth(
    epsilons: ArrayLike, hits: ArrayLike, budget: ArrayLike, *, last: bool = False
) -> Depth:
    """Find the first logarithm of every run, and where it ends.

    Parameters
    ----------
    epsilons : (E,) array
        Falling.
    hits : (S, E) array
        T(eps); negative where eps was not reached.
    budget : (S,) array or float
        Steps of each run: one that stands still for long enough has ended its logarithm.
    last : bool
        Find the logarithm that goes on to the end of what was looked at instead.

    Notes
    -----
    A range is logarithmic while its steps per decade, to the whole step, stay within a factor
    `SAME_ORDER` of each other.

    Raises
    ------
    ValueError
        If the shapes do not agree or eps do not fall.
    """
    x = -np.log10(np.asarray(epsilons, float))
    times = np.asarray(hits, float)
    if times.ndim != 2 or times.shape[1] != x.size or not (np.diff(x) > 0).all():
        raise ValueError(
            "epsilons (E,) must fall and hits must be (S, E);"
            f" got shapes {x.shape} and {times.shape}"
        )
    budgets = np.broadcast_to(np.asarray(budget, float), len(times))
    found = np.array([_of_run(x, t, b, last) for t, b in zip(times, budgets, strict=True)])
    high, low, rate, ended, growth = found.reshape(-1, 5).T
    return Depth(high, low, rate, ended.astype(bool), growth)


def _of_run(
    x: NDArray[np.float64], times: NDArray[np.float64], budget: float, last: bool
) -> tuple[float, float, float, bool, float]:
    """Return the entries of `Depth` for one run."""
    reached = times >= 0
    count = int(reached.argmin()) if not reached.all() else times.size
    t, span = times[:count], np.diff(x)
    took = np.diff(t)
    whole = bool((t == np.round(t)).all())
    grain = 1.0 if whole else 0.0  # two roundings of half a step
    least, most = (took - grain) / span[: took.size], (took + grain) / span[: took.size]
    # what was reached before the first look took no steps of this stage
    for first in range(int((t <= t[0]).sum()) - 1 if count else 0, took.size):
        low, high, stop = -np.inf, np.inf, first
        while stop < took.size:
            low, high = max(low, least[stop]), min(high, most[stop])
            if low > SAME_ORDER * high or most[stop] <= 0:
                break
            stop += 1
        if x[stop] - x[first] < LEAST_DECADES - 1e-9 or (last and stop < took.size):
            continue
        rate = float(np.median(took[first:stop] / span[first:stop]))
        ended = stop < took.size
        if not ended and count < times.size:  # eps not reached: only if it had the time
            ended = budget - t[stop] > SAME_ORDER * rate * span[stop]
        below = np.searchsorted(x, x[stop] + 1.0 - 1e-9)
        growth = np.nan
        if below < times.size:
            growth = times[below] / t[stop] if reached[below] else np.inf
        return 10.0 ** -x[first], 10.0 ** -x[stop], rate, ended, float(growth)
    return np.inf, np.inf, np.nan, True, np.nan
