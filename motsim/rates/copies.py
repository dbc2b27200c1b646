"""Copies: one training curve handed over as several runs, in whatever digits or rows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from motsim.rates.curves import MIN_POINTS, SAME
from motsim.rates.laws import Array

if TYPE_CHECKING:
    from motsim.rates.runs import Run

AGREE = 1e-4  # relative: above what float32 or six digits round off, below what seeds differ by
CENTERED = 1e-5  # mean of what is rounded off: seeds that differ by a factor are not centered
FALL = 1.0  # nats that runs must fall together: before it all seeds may look alike
INSIDE = 0.9  # share of the shorter run's rows that must lie within the other's steps


def distinct_runs(runs: Sequence[Run]) -> list[Run]:
    """Return the runs, of copies the one with most rows; a run that diverged is none.

    Runs of which one begins as the other are one curve cut at two lengths.
    """
    kept: list[Run] = []
    whole: list[int] = []  # indices of runs that can be copied
    for run in runs:
        if run.diverged_at is not None or not run.steps.size:
            kept.append(run)
            continue
        same = next((i for i in whole if same_curve(kept[i], run)), None)
        if same is None:
            whole.append(len(kept))
            kept.append(run)
        elif run.steps.size > kept[same].steps.size:
            kept[same] = run
    return kept


def same_curve(one: Run, other: Run) -> bool:
    """Whether two runs are one curve: to rounding, over all steps that both of them cover."""
    few, many = sorted((one, other), key=lambda run: run.steps.size)
    if not _may_agree(few, many):
        return False
    n = few.steps.size
    if np.array_equal(few.steps, many.steps[:n]):
        if np.allclose(few.loss, many.loss[:n], rtol=SAME, atol=0.0):
            return True
        return _agree(few.loss, many.loss[:n], CENTERED)
    nearest = np.clip(np.searchsorted(many.steps, few.steps), 0, many.steps.size - 1)
    common = many.steps[nearest] == few.steps
    if common.sum() > 0.5 * n and common.sum() >= INSIDE * np.sum(few.steps <= many.end):
        return _agree(few.loss[common], many.loss[nearest[common]], CENTERED)
    return any(_agree_between(few, many, scale) for scale in (np.positive, np.log))


def _may_agree(few: Run, many: Run) -> bool:
    """Compare one row, as most pairs differ in each: the first, the middle of the shorter run."""
    first, other = float(few.loss[0]), float(many.loss[0])
    if few.steps[0] == many.steps[0] and abs(first - other) > 2.0 * AGREE * abs(other):
        return False
    i = few.steps.size // 2
    step, loss = few.steps[i], few.loss[i]
    after = int(np.searchsorted(many.steps, step))
    around = many.loss[max(after - 1, 0) : after + 1]
    if after >= many.steps.size:
        return False
    margin = 1.0 + 2.0 * AGREE
    return bool((around.min() <= loss * margin and loss <= around.max() * margin) or loss <= 0.0)


def _agree(one: Array, other: Array, mean: float = AGREE) -> bool:
    """Whether losses at the same steps agree to `AGREE`, and fall by `FALL` at least."""
    if not np.allclose(one, other, rtol=AGREE, atol=0.0):
        return False
    both = (one > 0.0) & (other > 0.0)
    if both.any() and abs(float(np.mean(np.log(one[both] / other[both])))) > mean:
        return False
    seen = one[one > 0.0]
    return bool(np.unique(seen).size >= MIN_POINTS and np.log(seen.max() / seen.min()) >= FALL)


def _agree_between(few: Run, many: Run, scale: Callable[[Array], Array]) -> bool:
    """Whether they agree where one, read between its rows, is known well enough to tell."""
    inside = (few.steps >= many.steps[0]) & (few.steps <= many.end)
    if inside.sum() < INSIDE * few.steps.size or many.steps.size < MIN_POINTS:
        return False
    if min(few.steps[0], many.steps[0], few.loss.min(), many.loss.min()) <= 0.0:
        return False
    at, rows, log = scale(few.steps[inside]), scale(many.steps), np.log(many.loss)
    gap = np.diff(rows)
    bend = np.zeros(rows.size)
    bend[1:-1] = np.abs(np.diff(np.diff(log) / gap)) / (0.5 * (gap[1:] + gap[:-1]))
    gaps = np.clip(np.searchsorted(rows, at) - 1, 0, gap.size - 1)
    error = np.maximum(bend[gaps], bend[gaps + 1]) * gap[gaps] ** 2 / 8.0
    known = error < 0.5 * AGREE
    if known.sum() < max(MIN_POINTS, 0.5 * at.size):
        return False
    return _agree(few.loss[inside][known], np.exp(np.interp(at, rows, log))[known])
