"""The advantage of the mixture over fair baselines: it depends on eps.

Assumptions: the same data (no noise tokens) and expected loss; steps counted from the first step
of the run, stages I and II included; a single transformer with its best step size of those swept,
the mixture with its preset; a run that stops at its budget counts as T = budget, which favours
the baseline.

Statement: at accuracy eps the mixture needs fewer steps than each relative and baseline. At 1e-2
a single transformer with several heads is faster, as it has no stages I and II to go through; at
1e-4 it is slower, and the gap grows as eps falls (log law against power law). Shared attention and
no attention at all are as fast as full experts: without noise tokens the gate does the work.

Where two models take the same number of steps with every seed they are the same computation (no
noise tokens: nothing for attention to tell apart): the ratio is exactly 1 and has no interval.

Kind: lower (on the ratio of steps). An advantage is a ratio above 1.1.

Source: arXiv:2510.27004, abstract; the baselines were asked for in its reviews (reconstructed).
"""

from typing import Any

import numpy as np
import pandas as pd

from motsim.claims import Claim, Finding, Verdict
from motsim.claims._missing import nothing
from motsim.intervals import above, least_interval, shown
from motsim.results.tables import Tables

__all__ = ["CLAIM", "judge", "log_steps", "sound_rates", "step_ratio"]

CLAIM = Claim(
    statement="The mixture of transformers learns faster than fair baselines of the same size.",
    source="arXiv:2510.27004, abstract and reviews",
    origin="reconstructed",
    prediction="T(eps) of the baseline / T(eps) of the mixture > 1.1",
    kind="lower",
)

REFERENCE = "mot"
NAN = float("nan")
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


def log_steps(rows: pd.DataFrame, epsilon: float) -> tuple[pd.Series, int]:
    """Log of T(epsilon) by seed, and how many runs stopped at their budget instead."""
    near = rows[np.isclose(np.log(rows["epsilon"]), np.log(epsilon), atol=1e-6)]
    near = near[near["status"] != "diverged"].set_index("seed")
    late = near["step"] < 0
    steps = near["step"].where(~late, near["num_steps"]).astype(float)
    return np.log(np.maximum(steps, 1.0)), int(late.sum())


def sound_rates(rows: pd.DataFrame) -> list[pd.DataFrame]:
    """Rows of each step size swept of which no run diverged."""
    rates = [name for name in ("converge_rate", "align_rate") if name in rows]
    if not rates:
        return [rows]
    groups = [group for _, group in rows.groupby(rates, dropna=False, sort=False)]
    return [group for group in groups if not (group["status"] == "diverged").any()]


def step_ratio(baseline: pd.DataFrame, reference: pd.DataFrame, epsilon: float) -> dict[str, Any]:
    """Ratio of steps, baseline over reference, its interval, and the censored runs of the baseline.

    Geometric means over seeds, paired: a seed draws the same signals and starting weights for both.
    Of several step sizes the least ratio counts, with an interval that knows that it was chosen.
    Where runs of the baseline stopped at their budget the ratio is a lower bound; where the
    reference stopped, there is no ratio.
    """
    ours, ours_late = log_steps(reference, epsilon)
    pairs = []
    for rows in sound_rates(baseline):
        theirs, late = log_steps(rows, epsilon)
        pairs.append(((theirs - ours).dropna().to_numpy(), late))
    pairs = [(logs, late) for logs, late in pairs if len(logs)]
    if not pairs:
        return {"ratio": NAN, "low": NAN, "high": NAN, "late": 0, "runs": 0}
    best, late = min(pairs, key=lambda pair: pair[0].mean())
    ratio, low, _ = np.exp(least_interval([logs for logs, _ in pairs])).tolist()
    # a step size with runs that stopped at their budget bounds the least ratio from below only
    ended = [logs for logs, late in pairs if not late]
    high = float(np.exp(least_interval(ended)[2])) if ended else float("inf")
    if ours_late:
        ratio = low = high = NAN
    return {"ratio": ratio, "low": low, "high": high, "late": late, "runs": len(best)}


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
                    f"ratio = {sign}{shown(ratio, low, high)}",
                    above(low, high, ADVANTAGE),
                    expected,
                    f"{case} at the best of the step sizes swept needs {sign}{ratio:.2f} times the"
                    f" steps of the mixture to {target:.0e} ({found['runs']} seeds, geometric"
                    f" means; {found['late']} stopped at their budget)",
                    ratio, low, high,
                )
            )  # fmt: skip
    return findings or nothing(CLAIM)
