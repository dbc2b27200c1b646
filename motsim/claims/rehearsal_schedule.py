"""A planned schedule has lower errors than concurrent, sequential and hybrid rehearsal.

Assumptions: as rehearsal-theory; the planner knows all task vectors, uses each memory once a step
and fits the new task first, as the named strategies do.
Statement: choosing grouping and order of the fits step by step minimizes the expected
generalization error over all schedules (exact), and lowers it by 2 % of the best named strategy or
more; planning for forgetting lowers forgetting, at the price of generalization.
Kind: upper bound; the gain in percent, simulated, with an interval of 4 standard errors against 2 %
(for forgetting: the difference against 0).
Where it fails: with two kinds in turns the planned schedule is as good as sequential rehearsal, and
with drifting tasks better by 0.1 % only. Fits in turn have no cross terms, and visiting the oldest
memory first ends on a task that is as central as any, so there is nothing left to gain.
Source: beyond arXiv:2506.00205; derived in docs/rehearsal.md §8.
"""

from itertools import product

import numpy as np
import pandas as pd

from motsim.claims import Claim, Finding, Verdict
from motsim.claims._simulation import NUMBERS, around, missing, pooled, usable
from motsim.results.tables import Tables

__all__ = ["CLAIM", "NAMED", "judge", "points"]

CLAIM = Claim(
    statement=(
        "The schedule that minimizes the closed form has lower expected errors than the named"
        " strategies."
    ),
    source="derived in docs/rehearsal.md §8; beyond arXiv:2506.00205",
    origin="derived",
    prediction="planned G at least 2 % below the best named strategy; planned F below it",
    kind="upper",
)

NAMED = ("concurrent", "sequential", "hybrid")
CASES = ("odd-inside", "visit", "alternating", "drifting")
MATERIAL = 0.02  # share of the best named strategy's generalization error


def points(tables: Tables, case: str) -> pd.DataFrame:
    """Pooled errors of every strategy of one case, by strategy."""
    rows = usable(tables)
    return pooled(rows[rows["case"] == case], ["strategy"]).set_index("strategy")


def judge(tables: Tables) -> list[Finding]:
    """Judge the planned schedules of every set of tasks."""
    findings = []
    for quantity, case in product(("generalization", "forgetting"), CASES):
        found = points(tables, case)
        name = f"{case}: planned for {quantity}"
        complete = {*NAMED, f"least_{quantity}"} <= set(found.index)
        few = missing(name, CLAIM.prediction, found if complete else found[:0])
        findings.append(few or _planned(name, quantity, found))
    return findings


def _planned(name: str, quantity: str, found: pd.DataFrame) -> Finding:
    levels = {str(name): row.to_dict() for name, row in found[list(NUMBERS)].iterrows()}
    plan = levels[f"least_{quantity}"]
    best = min(NAMED, key=lambda name: levels[name][f"{quantity}_predicted"])
    rival = levels[best]
    relative = quantity == "generalization"
    scale = float(rival[f"{quantity}_predicted"]) if relative else 1.0
    threshold = MATERIAL if relative else 0.0
    told = float(rival[f"{quantity}_predicted"] - plan[f"{quantity}_predicted"]) / scale
    error = float(np.hypot(rival[f"{quantity}_se"], plan[f"{quantity}_se"]))
    gain = around((rival[quantity] - plan[quantity]) / scale, error / scale)
    verdict = gain.above(threshold)
    if not gain.contains(told) or told < -1e-12:
        verdict = Verdict.FAILS
    other = "forgetting" if relative else "generalization"
    side = (
        f"{other} {plan[other]:.3f} ± {plan[f'{other}_se']:.3f} against"
        f" {rival[other]:.3f} ± {rival[f'{other}_se']:.3f}"
    )
    show = (lambda x: f"{100 * x:+.2f} %") if relative else (lambda x: f"{x:+.4f}")
    reason = ""
    if relative and verdict == Verdict.FAILS:
        reason = f"; {best} is within {100 * told:.2f} % of the proven optimum"
    evidence = (
        f"best named strategy {best}, {rival[quantity]:.3f}; planned {plan[quantity]:.3f}, with"
        f" {side}{reason}."
    )
    return Finding(
        name, f"gain over {best} {show(told)}",
        f"{show(gain.value)} [{show(gain.low)}, {show(gain.high)}]", verdict, evidence, gain,
    )  # fmt: skip
