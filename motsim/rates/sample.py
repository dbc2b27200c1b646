"""A sample of curves: what a decision is made from, and what was left out of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from motsim.rates.curves import CENSORED, MIN_POINTS, MISSING, SAME, Curve, CurveTable
from motsim.rates.evidence import P, likelihood
from motsim.rates.fits import fit_floors, fit_lines, fit_powers
from motsim.rates.floors import bends_like_a_floor, fit_floored_powers
from motsim.rates.laws import Array

CLEAR = 2.0  # log likelihood a curve: true floors gain 2 to 25, powers cut short at most 1.5


def called(name: str) -> str:
    """Return a run's name with the word run before it, once."""
    return name if name.lower().startswith("run") else f"run {name}"


@dataclass(frozen=True, eq=False)
class Sample:
    """Curves of one method; None stands for a run that has fewer than four distinct points.

    `num_curves` counts all runs that were handed over, copies too. `told` are budgets that
    nothing but the caller's word supports, one for each curve (NaN where the end was seen).
    `end` is the step that half of the runs have passed, 0 where only hitting times are known.
    """

    curves: tuple[Curve | None, ...]
    names: tuple[str, ...]
    distinct_steps: tuple[int, ...]
    num_curves: int
    num_censored: int = 0
    num_missing: int = 0
    share_missing: float = 0.0
    num_diverged: int = 0
    num_copies: int = 0
    lacks_budget: bool = False
    told: Array | None = None
    end: float = 0.0

    @property
    def usable(self) -> list[Curve]:
        """The curves that can be fitted."""
        return [c for c in self.curves if c is not None]


def sample_of_hits(table: CurveTable, num_diverged: int, independent: bool = False) -> Sample:
    """Return the distinct rows of a table of hitting times; all, if known to be independent.

    Rows that are equal in every entry, with four distinct steps or more, are one run; so are rows
    of which one is the other's beginning, with six distinct steps or more.
    """
    rows: list[int] = []
    for row, values in enumerate(table.hits):
        same = None if independent else next(
            (i for i, r in enumerate(rows) if _same_curve(table.hits[r], values)), None
        )  # fmt: skip
        if same is None:
            rows.append(row)
        elif (values > 0).sum() > (table.hits[rows[same]] > 0).sum():
            rows[same] = row
    kept = table.hits[rows]
    told = None
    if table.budget is not None and table.watched is None:
        last = np.where(kept > 0, kept, 0.0).max(axis=1)
        told = np.where(table.budget[rows] > last, table.budget[rows], np.nan)
    steps = table.distinct_steps()
    return Sample(
        curves=tuple(table.curve(row) for row in rows),
        names=tuple(str(row) for row in rows),
        distinct_steps=tuple(steps[row] for row in rows),
        num_curves=len(table.hits),
        num_censored=int(np.sum(kept == CENSORED)),
        num_missing=int(np.sum(kept == MISSING)),
        share_missing=float(np.mean(kept == MISSING)) if kept.size else 0.0,
        num_diverged=num_diverged,
        num_copies=len(table.hits) - len(rows),
        lacks_budget=table.lacks_budget,
        told=told,
    )


def _same_curve(one: Array, other: Array) -> bool:
    """Whether two rows of hitting times are one curve, perhaps cut at two lengths."""
    both = (one > 0) & (other > 0)
    if not np.allclose(one[both], other[both], rtol=SAME, atol=0.0):
        return False
    if both.sum() < min((one > 0).sum(), (other > 0).sum()):
        return False
    distinct = np.unique(one[both]).size
    return bool(distinct >= (4 if np.array_equal(one > 0, other > 0) else MIN_POINTS))


def trusted_bounds(sample: Sample) -> tuple[list[Curve], str]:
    """Return the curves whose bounds can be believed, and a warning ("" without).

    A run that stopped at a floor bends before it stops: the gap to the floor has closed as far
    as the next eps that it never reached. Where budgets are told but curves that should have
    stopped keep falling as before up to their last hit, nothing shows that they were watched any
    longer, and the bounds say nothing.
    """
    curves = sample.usable
    if sample.told is None:
        return curves, ""
    told = [t for t, c in zip(sample.told, sample.curves, strict=True) if c is not None]
    doubted = [i for i, c in enumerate(curves) if np.isfinite(told[i]) and c.stopped]
    if not doubted or _bend([curves[i].unbounded() for i in doubted]):
        return curves, ""
    last = max(curves[i].unbounded().times[-1] for i in doubted)
    budget = max(told[i] for i in doubted)
    curves = [c.unbounded() if i in doubted else c for i, c in enumerate(curves)]
    return curves, (
        f"Nothing shows that the runs were watched beyond step {last:.6g} (a budget of {budget:.6g}"
        f" was told): {len(doubted)} of {len(curves)} curves still fall at their last hit."
    )


def _bend(curves: Sequence[Curve]) -> bool:
    """Whether the reached points alone bend towards a floor: clearly by BIC, or at their end."""
    size = np.log([c.effective_points for c in curves])
    lines, powers, line_floors, power_floors = (
        likelihood(squares.reshape(len(curves), -1), curves).max(axis=1)
        for squares in (
            fit_lines(curves)[0],
            fit_powers(curves, P[P > 0.0])[0],
            fit_floors(curves)[0],
            fit_floored_powers(curves)[0],
        )
    )
    free = float(np.maximum(lines, powers - 0.5 * size).sum())
    towards = float((np.maximum(line_floors, power_floors - 0.5 * size) - 0.5 * size).sum())
    alike = sum(bends_like_a_floor(c) for c in curves) > 0.75 * len(curves)
    return (alike and towards > free + CLEAR * len(curves)) or _last_steps_grow(curves)


def _last_steps_grow(curves: Sequence[Curve]) -> bool:
    """Whether the last hit took longer than the law before it says, in most curves alike."""
    excess = []
    for c in curves:
        rate = np.log(np.diff(c.tau) / np.diff(c.x))
        if rate.size >= 5:
            before = slice(max(rate.size - 11, 0), -1)
            x = c.x[1:]
            excess.append(rate[-1] - np.polyval(np.polyfit(x[before], rate[before], 1), x[-1]))
    if len(excess) < 3:
        return False
    mean, error = np.mean(excess), np.std(excess, ddof=1) / np.sqrt(len(excess))
    return bool(mean > np.log(1.5) and mean > 2.5 * error)
