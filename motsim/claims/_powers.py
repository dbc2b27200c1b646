"""Findings on powers of 1/eps of one transformer, and on the logarithm that may come below."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from motsim.claims import Finding
from motsim.claims._outcomes import outcomes, specialized
from motsim.claims._rates import MOST, case_decision, curves, dynamics, rate_finding
from motsim.claims._undecided import undecided
from motsim.rates import log_depth
from motsim.rates.depth import Depth
from motsim.statistics.intervals import exact_share_interval

__all__ = ["ENDS", "judged_rows", "logarithm_below", "power_findings", "power_text", "tail_finding"]

#: Case -> the decade above which its power is judged; what comes below is a finding of its own.
#: Chosen on seeds 510000-510005, where a logarithm begins at 2e-9 to 6e-8 (measured here).
ENDS = {"single-16-squared": 1e-7}


def power_findings(case: str, rows: pd.DataFrame) -> list[Finding]:
    """Judge the power of one case, and what comes below it where that is known to be no power."""
    limit, deep = case.endswith("logistic"), f"{case}-deep"
    if case not in ENDS:
        return [rate_finding(case, rows, "power", limit=limit)]
    judged = judged_rows(case, rows)
    power = rate_finding(case, judged, "power", limit=limit, below=f"further down is `{deep}`")
    return [power, tail_finding(deep, rows)]


def judged_rows(case: str, rows: pd.DataFrame) -> pd.DataFrame:
    """Rows of the eps on which the power of a case is judged."""
    return rows[rows["epsilon"] >= 0.999 * ENDS.get(case, 0.0)]


def tail_finding(case: str, rows: pd.DataFrame) -> Finding:
    """Judge whether most runs end without a logarithm of three decades or more."""
    smallest = float(rows["epsilon"].min())
    predicted = f"no logarithm in most runs down to {smallest:.0e}"
    became = outcomes(rows)
    depth = log_depth(*curves(specialized(rows)), last=True)
    total, kept = len(depth.eps_low), depth.num_kept
    if not total:
        return undecided(case, predicted, "no run", f"{became}.")
    share = exact_share_interval(total - kept, total)
    measured = f"{kept} of {total} runs end in no logarithm"
    if kept:
        begin, speed = _begins(depth), np.median(depth.steps_per_decade[_to_the_end(depth)])
        measured = f"log below {begin:.0e}: {speed:.3g} steps a decade ({kept} of {total} runs)"
    return Finding(
        case, predicted, measured, share.above(MOST),
        f"{became}. Of those {kept} keep their steps per decade within a factor of three over the"
        f" last three decades or more, to {smallest:.0e}{dynamics(rows)}",
        share,
    )  # fmt: skip


def power_text(case: str, rows: pd.DataFrame, num_classes: int | None = None) -> str:
    """Exponent of one case for a figure, and where a logarithm comes below it."""
    decision = case_decision(judged_rows(case, rows), num_classes)
    if decision.law == "inconclusive":
        return "undecided"
    begin = logarithm_below(rows) if case in ENDS else None
    text = f"p = {decision.exponent:.2f}"
    return text if begin is None else f"{text}, a logarithm below {begin:.0e}"


def logarithm_below(rows: pd.DataFrame) -> float | None:
    """Eps below which the runs end in a logarithm, a median; None where most do not."""
    depth = log_depth(*curves(specialized(rows)), last=True)
    return _begins(depth) if depth.num_kept > MOST * len(depth.eps_low) else None


def _to_the_end(depth: Depth) -> NDArray[np.bool_]:
    return np.isfinite(depth.eps_low) & ~depth.ended


def _begins(depth: Depth) -> float:
    return float(np.median(depth.eps_high[_to_the_end(depth)]))
