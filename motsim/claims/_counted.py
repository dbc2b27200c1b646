"""Shares of runs by setting, with exact limits, and exact tests of formulas for them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from motsim.claims import Finding, Interval, Verdict
from motsim.claims._undecided import undecided
from motsim.statistics.confidence import resolve
from motsim.statistics.intervals import MIN_SEEDS, exact_share_interval

__all__ = [
    "AGREES", "REFUTED", "Count", "counted", "least_trials", "limits", "rejected", "share_text",
    "too_few",
]  # fmt: skip

MIN_TRIALS = 20
#: A right formula agrees in 99 of 100 blocks of seeds; to see a wrong one as often as at 95 % takes
#: 1.7 times the seeds. At 95 % it was left open in one block of ten (coverage, from 30000000).
AGREES = 0.99
#: It fails beyond this. One level for both turns right ones (class-imbalance, from 20000000).
REFUTED = 0.999


@dataclass(frozen=True)
class Count:
    """How many of all runs do something: prints as ``39 of 40``."""

    good: int
    total: int

    @classmethod
    def of(cls, good: pd.Series) -> "Count":
        """Count yes and no, one a run."""
        return cls(int(good.sum()), len(good))

    @classmethod
    def at(cls, point: pd.Series) -> "Count":
        """Return the count of a row of `counted`."""
        return cls(int(point["successes"]), int(point["trials"]))

    @property
    def share(self) -> Interval:
        """Share with its exact interval."""
        return exact_share_interval(self.good, self.total)

    def __str__(self) -> str:
        return f"{self.good} of {self.total}"

    def restored(self, untreated: "Count", reference: "Count") -> Verdict:
        """Whether more do than untreated ones (holds), or fewer than of a reference (fails)."""
        if min(self.total, untreated.total, reference.total) < MIN_SEEDS:
            return Verdict.INCONCLUSIVE
        share = self.share
        return Verdict.of(share.low > untreated.share.high, share.high < reference.share.low)

    def finding(self, case: str, predicted: str, limit: float, evidence: str) -> Finding:
        """Judge whether the share is above a limit; too few runs decide nothing."""
        share, measured = self.share, f"{self} {self.share.ends()}"
        judged = Finding(case, predicted, measured, share.above(limit), evidence, share)
        return too_few(case, predicted, self.total) or judged


def counted(rows: pd.DataFrame, by: Sequence[str]) -> pd.DataFrame:
    """Count the rows with `success` (0 or 1) of each setting.

    Columns of `by`, then successes, trials, share, low, high (exact).
    """
    found = rows.groupby(list(by))["success"].agg(["sum", "count"]).reset_index()
    found = found.rename(columns={"sum": "successes", "count": "trials"})
    found["share"] = found["successes"] / found["trials"]
    found["low"], found["high"] = limits(found)
    return found


def limits(
    points: pd.DataFrame, level: float | None = None
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Exact limits of the share of each point of `counted`."""
    pairs = zip(points["successes"], points["trials"], strict=True)
    found = [exact_share_interval(int(k), int(n), level) for k, n in pairs]
    return np.array([one.low for one in found]), np.array([one.high for one in found])


def least_trials(points: pd.DataFrame) -> int:
    """Fewest trials of a point; 0 without points."""
    return int(points["trials"].min()) if len(points) else 0


def too_few(case: str, predicted: str, trials: int) -> Finding | None:
    """Return the finding of a case with fewer than `MIN_TRIALS` a point; else None."""
    if trials >= MIN_TRIALS:
        return None
    why = f"{trials} trials a point; {MIN_TRIALS} are needed"
    return undecided(case, predicted, "too few runs", why)


def share_text(row: Any) -> str:
    """Share of a row of `counted` in two digits."""
    return f"{row.share:.2f} [{row.low:.2f}, {row.high:.2f}]"


def rejected(
    points: pd.DataFrame,
    formula: str,
    side: Literal["two-sided", "less"] = "two-sided",
    level: float = 0.0,
) -> pd.Series:
    """Which points differ from a column of predictions: exact tests, Bonferroni over the points.

    At the present level, or at `level` if that is higher. Runs of one seed share their first
    experts, so points depend on each other; Bonferroni allows that, a pooled test would not.
    """
    values = [
        stats.binomtest(int(k), int(n), min(max(p, 0.0), 1.0), alternative=side).pvalue
        for k, n, p in zip(points["successes"], points["trials"], points[formula], strict=True)
    ]
    chance = 1 - max(resolve(None), level)
    return pd.Series(np.array(values) * len(points) < chance, index=points.index)
