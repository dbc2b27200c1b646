"""Runs: training curves as they were logged, cleaned by rules that count what they leave out.

Empty is not diverged: a gap in a column that is filled again further on was not logged and is
dropped; a run whose values end in NaN (longer than its usual gaps) or meet an infinity diverged
there. The last usable step is the budget of the run. Nothing is dropped without being counted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from motsim.rates.copies import distinct_runs
from motsim.rates.curves import STEP_CAP, Array, Curve, make_curve
from motsim.rates.noise import MonotoneMean, monotone_mean
from motsim.rates.sample import Sample, called

PASSAGES = ("first", "stay")
POINTS_PER_DECADE, LEAST_POINTS, MAX_POINTS = 8, 24, 64
BOUND_MARGIN = 0.01  # nats: a loss that stands still does so to one per cent
Passage = Literal["first", "stay"]


@dataclass(frozen=True, eq=False)
class Run:
    """One training run: finite losses at increasing steps, and what became of the rest."""

    name: str
    steps: Array  # (n,) increasing
    loss: Array  # (n,) finite
    diverged_at: float | None = None  # step of the first value of the end that is not finite
    num_empty: int = 0  # rows where the loss was not logged
    num_repeated: int = 0  # rows of a step that a later row tells again

    @property
    def end(self) -> float:
        """Last step at which a loss was seen: the budget of the run."""
        return float(self.steps[-1])

    @cached_property
    def mean(self) -> MonotoneMean | None:
        """Monotone mean of a loss that is noisy from row to row; None where T needs none."""
        return monotone_mean(self.steps, self.loss) if np.all(self.loss > 0.0) else None

    def minus(self, floor: float) -> Run:
        """Return the run of ``loss - floor``."""
        return Run(
            self.name, self.steps, self.loss - floor, self.diverged_at,
            self.num_empty, self.num_repeated,
        )  # fmt: skip


def clean_run(name: str, steps: ArrayLike, loss: ArrayLike, rows: ArrayLike | None = None) -> Run:
    """Return a run from its logged rows.

    Parameters
    ----------
    name : str
    steps, loss : arrays of shape (n,)
        In the order of the log; steps may repeat (the last logged loss of a step counts).
    rows : int array of shape (n,), optional
        Numbers of the rows, to name one that is wrong; ``1, 2, ...`` by default.

    Raises
    ------
    ValueError
        If a step is not finite or smaller than the one before, or no loss is left.
    """
    number, value = np.asarray(steps, dtype=np.float64), np.asarray(loss, dtype=np.float64)
    row = np.arange(1, number.size + 1) if rows is None else np.asarray(rows)
    if number.shape != value.shape or number.ndim != 1:
        raise ValueError(
            f"{called(name)}: one step for each loss, got {number.size} and {value.size}"
        )
    bad = np.flatnonzero(~np.isfinite(number))
    if bad.size:
        raise ValueError(f"{called(name)}, row {row[bad[0]]}: step {number[bad[0]]} is not finite")
    fall = np.flatnonzero(np.diff(number) < 0)
    if fall.size:
        i = int(fall[0]) + 1
        raise ValueError(
            f"{called(name)}, row {row[i]}: step {number[i]:g} follows step {number[i - 1]:g}:"
            " steps of a run increase (is a column that names runs missing, or the file not sorted"
            " by step?)"
        )
    number, value, diverged_at = _usable(number, value)
    logged = np.isfinite(value)
    num_empty = int((~logged).sum())
    number, value = number[logged], value[logged]
    if not value.size:
        raise ValueError(f"{called(name)}: no loss was logged")
    last = np.append(np.diff(number) > 0, True)
    return Run(name, number[last], value[last], diverged_at, num_empty, int((~last).sum()))


def _usable(steps: Array, loss: Array) -> tuple[Array, Array, float | None]:
    """Cut at the first infinity, or at an end of NaN that is no usual gap between logs."""
    infinite = np.flatnonzero(np.isinf(loss))
    if infinite.size and infinite[0] > 0:
        i = int(infinite[0])
        return steps[:i], loss[:i], float(steps[i])
    finite = np.flatnonzero(np.isfinite(loss))
    if infinite.size or not finite.size:
        return steps[:0], loss[:0], float(steps[0]) if steps.size else None
    tail = loss.size - 1 - int(finite[-1])
    gaps = np.diff(finite) - 1
    usual = int(gaps.max(initial=0))
    if tail >= 2 and tail > 2 * usual:
        i = int(finite[-1]) + 1
        return steps[:i], loss[:i], float(steps[i])
    return steps, loss, None


def passages(run: Run, passage: Passage = "first") -> tuple[Array, Array]:
    """Return steps T and losses L with ``T = T(L)``, exactly, at every new least loss.

    ``first`` is the first step with ``loss <= eps``; ``stay`` the first from which the loss stays
    there to the end. Values that are not positive are left out. First passage of a noisy loss is
    that of its monotone mean.
    """
    if passage == "first" and run.mean is not None:
        later = run.mean.steps > 0.0
        return run.mean.steps[later], run.mean.loss[later]
    loss = run.loss
    if passage == "stay":
        loss = np.maximum.accumulate(loss[::-1])[::-1]
    least = np.minimum.accumulate(loss)
    new = np.append(True, least[1:] < least[:-1]) & (least > 0.0) & (run.steps > 0.0)
    return run.steps[new], least[new]


def curve_of(
    run: Run, passage: Passage = "first", eps_range: tuple[float, float] | None = None
) -> Curve | None:
    """Return the curve of a run, at eps values of its own; None when fewer than four points.

    At most `POINTS_PER_DECADE` points a decade and `MAX_POINTS` in all are kept, evenly in
    log(1/eps), the first and the last always. Where the loss stood still from the last of them to
    the end of the run, the end is a bound.
    """
    times, loss = passages(run, passage)
    size = _before_leap(times, loss, run.end) if passage == "stay" else times.size
    cut = size < times.size
    times, loss = times[:size], loss[:size]
    if eps_range is not None:
        inside = (loss >= eps_range[0]) & (loss <= eps_range[1])
        whole = bool(inside.size and inside[-1])
        times, loss = times[inside], loss[inside]
    else:
        whole = True
    if times.size < 4:
        return None
    x = -np.log(loss)
    decades = (x[-1] - x[0]) / np.log(10.0)
    count = int(np.clip(np.ceil(decades * POINTS_PER_DECADE), LEAST_POINTS, MAX_POINTS))
    if x.size > count + 1:
        # the nearest point: the first beyond would be one that noise made low
        knots, near = np.linspace(x[0], x[-1], count + 1)[:-1], x
        if passage == "first" and run.mean is not None:
            near = np.append(0.5 * (x[1:] + x[:-1]), np.inf)
        keep = np.unique(np.append(np.searchsorted(near, knots), x.size - 1))
        x, times = x[keep], times[keep]
    if x.size < 4:
        return None
    # a run that rose after its least loss did not stand still: its end says nothing of a floor
    still = bool(run.loss.min() > 0.0 and run.loss[-1] <= 2.0 * run.loss.min())
    end = run.end
    if passage == "first" and run.mean is not None:
        still, end = True, run.mean.end
    idle = whole and not cut and end > times[-1] and still
    return make_curve(x, times, float(x[-1]) + BOUND_MARGIN if idle else np.inf, end)


def _before_leap(times: Array, loss: Array, end: float) -> int:
    """Count the points before what the last row passed over, or a leap longer than what follows.

    A loss stays below every eps of its last row, as no row comes after: how long it would have
    stayed there is not known. So it is after the last of its bursts, which one step leaps over.
    """
    x = -np.log(loss)
    last = times.size - int(times.size > 0 and times[-1] == end)
    leaps = np.diff(x)
    for i in np.flatnonzero(leaps > STEP_CAP * np.log(10.0)):
        if x[-1] - x[i + 1] < leaps[i]:
            last = min(last, int(i) + 1)
    return last


def sample_of_runs(
    runs: Sequence[Run],
    passage: Passage = "first",
    eps_range: tuple[float, float] | None = None,
) -> Sample:
    """Return the sample of runs of one method; runs whose logs agree are one run."""
    kept = distinct_runs(runs)
    whole = [run for run in kept if run.diverged_at is None]
    return Sample(
        curves=tuple(curve_of(run, passage, eps_range) for run in whole),
        names=tuple(run.name for run in whole),
        distinct_steps=tuple(_distinct(run, passage, eps_range) for run in whole),
        num_curves=len(runs),
        num_diverged=len(kept) - len(whole),
        num_copies=len(runs) - len(kept),
        end=float(np.median([run.end for run in whole])) if whole else 0.0,
    )


def _distinct(run: Run, passage: Passage, eps_range: tuple[float, float] | None) -> int:
    _, loss = passages(run, passage)
    low, high = eps_range or (0.0, np.inf)
    return int(((loss >= low) & (loss <= high)).sum())
