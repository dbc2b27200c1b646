"""The advantage of the mixture over fair baselines: it depends on eps.

Assumptions: the same data (no noise tokens) and expected loss; steps counted from the first step
of the run, stages I and II included; a single transformer with its best step size of those swept,
the mixture with its preset; a run that stops at its budget counts as T = budget, which favours
the baseline.

Statement: at accuracy eps the mixture needs fewer steps than each relative and baseline. At 1e-2
a single transformer with several heads is faster, as it has no stages I and II to go through; at
1e-4 it is slower, and the gap grows as eps falls (log law against power law). Shared attention and
no attention at all are as fast as full experts: without noise tokens the gate does the work.

Kind: lower (on the ratio of steps). An advantage is a ratio above 1.1.

Source: arXiv:2510.27004, abstract; the baselines were asked for in its reviews (reconstructed).
"""

from typing import Any

import numpy as np
import pandas as pd

from motsim.claims import Claim, Finding, Verdict
from motsim.claims._missing import nothing
from motsim.intervals import MIN_SEEDS, above
from motsim.results.tables import Tables

__all__ = ["CLAIM", "best_rate", "judge", "log_steps", "ratio_interval", "step_ratio"]

CLAIM = Claim(
    statement="The mixture of transformers learns faster than fair baselines of the same size.",
    source="arXiv:2510.27004, abstract and reviews",
    origin="reconstructed",
    prediction="T(eps) of the baseline / T(eps) of the mixture > 1.1",
    kind="lower",
)

REFERENCE = "mot"
ADVANTAGE = 1.1
TARGETS = (1e-2, 1e-3, 1e-4)

#: Baseline -> verdict on "the mixture is faster" at each of `TARGETS`.
EXPECTED: dict[str, tuple[Verdict, Verdict, Verdict]] = {
    "single-1": ("holds", "holds", "holds"),
    "single-4": ("fails", "fails", "holds"),
    "single-16": ("fails", "holds", "holds"),
    "single-4-4-neurons": ("fails", "inconclusive", "holds"),
    "mot-4-neurons": ("fails", "fails", "fails"),
    "shared": ("fails", "fails", "fails"),
    "moe": ("fails", "fails", "fails"),
}


def log_steps(rows: pd.DataFrame, epsilon: float) -> tuple[np.ndarray, int]:
    """Log of T(epsilon), one a run (S,), and how many runs stopped at their budget instead."""
    near = rows[np.isclose(np.log(rows["epsilon"]), np.log(epsilon), atol=1e-6)]
    near = near[near["status"] != "diverged"]
    late = near["step"] < 0
    steps = near["step"].where(~late, near["num_steps"]).astype(float)
    return np.log(np.maximum(steps.to_numpy(), 1.0)), int(late.sum())


def best_rate(rows: pd.DataFrame, epsilon: float) -> pd.DataFrame:
    """Rows of the step sizes with the fewest steps to epsilon, none of its runs diverged."""
    rates = [name for name in ("converge_rate", "align_rate") if name in rows]
    if not rates:
        return rows
    found: list[tuple[float, int, pd.DataFrame]] = []
    for _, group in rows.groupby(rates, dropna=False, sort=False):
        if not (group["status"] == "diverged").any():
            found.append((float(log_steps(group, epsilon)[0].mean()), len(found), group))
    return min(found, key=lambda item: item[:2])[2] if found else rows.iloc[:0]


def ratio_interval(
    above_line: np.ndarray, below_line: np.ndarray, draws: int = 2000
) -> tuple[float, float, float]:
    """Ratio of geometric means of two samples of logs, with a bootstrap interval; NaN if small."""
    if min(len(above_line), len(below_line)) < MIN_SEEDS:
        return float("nan"), float("nan"), float("nan")
    rng = np.random.default_rng(0)
    a, b = (x[rng.integers(len(x), size=(draws, len(x)))].mean(1) for x in (above_line, below_line))
    low, high = np.quantile(a - b, [0.025, 0.975])
    return tuple(np.exp([above_line.mean() - below_line.mean(), low, high]).tolist())


def step_ratio(baseline: pd.DataFrame, reference: pd.DataFrame, epsilon: float) -> dict[str, Any]:
    """Ratio of steps, baseline over reference, its interval, and the censored runs of the baseline.

    Where every run of the baseline stopped at its budget the ratio is a lower bound; where the
    reference stopped, there is no ratio.
    """
    chosen = best_rate(baseline, epsilon)
    ours, ours_late = log_steps(reference, epsilon)
    theirs, late = log_steps(chosen, epsilon)
    ratio, low, high = ratio_interval(theirs, ours)
    if ours_late:
        ratio, low, high = (float("nan"),) * 3
    if late:
        high = float("inf")
    return {"ratio": ratio, "low": low, "high": high, "late": late, "runs": len(theirs)}


def judge(tables: Tables) -> list[Finding]:
    """Judge every baseline at every target."""
    main = tables.main
    if not {"case", "epsilon", "step"} <= set(main):
        return nothing(CLAIM)
    reference = main[main["case"] == REFERENCE]
    findings = []
    for case, rows in main[main["case"] != REFERENCE].groupby("case", sort=False):
        for target, expected in zip(TARGETS, EXPECTED.get(str(case), ()), strict=False):
            found = step_ratio(rows, reference, target)
            ratio, low, high = found["ratio"], found["low"], found["high"]
            sign = ">= " if found["late"] else ""
            findings.append(
                Finding(
                    f"{case} at {target:.0e}",
                    f"ratio of steps > {ADVANTAGE}",
                    f"ratio = {sign}{ratio:.2f} [{low:.2f}, {high:.2f}]",
                    above(low, high, ADVANTAGE),
                    expected,
                    f"{case} at the best of the step sizes swept needs {sign}{ratio:.2f} times the"
                    f" steps of the mixture to {target:.0e} ({found['runs']} seeds, geometric"
                    f" means; {found['late']} stopped at their budget)",
                    ratio, low, high,
                )
            )  # fmt: skip
    return findings or nothing(CLAIM)
