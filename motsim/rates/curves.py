"""Hitting times, and curves: the informative points of one row of hitting times."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

CENSORED, MISSING = -1, -2  # codes in an array of hitting times
MIN_POINTS = 6
SAME = 1e-9  # relative: steps and losses that agree to this are equal, to rounding
STEP_CAP = 1.0  # decades that one step may count for, however far the loss fell in it
Array = NDArray[np.float64]


def hitting_times(
    loss: ArrayLike, epsilons: ArrayLike, steps: ArrayLike | None = None
) -> NDArray[np.int64] | Array:
    """Return the first step with ``loss <= eps``, -1 (`CENSORED`) where there is none.

    Parameters
    ----------
    loss : array of shape (..., num_steps)
        Expected loss. From the first non-finite value on, nothing is used.
    epsilons : array of shape (num_eps,)
    steps : array of shape (num_steps,), optional
        Step numbers of the columns of `loss`, whole or not (epochs, FLOP); ``0, 1, ...`` by
        default.

    Returns
    -------
    array of shape (..., num_eps)
        Whole numbers where the steps are whole and below 2**53, floating otherwise.

    Raises
    ------
    ValueError
        If `steps` is not finite, does not increase (the first pair that does not is named) or
        does not match `loss`.

    Examples
    --------
    >>> hitting_times([1.0, 0.3, 0.08, float("nan"), 0.0], [0.5, 0.1, 0.01])
    array([ 1,  2, -1])
    >>> hitting_times([1.0, 0.3, 0.08], [0.5, 0.1], steps=[0.5, 1.5, 2.7])
    array([1.5, 2.7])
    """
    values, eps = np.asarray(loss, dtype=np.float64), np.asarray(epsilons, dtype=np.float64)
    number = np.arange(values.shape[-1]) if steps is None else np.asarray(steps)
    if number.shape != values.shape[-1:]:
        raise ValueError(f"steps must be one for each of {values.shape[-1]} losses, got {number}")
    check_steps(number)
    usable = np.logical_and.accumulate(np.isfinite(values), axis=-1)
    hit = (values[..., None, :] <= eps[:, None]) & usable[..., None, :]
    found = np.where(hit.any(axis=-1), number[hit.argmax(axis=-1)], CENSORED)
    if number.dtype.kind in "iu":
        return found.astype(np.int64)
    return found.astype(np.float64)


def check_steps(steps: NDArray[np.generic]) -> None:
    """Refuse steps that are not finite and increasing; the first row at fault is named."""
    try:
        number = steps.astype(np.float64)
    except (TypeError, ValueError):
        raise ValueError(f"steps must be numbers, got {steps!r}") from None
    bad = np.flatnonzero(~np.isfinite(number))
    if bad.size:
        raise ValueError(f"steps must be finite, row {bad[0]} is {number[bad[0]]}")
    fall = np.flatnonzero(np.diff(number) <= 0)
    if fall.size:
        i = int(fall[0])
        raise ValueError(
            f"steps must be increasing, row {i + 1} is {number[i + 1]:g} after {number[i]:g}"
        )


@dataclass(frozen=True, eq=False)
class Curve:
    """One row, in units without scale: ``T = first + span * tau`` with tau in [0, 1]."""

    x: Array  # (num_points,) log(1/eps), increasing
    tau: Array  # (num_points,) increasing from 0
    first: float  # steps
    span: float  # steps
    bound: float  # x of the largest eps not reached at tau = 1; inf when nothing is censored
    grain: float = 0.0  # steps between looks at the loss: T is known no better

    @cached_property
    def contents(self) -> tuple[bytes, bytes, float]:
        """What a fit of the curve rests on; steps have no unit there."""
        return self.x.tobytes(), self.tau.tobytes(), self.bound

    @cached_property
    def blur(self) -> float:
        """Mean square error in x that comes from whole steps (or looks), as of a uniform error."""
        if not self.grain:
            return 0.0
        rise = np.diff(self.x)
        error = np.minimum(self.grain * rise / np.diff(self.times), rise.max())
        return float(np.mean(error**2)) / 12.0

    @cached_property
    def times(self) -> Array:
        """Steps of the points."""
        return self.first + self.span * self.tau

    @cached_property
    def decades(self) -> float:
        """Range of eps that was reached; what one step passed counts for `STEP_CAP` at most."""
        return float(np.minimum(np.diff(self.x) / np.log(10.0), STEP_CAP).sum())

    @property
    def points_per_decade(self) -> float:
        """Steps per decade of the whole fall, jumps counted in full."""
        return float((self.x.size - 1) / ((self.x[-1] - self.x[0]) / np.log(10.0)))

    @cached_property
    def effective_points(self) -> float:
        """Number of points that count as independent: two a decade, whatever the grid."""
        return min(self.x.size, max(MIN_POINTS, 2.0 * self.decades))

    @cached_property
    def stopped(self) -> bool:
        """Whether the log law of the reached points overshoots the bound by over a decade."""
        slope, start = np.polyfit(self.tau, self.x, 1)
        return bool(start + slope - self.bound > np.log(10.0))

    def unbounded(self) -> Curve:
        """Return the reached points alone, without the bound at the budget."""
        end = self.tau[-1]
        return replace(self, tau=self.tau / end, span=self.span * end, bound=np.inf)

    def below(self, start: float, stop: float = np.inf) -> Curve | None:
        """Return the part with x in [start, stop]; None when fewer than four points."""
        inside = (self.x >= start - 1e-9) & (self.x <= stop + 1e-9)
        if inside.sum() < 4:
            return None
        last = bool(inside[-1])
        late = self.bound if last else np.inf
        end = 1.0 if last else float(self.tau[inside][-1])
        end = self.first + self.span * end
        return make_curve(self.x[inside], self.times[inside], late, end, self.grain)


def make_curve(
    x: Array, times: Array, late: float = np.inf, end: float | None = None, grain: float = 0.0
) -> Curve:
    """Return the curve of points (x, T), both increasing, with x < `late` up to step `end`."""
    span = float((times[-1] if end is None or not np.isfinite(late) else end) - times[0])
    return Curve(x, (times - times[0]) / span, float(times[0]), span, float(late), grain)


@dataclass(frozen=True, eq=False)
class CurveTable:
    """Checked and cleaned hitting times, eps falling along a row."""

    x: Array  # (num_eps,) log(1/eps), increasing
    hits: Array  # (num_curves, num_eps)
    budget: Array | None  # (num_curves,), None when not given
    watched: Array | None = None  # (num_curves,) last step at which a loss was seen

    def curve(self, row: int) -> Curve | None:
        """Reduce a row to its informative points; None when fewer than four.

        One point a step is kept (the smallest eps), none at step 0. The last step keeps its
        largest eps where it passed the end of the grid: how far the loss fell is not known.
        """
        hits = self.hits[row]
        reached = hits > 0
        x, times = self.x[reached], hits[reached]
        if np.unique(times).size < 4:
            return None
        last = np.diff(times, append=np.inf) > 0
        late = self.x[(hits == CENSORED) & (self.x > x[-1])]
        if not late.size and self.x[-1] == x[-1]:  # an open end
            last[-1] = False
            last[np.searchsorted(times, times[-1])] = True
        x, times = x[last], times[last]
        end = times[-1] if self.budget is None or not late.size else self.budget[row]
        bound = float(late[0]) if late.size else np.inf
        return make_curve(x, times, bound, float(end), self.grain)

    @property
    def grain(self) -> float:
        """Largest number that all hits are multiples of: looks at the loss, or whole steps.

        Euclid's algorithm on what may be scaled whole numbers; far below a step where there is
        no such number.
        """
        hits = np.unique(self.hits[self.hits > 0])
        least = 1e-11 * float(hits[-1]) if hits.size else 0.0
        if not hits.size or hits[0] < 100.0 * least:
            return 0.0
        grain = 0.0
        for hit in hits:
            larger, smaller = float(hit), grain
            while smaller > least:
                larger, smaller = smaller, larger % smaller
                if (
                    larger - smaller <= least
                ):  # a remainder that is a whole period, but for rounding
                    smaller = 0.0
            grain = larger
        return grain

    def distinct_steps(self) -> list[int]:
        """Return the number of distinct steps after step 0 in every row."""
        return [int(np.unique(row[row > 0]).size) for row in self.hits]

    @property
    def lacks_budget(self) -> bool:
        """Whether entries are censored at a budget nobody told."""
        return self.budget is None and bool(np.any(self.hits == CENSORED))


def read_curves(
    epsilons: ArrayLike,
    hits: ArrayLike,
    budget: ArrayLike | None = None,
    eps_range: tuple[float, float] | None = None,
    watched: ArrayLike | None = None,
) -> CurveTable:
    """Check hitting times and put them in order of falling eps; arguments as for `decide`.

    A censored entry above a reached one contradicts itself: it is turned into a missing one.
    """
    eps, times = np.asarray(epsilons, dtype=np.float64), np.asarray(hits, dtype=np.float64)
    check_epsilons(eps)
    if np.unique(eps).size < eps.size:
        raise ValueError(f"epsilons must be distinct, positive and finite, got {eps}")
    if times.ndim != 2 or times.shape[1] != eps.size:
        raise ValueError(f"hits must have shape (num_curves, {eps.size}), got {times.shape}")
    if not np.all(np.isfinite(times) & ((times >= 0) | np.isin(times, (CENSORED, MISSING)))):
        raise ValueError("hits must be >= 0, or CENSORED (-1), or MISSING (-2)")
    limit = _last_steps("budget", budget, times)
    seen = _last_steps("watched", watched, times)
    order = np.argsort(-eps)
    eps, times = eps[order], times[:, order]
    if np.any((times >= 0) & (times < np.maximum.accumulate(times, axis=1))):
        raise ValueError("hits must not decrease as eps falls")
    if eps_range is not None:
        low, high = eps_range
        if not 0 < low < high:
            raise ValueError(f"eps_range must satisfy 0 < low < high, got {eps_range}")
        inside = (eps >= low) & (eps <= high)
        eps, times = eps[inside], times[:, inside]
    later = np.maximum.accumulate(times[:, ::-1], axis=1)[:, ::-1]
    times = np.where((times == CENSORED) & (later >= 0), MISSING, times)
    return CurveTable(-np.log(eps), times, limit, seen)


def _last_steps(name: str, value: ArrayLike | None, times: Array) -> Array | None:
    """Return a last step for every curve, none before a hit; None stays None."""
    if value is None:
        return None
    last = np.broadcast_to(np.asarray(value, dtype=np.float64), times.shape[:1])
    if not np.all(np.isfinite(last)) or np.any(times > last[:, None]):
        raise ValueError(f"{name} must be finite and at least every hit, got {value}")
    return last


def check_epsilons(eps: Array) -> None:
    """Refuse accuracies that are not a row of positive finite numbers."""
    if eps.ndim != 1 or not np.all(np.isfinite(eps) & (eps > 0)):
        raise ValueError(f"epsilons must be distinct, positive and finite, got {eps}")
