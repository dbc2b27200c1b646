"""Where each law holds: every model, loss and optimizer of the last stage.

Assumptions: N = 4, no noise tokens, gated models after stages I and II, experts covering all
classes; single transformers from the first step.

Statement: gated models follow the log law and the single transformer a power law. The mechanism,
one line a column (derived in rate_mot.py): squared loss and plain descent: minimum at finite
parameters (gated) or at saturated attention (single), so log against power, the separation of the
paper. Logistic loss and plain descent: minimum at infinity for all, so a power for all. Logistic
loss and normalized descent: the margin grows at constant speed for all, so log for all. Squared
loss and normalized descent: the last step never gets shorter than eta, so a floor of order eta^2.

Kind: tight (the law itself). Source: arXiv:2510.27004, abstract (squared or logistic loss and
plain descent: quoted); the other columns are derived here.
"""

import pandas as pd

from motsim.claims import Claim, Finding
from motsim.claims._rates import case_decision, rate_finding
from motsim.claims._undecided import needs
from motsim.rates import RateDecision
from motsim.results.tables import Tables

__all__ = ["CLAIM", "cell", "judge"]

CLAIM = Claim(
    statement=(
        "Gated mixtures reach eps in O(log(1/eps)) steps and a single transformer in O(1/eps),"
        " whatever the loss and the optimizer."
    ),
    source="arXiv:2510.27004, abstract, extended to every loss and optimizer",
    origin="reconstructed",
    prediction="log law for mot, moe and shared; power law for single",
    kind="tight",
)

NUM_CLASSES = 4


def cell(case: str) -> tuple[str, str, str]:
    """Model, loss and optimizer of a case's name."""
    model, loss, optimizer = case.split("-")
    return model, loss, optimizer


def decision(case: str, rows: pd.DataFrame) -> RateDecision:
    """Decide the law of one cell; gated models by the runs that cover every class."""
    return case_decision(rows, None if cell(case)[0] == "single" else NUM_CLASSES)


@needs(CLAIM, "case epsilon covered_classes")
def judge(tables: Tables) -> list[Finding]:
    """Judge every cell of the matrix."""
    findings = []
    for case, rows in tables.main.groupby("case", sort=False):
        law = "power" if cell(str(case))[0] == "single" else "log"
        findings.append(rate_finding(str(case), rows, law, NUM_CLASSES))
    return findings
