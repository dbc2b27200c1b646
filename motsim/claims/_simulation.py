"""Shared by the rehearsal claims: simulated means against closed forms, in standard errors.

Intervals are 4 standard errors wide on either side: some hundreds of comparisons are made, so that
chance alone would break one of them in about three sweeps of a hundred (for normal values all of
480 to 1,150 comparisons stay inside in 97 to 93 of 100). So a closed form is refuted beyond 5 only;
between the two the question is open. With one limit of 4 three of 600 right verdicts of 20 fresh
blocks (seeds from 20000000) turned, at |z| of 4.22, 4.09 and a mean z² of 3.2.

The standard errors are right [measured]: 1.96 of them about 2,536 simulated errors of the quick
tier hold the closed form in 94 %, with mean z² 1.02; over fresh simulations of one setting, of 900
runs or more, in 94 to 96 %, down to 93 % where a fit leaves the fourth moments large.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from motsim.claims import Finding, Interval, Verdict
from motsim.claims._undecided import undecided
from motsim.mixture.status import Status
from motsim.results.tables import Tables
from motsim.statistics.intervals import MIN_SEEDS

__all__ = [
    "LIMIT", "QUANTITIES", "Agreement", "agreement", "around", "both", "compared", "gaps",
    "missing", "pooled", "usable",
]  # fmt: skip

LIMIT = 4.0  # standard errors
REFUTED = 5.0  # the same, of what chance does not do
QUANTITIES = ("forgetting", "generalization")
ENDS = ("", "_se", "_predicted", "_rival")
NUMBERS = tuple(f"{name}{end}" for name in QUANTITIES for end in ENDS)


def usable(tables: Tables) -> pd.DataFrame:
    """Finished runs that were simulated; a frame with the needed columns in any case."""
    runs = tables.main
    needed = ["case", "strategy", "seed", "status", *NUMBERS]
    if runs.empty or not set(needed) <= set(runs.columns):
        return pd.DataFrame({name: pd.Series(dtype=float) for name in needed})
    errors = runs[[f"{name}_se" for name in QUANTITIES]].to_numpy(float)
    good = (runs["status"] == Status.DONE).to_numpy() & np.isfinite(errors).all(axis=1)
    return runs[good]


def pooled(rows: pd.DataFrame, by: Sequence[str]) -> pd.DataFrame:
    """Mean over the seeds of each setting, one row a setting, with `seeds` and standard errors."""
    squares = {f"{name}_se": rows[f"{name}_se"].astype(float) ** 2 for name in QUANTITIES}
    grouped = rows.assign(**squares).groupby(list(by), sort=False, dropna=False)
    found = grouped[list(NUMBERS)].mean()
    seeds = grouped["seed"].nunique()
    for name in QUANTITIES:
        found[f"{name}_se"] = np.sqrt(found[f"{name}_se"] / seeds)
    return found.assign(seeds=seeds).reset_index()


def gaps(points: pd.DataFrame, first: str, second: str, by: Sequence[str]) -> pd.DataFrame:
    """Error of strategy `first` minus error of `second` at each setting that has both."""
    sides = [
        points[points["strategy"] == name].set_index(list(by))[[*NUMBERS, "seeds"]].add_suffix(end)
        for name, end in ((first, "|a"), (second, "|b"))
    ]
    both = sides[0].join(sides[1], how="inner")
    found = pd.DataFrame(index=both.index)
    for column in NUMBERS:
        a, b = both[f"{column}|a"], both[f"{column}|b"]
        found[column] = np.hypot(a, b) if column.endswith("_se") else a - b
    return found.assign(seeds=both[["seeds|a", "seeds|b"]].min(axis=1)).reset_index()


def around(value: float, error: float) -> Interval:
    """Interval of `LIMIT` standard errors on either side."""
    return Interval(float(value), float(value - LIMIT * error), float(value + LIMIT * error))


@dataclass(frozen=True)
class Agreement:
    """Comparison of simulated values with a closed form.

    Attributes
    ----------
    verdict : Verdict
        `holds`: every value within 4 standard errors, mean z and mean z² those of chance, and the
        rival formula rejected. `fails`: one of these is beyond 5. `inconclusive`: between the two,
        too few values, or the rival is not rejected.
    count : int
        Comparisons.
    worst, mean : float
        Largest |z| and mean z.
    square : Interval
        Mean z², which is 1 for a right formula.
    rival : float
        How far the values lie from the rival formula on the way to this one, in standard errors:
        the test that tells two given formulas apart most often (Neyman and Pearson).
    """

    verdict: Verdict
    count: int
    worst: float
    mean: float
    square: Interval
    rival: float

    @property
    def measured(self) -> str:
        """The comparison in words and numbers."""
        if not self.count:
            return "no simulated value"
        return (
            f"{self.count} comparisons: largest |z| {self.worst:.2f}, mean z {self.mean:+.2f},"
            f" mean z² {self.square.value:.2f} {self.square.ends()}"
        )

    def against(self, rival: str) -> str:
        """Say whether the same values reject the rival formula."""
        if not np.isfinite(self.rival):
            return f"nothing to tell it from {rival}"
        told = "reject" if self.rival > LIMIT else "do not reject"
        return f"the same data {told} {rival} ({self.rival:.1f} standard errors away)"

    def finding(self, case: str, predicted: str, evidence: str) -> Finding:
        """Return the finding that rests on it."""
        return Finding(case, predicted, self.measured, self.verdict, evidence, self.square)


def both(rows: pd.DataFrame, end: str) -> np.ndarray:
    """Columns of both quantities, one after the other."""
    return np.concatenate([rows[f"{name}{end}"].to_numpy(float) for name in QUANTITIES])


def compared(rows: pd.DataFrame) -> Agreement:
    """Compare both quantities of each row with their closed forms."""
    values, errors, predicted, rival = (both(rows, end) for end in ENDS)
    return agreement(values, errors, predicted, rival, independent=len(rows))


def agreement(
    values: np.ndarray,
    errors: np.ndarray,
    predicted: np.ndarray,
    rival: np.ndarray,
    independent: int | None = None,
) -> Agreement:
    """Compare simulated values with a closed form and with a near miss of it.

    `independent` of the values are independent, all if None: both errors of a run come from the
    same simulated tasks, and what chance does to their mean z and mean z² is that of fewer values.
    """
    sure = (errors == 0) & np.isclose(values, predicted, rtol=1e-9, atol=1e-12)  # by construction
    with np.errstate(divide="ignore", invalid="ignore"):
        z = ((values - predicted) / errors)[~sure]
        apart = ((predicted - rival) / errors)[~sure]
    lost = bool(np.isnan(z).any())
    kept = np.isfinite(z) & np.isfinite(apart)
    beyond = bool(np.isinf(z).any())  # wrong, with nothing that varies
    z, apart = z[kept], apart[kept]
    count = len(z)
    if count < 2:
        nan = float("nan")
        return Agreement(Verdict.INCONCLUSIVE, count, nan, nan, Interval(), nan)
    worst, mean, square = float(np.abs(z).max()), float(z.mean()), float((z**2).mean())
    n = count if independent is None else min(independent, count)
    spread = LIMIT * np.sqrt(2 / n)  # of mean z² for independent normal z
    # the largest |z|, mean z and mean z² in standard errors
    most = max(worst, abs(mean) * np.sqrt(n), abs(square - 1) * np.sqrt(n / 2))
    length = float(np.linalg.norm(apart))
    away = float((z + apart) @ apart) / length * np.sqrt(n / count) if length else 0.0
    verdict = Verdict.of(holds=away > LIMIT and most <= LIMIT, fails=most > REFUTED)
    if count < 8 or lost:  # mean z² says nothing yet, or a value is missing
        verdict = Verdict.INCONCLUSIVE
    if beyond:
        verdict = Verdict.FAILS
    return Agreement(
        verdict, count, worst, mean, Interval(square, square - spread, square + spread), away
    )


def missing(
    case: str, predicted: str, points: pd.DataFrame, least: int = MIN_SEEDS
) -> Finding | None:
    """Return the finding of a case with a setting of too few `seeds`, or none; else None.

    Rows without that column are of a seed each.
    """
    seeds = points["seeds"].min() if len(points) and "seeds" in points else len(points)
    if seeds >= least:
        return None
    evidence = f"too few finished runs of this case; {MIN_SEEDS} seeds a setting are needed"
    return undecided(case, predicted, "nothing", evidence)
