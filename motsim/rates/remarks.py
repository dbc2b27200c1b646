"""What a reader of T(eps) should know of the runs, and what their losses show of themselves."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from motsim.rates.laws import Array
from motsim.rates.noise import row_noise
from motsim.rates.runs import Passage, Run


def remarks(runs: Iterable[Run], passage: Passage = "first") -> list[str]:
    """Say what a reader of T(eps) should know: noise, rises, bursts, zeros, diverged runs."""
    runs = list(runs)
    n, found = len(runs), _noise(runs, passage)
    diverged = [r for r in runs if r.diverged_at is not None]
    if diverged:
        first = min(r.diverged_at or 0.0 for r in diverged)
        found.append(f"{len(diverged)} of {n} runs diverged (first at step {first:.6g}).")
    before = [int((r.steps < 0.0).sum()) for r in runs]
    if any(before):
        found.append(
            f"The step is negative in {sum(before):,} rows of"
            f" {sum(map(bool, before))} of {n} runs: no T is read off there."
        )
    zeros = [r for r in runs if np.any(r.loss == 0.0)]
    if zeros:
        step = min(float(r.steps[np.flatnonzero(r.loss == 0.0)[0]]) for r in zeros)
        found.append(
            f"The loss is exactly 0 in {len(zeros)} of {n} runs (first at step {step:.6g}):"
            " no eps is read off a zero."
        )
    negative = [r for r in runs if np.any(r.loss < 0.0)]
    if negative:
        found.append(f"{len(negative)} of {n} runs fall below the floor: no eps is read off there.")
    above, largest, worst = 0, 1.0, (0.0, 0.0)
    for r in runs:
        loss = r.loss if r.mean is None or passage == "stay" else r.mean.rows
        least = np.minimum.accumulate(np.where(loss > 0.0, loss, np.inf))
        if not np.isfinite(least[-1]):
            continue
        above += bool(loss[-1] > 1.1 * least[-1])
        later = np.maximum.accumulate(loss[::-1])[::-1]
        ratio = later / least
        i = int(ratio.argmax())
        if ratio[i] > largest:
            largest, worst = float(ratio[i]), (float(least[i]), float(later[i]))
    if above:
        found.append(f"{above} of {n} runs end above an eps that they had reached.")
    if largest > 2.0 and passage == "first":
        found.append(
            f"After first reaching {worst[0]:.2g} the loss rises again, to {worst[1]:.2g} at most:"
            " T(eps) is first passage (--passage stay: the last)."
        )
    return found


def _noise(runs: Sequence[Run], passage: Passage) -> list[str]:
    """Say what noise from row to row was averaged, or could not be."""
    means = [r.mean.sigma for r in runs if r.mean is not None]
    bare = [s for r in runs if r.mean is None and (s := row_noise(_before_zero(r)))]
    found = []
    if means and passage == "first":
        found.append(
            f"The loss is noisy from row to row ({_size(means)}{_of(means, runs)}): T(eps) is where"
            " its monotone mean (isotonic regression) passes eps."
        )
    elif means:
        found.append(
            f"The loss is noisy from row to row ({_size(means)}{_of(means, runs)}): the step from"
            " which it stays below eps comes late where rows are dense, and p may be high."
        )
    if bare:
        found.append(
            f"The loss is noisy from row to row ({_size(bare)}{_of(bare, runs)}) and has values"
            " that are not positive: nothing is averaged, first passage comes early where rows are"
            " dense, and p may be low."
        )
    return found


def _before_zero(run: Run) -> Array:
    ends = np.flatnonzero(run.loss <= 0.0)
    return run.loss[: int(ends[0])] if ends.size else run.loss


def _size(sigma: Sequence[float]) -> str:
    percent = float(f"{100.0 * float(np.median(sigma)):.1g}")
    return f"about {percent:g} %"


def _of(found: Sequence[float], runs: Sequence[Run]) -> str:
    return f", {len(found)} of {len(runs)} runs" if len(found) < len(runs) else ""


@dataclass(frozen=True)
class Lattice:
    """Losses that are whole multiples of one number, as counts and error rates are."""

    unit: float
    largest: float

    @property
    def decades(self) -> float:
        """Decades of eps that exist at all."""
        return float(np.log10(self.largest / self.unit))

    @property
    def advice(self) -> str:
        """What follows for a law."""
        return (
            f"the loss moves in whole steps of {self.unit:g}, from {self.largest:g} at most: only"
            f" {self.decades:.1f} decades exist, which no budget can change; a larger problem can"
        )


def lattice(runs: Sequence[Run]) -> Lattice | None:
    """Return the lattice that the losses of all runs lie on, None where there is none.

    Asked only where some run has come down to the last multiple before 0.
    """
    loss = np.unique(np.concatenate([r.loss for r in runs]))
    positive = loss[loss > 0.0]
    if positive.size < 4 or positive.size > 100_000:
        return None
    unit = float(positive[0])
    multiple = loss / unit
    if np.any(np.abs(multiple - np.round(multiple)) > 1e-9 * np.maximum(multiple, 1.0)):
        return None
    return Lattice(unit, float(positive[-1]))


def own_floor(runs: Sequence[Run]) -> int:
    """Return how many runs reach exactly 0 at single steps only; 0 where it is under half.

    Their own minimum was subtracted, or one step took them there.
    """

    def single(run: Run) -> bool:
        zero = run.loss == 0.0
        return bool(0 < zero.sum() <= 2 and not np.any(run.loss < 0.0) and run.loss.size > 8)

    found = sum(single(r) for r in runs)
    return found if found >= 0.5 * len(runs) else 0
