"""What became of the runs of one setting: each is an outcome, none is dropped in silence.

The rule, for every claim about runs of a mixture: a run *specializes* if it stays finite and its
experts cover every class at its end. A law is judged on the runs that specialize, as the theorem
assumes it, and stands beside their share with its exact binomial interval. What specialized runs do
later (two experts that tie for a class, attention that leaks) is part of the law, not of the share.
A model without a gate has nothing to specialize: every run counts that stays finite.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from motsim.claims import Interval
from motsim.mixture.status import Status
from motsim.statistics.intervals import exact_share_interval

__all__ = ["Outcomes", "at_epsilon", "classes_to_cover", "outcomes", "specialized"]

DIVERGED, FAILED, UNCOVERED, DONE = "diverged", "failed", "uncovered", "done"


@dataclass(frozen=True)
class Outcomes:
    """Numbers of runs by what became of them."""

    num_done: int
    num_uncovered: int
    num_diverged: int
    num_failed: int
    gated: bool

    @property
    def num_runs(self) -> int:
        """All runs that were begun."""
        return self.num_done + self.num_uncovered + self.num_diverged + self.num_failed

    def interval(self, level: float | None = None) -> Interval:
        """Share with its exact binomial interval; ends 0 and 1 without runs."""
        return exact_share_interval(self.num_done, self.num_runs, level)

    def __str__(self) -> str:
        """As ``96 of 100 runs specialize [90, 99] %; 3 do not cover every class, 1 diverged``."""
        ends = self.interval()
        low, high = round(100 * ends.low), round(100 * ends.high)
        verb = "specialize" if self.gated else "stay finite"
        text = f"{self.num_done} of {self.num_runs} runs {verb} [{low}, {high}] %"
        parts = [
            f"{number} {words}"
            for number, words in (
                (self.num_uncovered, "do not cover every class"),
                (self.num_diverged, "diverged"),
                (self.num_failed, "raised an error"),
            )
            if number
        ]
        return "; ".join([text, ", ".join(parts)]) if parts else text


def classes_to_cover(rows: pd.DataFrame, num_classes: int) -> int | None:
    """Return the number of classes that runs have to cover; None for a model without a gate."""
    gated = "covered_classes" in rows and bool(rows["covered_classes"].notna().any())
    return num_classes if gated else None


def outcomes(rows: pd.DataFrame, num_classes: int | None = None) -> Outcomes:
    """Count what became of the runs in `rows` (columns run, status; one or many rows a run).

    Parameters
    ----------
    rows : DataFrame
        With `covered_classes` where the model has a gate; `stage_length` is missing where a run
        raised an error.
    num_classes : int, optional
        Number of classes to cover; None for a model without a gate.
    """
    found = _outcome(rows.drop_duplicates("run"), num_classes)
    numbers = ((found == name).sum() for name in (DONE, UNCOVERED, DIVERGED, FAILED))
    done, uncovered, diverged, failed = map(int, numbers)
    return Outcomes(done, uncovered, diverged, failed, num_classes is not None)


def specialized(rows: pd.DataFrame, num_classes: int | None = None) -> pd.DataFrame:
    """Rows of the runs that specialize; without `num_classes`, of all that stay finite."""
    return rows[_outcome(rows, num_classes) == DONE]


def at_epsilon(rows: pd.DataFrame, epsilon: float) -> pd.DataFrame:
    """Rows of one eps, by seed."""
    far = (rows["epsilon"].astype(float) / epsilon).map(np.log).abs()
    return rows[far < 1e-6].set_index("seed")


def _outcome(rows: pd.DataFrame, num_classes: int | None) -> pd.Series:
    """Outcome of each row's run."""
    found = pd.Series(DONE, index=rows.index, dtype=object)
    if num_classes is not None:
        found[rows["covered_classes"] != num_classes] = UNCOVERED
    found[(rows["status"] == Status.ERROR) | rows["stage_length"].isna()] = FAILED
    found[rows["status"] == Status.DIVERGED] = DIVERGED
    return found
