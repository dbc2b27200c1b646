"""Ratio of steps of two models, given that both succeed, beside the shares that do.

Every run is an outcome of motsim/claims/_outcomes.py: the ratio is that of the runs that
specialize (have a gate: cover every class; else: stay finite), paired by seed where both do, as a
seed draws the same signals and starting weights for both. It is the median over pairs, with its
distribution-free interval: of a run that specializes but stops at its budget only a bound is
known, which a median, unlike a mean, can do without while such pairs are few.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from motsim.claims import Finding, Interval
from motsim.claims._outcomes import Outcomes, at_epsilon, classes_to_cover, outcomes, specialized
from motsim.statistics.intervals import median_interval

__all__ = ["ADVANTAGE", "Cost", "StepRatio", "log_steps", "step_ratio", "steps_per_success"]

ADVANTAGE = 1.1  # a ratio above it is one
#: Multiply-adds of a step, and once a run; steps themselves cost one each.
Cost = tuple[float, float]
STEPS: Cost = (1.0, 0.0)


@dataclass(frozen=True)
class StepRatio:
    """Median over pairs of runs of the ratio, baseline over reference, with its interval.

    Attributes
    ----------
    interval : Interval
        NaN without pairs; NaN ends below six of them.
    pairs : int
        Seeds with which both succeed.
    late, reference_late : int
        Runs among them that stopped at their budget.
    sign : {"", ">= ", "<= "}
        Whether so many did that the value is a bound.
    baseline, reference : Outcomes
        What became of all runs.
    """

    interval: Interval
    pairs: int
    late: int
    reference_late: int
    sign: str
    baseline: Outcomes
    reference: Outcomes

    def __str__(self) -> str:
        """As ``7.9 [7.1, 8.8]``; ``>= 7.9 [7.1, inf]`` where runs of the baseline stopped."""
        if not self.pairs:
            return "none, no pair of runs succeeds"
        if np.isnan(self.interval.low):
            value = f"{self.sign}{self.interval.value:.2f}"
            return f"{value}, too few pairs ({self.pairs}) for an interval"
        return f"{self.sign}{self.interval}"

    def finding(self, case: str, what: str, succeed: str, evidence: str) -> Finding:
        """Judge whether the ratio is an advantage; the shares that `succeed` stand beside."""
        shares = " and ".join(
            f"{one.num_done}/{one.num_runs} {one.interval().ends()}"
            for one in (self.baseline, self.reference)
        )
        return Finding(
            case, f"ratio of {what} > {ADVANTAGE}", f"ratio = {self}; {succeed} {shares}",
            self.interval.above(ADVANTAGE), evidence, self.interval,
        )  # fmt: skip


def log_steps(
    rows: pd.DataFrame, epsilon: float, num_classes: int, cost: Cost = STEPS
) -> pd.DataFrame:
    """Log of the cost of T(epsilon) by seed (columns log, late) of the runs that specialize."""
    rows = specialized(rows, classes_to_cover(rows, num_classes))
    near = at_epsilon(rows, epsilon)
    late = near["step"] < 0
    steps = near["step"].where(~late, near["num_steps"]).astype(float).clip(lower=1.0)
    found = pd.DataFrame({"log": np.log(cost[0] * steps + cost[1]), "late": late})
    return found[found["log"].notna()]


def step_ratio(
    baseline: pd.DataFrame,
    reference: pd.DataFrame,
    epsilon: float,
    num_classes: int,
    costs: tuple[Cost, Cost] = (STEPS, STEPS),
) -> StepRatio:
    """Return the ratio of steps, or of what they cost, of a baseline and a reference."""
    theirs = log_steps(baseline, epsilon, num_classes, costs[0])
    ours = log_steps(reference, epsilon, num_classes, costs[1])
    both = theirs.index.intersection(ours.index)
    theirs, ours = theirs.loc[both], ours.loc[both]
    ratio = theirs["log"] - ours["log"]  # at least so much where the baseline stopped, and so on
    lower, upper = ratio.mask(ours["late"], -np.inf), ratio.mask(theirs["late"], np.inf)
    found = median_interval(ratio, between=(lower, upper)).map(np.exp)
    sign = ">= " if upper.median() == np.inf else "<= " if lower.median() == -np.inf else ""
    late, ours_late = int(theirs["late"].sum()), int(ours["late"].sum())
    became = [outcomes(rows, classes_to_cover(rows, num_classes)) for rows in (baseline, reference)]
    return StepRatio(found, len(both), late, ours_late, sign, *became)


def steps_per_success(rows: pd.DataFrame, epsilon: float, num_classes: int) -> float:
    """Geometric mean of T(epsilon) over the share that gets there; infinite if none does.

    What tuning minimizes: runs that diverge, do not specialize or stop at their budget all cost.
    """
    found = log_steps(rows, epsilon, num_classes)
    reached = found.loc[~found["late"], "log"]
    if reached.empty:
        return float("inf")
    return float(np.exp(reached.mean())) * rows["run"].nunique() / len(reached)
