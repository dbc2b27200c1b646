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
classes that of four heads goes on as far as was looked, to 2e-16 (seeds 510000 and 510001; to
1e-12 in each of the recorded seeds); that of 16 heads, 0.69 over five decades, becomes a logarithm
of some 1e7 steps a decade at 2e-8 (measured here).

Kind: lower (p > 0).

Source: arXiv:2510.27004, abstract, after Yang et al. (ICLR 2025), quoted; the rest derived here.
"""

from motsim.claims import Claim, Finding
from motsim.claims._powers import power_findings, tail_finding
from motsim.claims._undecided import needs
from motsim.results.tables import Tables

__all__ = ["CLAIM", "judge"]

CLAIM = Claim(
    statement="A single transformer needs O(1/eps) steps: T(eps) is a power of 1/eps.",
    source="arXiv:2510.27004, abstract; Yang et al., ICLR 2025",
    origin="quoted",
    prediction="T(eps) ~ eps^-p, 0 < p <= 1, for any number of heads",
    kind="lower",
)

TAILS = ("spread", "one-amplitude")


@needs(CLAIM, "case epsilon step")
def judge(tables: Tables) -> list[Finding]:
    """Judge the law of every case, and what comes below it."""
    findings = []
    for name, rows in tables.main.groupby("case", sort=False):
        case = str(name)
        findings += [tail_finding(case, rows)] if case in TAILS else power_findings(case, rows)
    return findings
