"""From what training runs logged to the law that T(eps) follows: the function `rate`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from motsim.checks import listed
from motsim.rates.decision import decide_sample
from motsim.rates.floors import fit_floored_powers
from motsim.rates.gate import MIN_DECADES
from motsim.rates.groups import Rates
from motsim.rates.judgement import MIN_CURVES
from motsim.rates.question import Question
from motsim.rates.rate import Rate
from motsim.rates.reading import Curves, ReadingError, read
from motsim.rates.remarks import lattice, own_floor, remarks
from motsim.rates.runs import Passage, Run, clean_run, curve_of, sample_of_runs
from motsim.rates.sample import called

__all__ = ["rate"]

IOH_LEAST = 1e-9
MAX_RUNS = 500  # more add nothing to an interval but time


def rate(
    data: Any,
    *,
    loss: str | None = None,
    step: str | None = None,
    run: Sequence[str] | str = (),
    where: Mapping[str, Any] | Sequence[str] | None = None,
    by: Sequence[str] | str = (),
    optimum: float | None = None,
    floor: float | str = 0.0,
    eps_range: tuple[float, float] | None = None,
    passage: Passage = "first",
    level: float = 0.95,
) -> Rate | Rates:
    """Decide which law the steps to accuracy of training runs follow.

    Parameters
    ----------
    data : path, list of paths, DataFrame, or array of shape (num_steps, num_runs)
        What the runs logged, long or wide; formats are those of `motsim.rates.reading`.
    loss, step : str, optional
        Names of columns; guessed from what is there, and the guess is in `Rate.notes`.
    run : str or sequence of str
        Columns that name a run.
    where : mapping or sequence of "column=value", optional
        Rows to use.
    by : str or sequence of str
        Columns whose values name groups: one rate each.
    optimum : float, optional
        Best value of a quantity that rises: eps = optimum - value.
    floor : float or "estimate"
        Subtracted from the loss: its infimum, known from elsewhere. ``estimate`` takes it from
        the runs themselves, one each, and looks no closer than three times the last gap to it.
    eps_range : (low, high), optional
        Range of eps the question is about; stated in advance, not searched for.
    passage : {"first", "stay"}
        First step with loss <= eps, or the first from which the loss stays there.
    level : float
        Confidence level.

    Returns
    -------
    Rate, or Rates (a mapping by group) where there is more than one group

    Raises
    ------
    ReadingError
        A ValueError: in one line what cannot be read or is not meant, and the nearest choice.

    Examples
    --------
    >>> steps = np.arange(1, 2001)
    >>> wide = pd.DataFrame({k: 3.0 * np.exp(-steps / (90 + k)) for k in range(5)}, index=steps)
    >>> rate(wide, eps_range=(1e-8, 1.0)).law
    'log'
    """
    question = Question(floor, eps_range, passage, level)
    curves = read(data, loss=loss, step=step, run=run, where=where, by=by, optimum=optimum)
    found = {}
    for name, part in _groups(curves.frame).items():
        try:
            found[name] = _rate_of(name, part, curves, question)
        except ReadingError as error:
            parts = (_file(data), name, str(error))
            raise ReadingError(": ".join(text for text in parts if text)) from None
    if len(found) == 1:
        return next(iter(found.values()))
    return Rates(found, curves.notes)


def _file(data: object) -> str:
    """Name of the file that was handed over, if it is one."""
    one = data[0] if isinstance(data, (list, tuple)) and len(data) == 1 else data
    return Path(one).name if isinstance(one, (str, Path)) else ""


def _groups(frame: pd.DataFrame) -> dict[str, pd.DataFrame]:
    parts = {str(name): part for name, part in frame.groupby("group", sort=False, observed=True)}
    return parts or {"": frame}


def _rate_of(name: str, frame: pd.DataFrame, curves: Curves, question: Question) -> Rate:
    floor, eps_range, passage = question.floor, question.eps_range, question.passage
    runs, skipped = _runs(frame, curves.loss_column)
    notes = [*curves.notes, *skipped]
    asked = eps_range
    if isinstance(floor, str):
        runs, eps_range, note = _estimated(runs, eps_range)
        notes.append(note)
    elif floor:
        runs = [r.minus(floor) for r in runs]
        notes.append(f"Floor {floor:g} was subtracted from every loss.")
    _check_values(runs, curves.loss_column, floor, asked)
    if curves.kind == "ioh":  # ten decimals: what is smaller reads back as 0
        low, high = eps_range or (0.0, np.inf)
        eps_range = (max(low, IOH_LEAST), high)
        notes.append(f"Values have ten decimals: no eps below {IOH_LEAST:g} is looked at.")
    judged = runs
    if len(runs) > MAX_RUNS:
        judged = [runs[i] for i in np.linspace(0, len(runs) - 1, MAX_RUNS).astype(int)]
        notes.append(f"{MAX_RUNS} of {len(runs):,} runs, spread evenly over them, were judged.")
    sample = sample_of_runs(judged, passage, eps_range)
    decision = decide_sample(sample, level=question.level)
    if decision.law == "inconclusive" and asked is not None:
        deeper = [r for r in runs if (r.loss[r.loss > 0] < asked[0] / 2).any()]
        if decision.decades < MIN_DECADES and len(deeper) >= 0.5 * len(runs):
            text = f"state a wider range: {len(deeper)} of {len(runs)} runs went below it"
            if len(sample.curves) < MIN_CURVES:
                text = f"{decision.advice.split('; ')[0]}; {text}"
            decision = replace(decision, advice=text)
    said = remarks(runs, passage)
    known = floor or curves.kind == "ioh" or curves.optimum is not None
    if not known and (zeros := own_floor(runs)):
        whose = "each run's least loss" if zeros == len(runs) else f"the least loss of {zeros} runs"
        text = (
            f"{whose} is exactly 0: its own minimum was subtracted, or it reached 0 in one step;"
            " the last decades above it come from one step"
        )
        advice = "subtract an infimum known from elsewhere (--floor X), or say --floor estimate"
        decision = replace(decision, law="inconclusive", reason=text, advice=advice)
    grid = lattice(runs)
    if grid and decision.law == "inconclusive" and grid.decades < MIN_DECADES:
        decision = replace(decision, advice=grid.advice)
    notes += said
    return Rate(
        decision, tuple(runs), tuple(sample.usable), tuple(notes), name,
        curves.loss_column, curves.step_column, passage, eps_range, question.level,
    )  # fmt: skip


def _runs(frame: pd.DataFrame, column: str) -> tuple[list[Run], list[str]]:
    """Return the runs of one group, and what was left out of them."""
    runs: list[Run] = []
    unlogged: list[str] = []
    for name, part in frame.groupby("run", sort=False, observed=True):
        loss = part["loss"].to_numpy(np.float64)
        if not np.isfinite(loss).any() and not np.isinf(loss).any():
            unlogged.append(str(name))
            continue
        try:
            runs.append(clean_run(str(name), part["step"], loss, part["row"]))
        except ValueError as error:
            if np.isinf(loss).any() or "no loss" in str(error):
                unlogged.append(str(name))
                continue
            raise ReadingError(str(error)) from None
    notes = []
    if unlogged:
        count = f"{len(unlogged)} run{'s have' if len(unlogged) > 1 else ' has'}"
        notes.append(f"{count} no finite loss, and is left out: {listed(unlogged, 5)}.")
    if not runs:
        raise ReadingError(f"no run has a finite loss; is {column!r} the right column (--loss)?")
    return runs, notes


def _check_values(
    runs: Sequence[Run], column: str, floor: float | str, asked: tuple[float, float] | None
) -> None:
    """Refuse losses that hold no eps at all, with the values seen."""
    low = min(float(r.loss.min()) for r in runs)
    high = max(float(r.loss.max()) for r in runs)
    after = f" minus the floor {floor:g}" if not isinstance(floor, str) and floor else ""
    if high <= 0.0:
        raise ReadingError(
            f"column {column!r}{after} is never positive ({low:.4g} to {high:.4g}): eps is the"
            " distance to the least possible value, give it as --floor"
        )
    if low == high:
        raise ReadingError(f"column {column!r} is {low:.4g} in every row: nothing falls")
    if asked is not None and (high < asked[0] or low > asked[1]):
        raise ReadingError(
            f"range {asked[0]:g} to {asked[1]:g} holds no loss; column {column!r}{after} goes from"
            f" {high:.4g} down to {low:.4g}"
        )


def _estimated(
    runs: Sequence[Run], eps_range: tuple[float, float] | None
) -> tuple[list[Run], tuple[float, float], str]:
    """Subtract a floor fitted to each run; return the range that it leaves to look at."""
    shifted, floors, nearest = [], [], 0.0
    for run in runs:
        curve = curve_of(run)
        if curve is None:
            raise ReadingError(f"--floor estimate: {called(run.name)} has fewer than four points")
        squares, log_floors = fit_floored_powers([curve])
        floor = float(np.exp(log_floors[0, squares[0].argmin()]))
        floors.append(floor)
        shifted.append(run.minus(floor))
        nearest = max(nearest, 3.0 * (float(run.loss.min()) - floor))
    low, high = eps_range or (0.0, np.inf)
    low = max(low, nearest, 1e-300)
    if not low < high:
        raise ReadingError(
            f"--floor estimate leaves nothing below {high:g}; it looks down to {low:g}"
        )
    note = (
        f"Floors were estimated from the runs themselves, one each ({min(floors):.6g} to"
        f" {max(floors):.6g}); eps below"
        f" {low:.2g} (three times the last gap to a floor) is not looked at."
    )
    return shifted, (low, high), note
