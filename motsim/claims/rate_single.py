"""Rate of a single transformer: a power of 1/eps, and where it is none.

Assumptions: all parameters from the first step along the gradient flow, of which plain descent is
Euler's method; no noise tokens; H heads.

Statement: T(eps) grows like eps^-p with p > 0, O(1/eps) where p is at most 1. For the logistic loss
the infimum is at infinity for every model (derived here): p tends to 1 from below, as cubic heads
add a factor log(1/eps)^(-4/3). For the squared loss the infimum is attained wherever the heads can
fit the data, and near a minimum that is not degenerate the loss falls exponentially: a power is
then a transient, and a logarithm with a small curvature comes below it (derived here). With two
classes and four heads it is reached at about 1e-6 (measured here): with one amplitude of the
distractor at once, with a spread one after T has grown like eps^-0.7 over five decades. On four
classes the power goes on as far as was looked: four heads p = 0.81 over eight decades, 16 heads
0.69 over five (measured here). Further down that of four heads goes on to 5e-16 and below (seeds
510000-510002), and that of 16 becomes a logarithm of 1.5e7 steps a decade at 2e-8 (docs/theory.md).

Kind: lower (p > 0).

Source: arXiv:2510.27004, abstract, after Yang et al. (ICLR 2025), quoted; the rest derived here.
"""

import numpy as np
import pandas as pd

from motsim.claims import Claim, Finding
from motsim.claims._outcomes import outcomes, specialized
from motsim.claims._rates import MOST, curves, dynamics, rate_finding
from motsim.claims._undecided import needs, undecided
from motsim.rates import log_depth
from motsim.results.tables import Tables
from motsim.statistics.intervals import exact_share_interval

__all__ = ["CLAIM", "WORDS", "judge", "tail_finding"]

CLAIM = Claim(
    statement="A single transformer needs O(1/eps) steps: T(eps) is a power of 1/eps.",
    source="arXiv:2510.27004, abstract; Yang et al., ICLR 2025",
    origin="quoted",
    prediction="T(eps) ~ eps^-p, 0 < p <= 1, for any number of heads",
    kind="lower",
)

#: Case -> what it is about; in the order of looking them up.
WORDS = {
    "single-*-squared": "several heads on the squared loss",
    "single-*-logistic": "any number of heads on the logistic loss",
    "spread": "a power to the end with two classes",
    "one-amplitude": "a power to the end with one distractor amplitude",
}

TAILS = ("spread", "one-amplitude")


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
    measured = f"{kept} of {total} runs end in no logarithm" if not kept else ""
    if kept:
        ends = np.isfinite(depth.eps_low) & ~depth.ended
        begin, speed = np.median(depth.eps_high[ends]), np.median(depth.steps_per_decade[ends])
        measured = f"log below {begin:.0e}: {speed:.3g} steps a decade ({kept} of {total} runs)"
    return Finding(
        case, predicted, measured, share.above(MOST),
        f"{became}. Of those {kept} keep their steps per decade within a factor of three over the"
        f" last three decades or more, to {smallest:.0e}{dynamics(rows)}",
        share,
    )  # fmt: skip


@needs(CLAIM, "case epsilon step")
def judge(tables: Tables) -> list[Finding]:
    """Judge the law of every case, and what comes below it."""
    cases = tables.main.groupby("case", sort=False)
    return [
        tail_finding(case, rows)
        if case in TAILS
        else rate_finding(case, rows, "power", limit=case.endswith("logistic"))
        for case, rows in ((str(name), part) for name, part in cases)
    ]
