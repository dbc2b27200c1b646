"""Headline: MoT needs O(log 1/eps) steps where one transformer needs a power of 1/eps."""

import numpy as np
import pandas as pd

from motsim.claims import Claim, Finding, Verdict
from motsim.claims._missing import nothing
from motsim.claims._outcomes import outcomes, specialized
from motsim.rates import MISSING, RateDecision, decide, fit_law, supports
from motsim.results.tables import Tables

__all__ = ["CLAIM", "case_decision", "curves", "fitted_curve", "judge", "rate_finding"]

CLAIM = Claim(
    statement=(
        "A mixture of transformers reaches expected loss eps in O(log(1/eps)) steps; a single"
        " transformer needs O(1/eps)."
    ),
    source="arXiv:2510.27004, abstract",
    origin="quoted",
    prediction="T(eps) follows the log law for mot, a power law for single (squared loss)",
    kind="upper",
)

#: Case -> (law that would make the claim hold, verdict recorded so far).
EXPECTED: dict[str, tuple[str, Verdict]] = {
    "mot-squared": ("log", "holds"),
    "mot-linear-squared": ("log", "holds"),
    "mot-logistic": ("log", "fails"),
    "single-1-squared": ("power", "inconclusive"),
    "single-4-squared": ("power", "inconclusive"),
    "single-16-squared": ("power", "inconclusive"),
    "single-1-logistic": ("power", "holds"),
    "single-4-logistic": ("power", "inconclusive"),
    "single-16-logistic": ("power", "inconclusive"),
}


def case_decision(rows: pd.DataFrame, num_classes: int | None = None) -> RateDecision:
    """Decide the law of one case from its rows (run, epsilon, stage_step).

    Steps count from the start of the last stage. The law is that of the runs that specialize; with
    `num_classes` they have to cover every class (motsim/claims/_outcomes.py).
    """
    diverged = rows.loc[rows["status"] == "diverged", "run"].nunique()
    epsilons, hits, budgets = curves(specialized(rows, num_classes))
    return decide(epsilons, hits, budgets, watched=budgets, num_diverged=int(diverged))


def curves(rows: pd.DataFrame) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Epsilons (E,), hitting steps in the last stage (S, E), and its length (S,).

    Rows that the table does not have are `MISSING`, which `decide` counts.
    """
    wide = rows.pivot(index="run", columns="epsilon", values="stage_step").fillna(MISSING)
    wide = wide[sorted(wide.columns, reverse=True)].sort_index()
    length = rows.drop_duplicates("run").set_index("run")["stage_length"].loc[wide.index]
    return wide.columns.to_numpy(float), wide.to_numpy(np.int64), length.to_numpy(float)


def fitted_curve(rows: pd.DataFrame, num_classes: int | None = None) -> pd.DataFrame:
    """Median fitted T(eps) of the law that was decided, for figures; empty if inconclusive.

    Columns epsilon and step, from the first step of the run, over the range that was judged.
    """
    decision = case_decision(rows, num_classes)
    if decision.law == "inconclusive":
        return pd.DataFrame({"epsilon": [], "step": []})
    epsilons, hits, budgets = curves(specialized(rows, num_classes))
    low, high = decision.eps_range
    span = (low * 0.999, high * 1.001)
    fine = np.geomspace(high, low, 60)
    before = float((rows["num_steps"] - rows["stage_length"]).median())
    fit = fit_law(decision.law, epsilons, hits, budgets, eps_range=span)
    return pd.DataFrame({"epsilon": fine, "step": before + fit.median_curve(fine)})


def rate_finding(
    case: str, rows: pd.DataFrame, law: str, expected: Verdict, num_classes: int = 4
) -> Finding:
    """Judge one case against the law that the claim predicts for it."""
    gated = "covered_classes" in rows and bool(rows["covered_classes"].notna().any())
    decision = case_decision(rows, num_classes if gated else None)
    verdict = supports(decision, law)
    low, high = decision.exponent_interval
    measured = f"{decision.law}: p = {decision.exponent:.2f} [{low:.2f}, {high:.2f}]"
    value, interval = decision.exponent, (low, high)
    if decision.law == "log":
        b_low, b_high = decision.steps_per_decade_interval
        measured = (
            f"log: {decision.steps_per_decade:.0f} [{b_low:.0f}, {b_high:.0f}] steps a decade"
        )
        value, interval = decision.steps_per_decade, (b_low, b_high)
    if not np.isfinite(decision.exponent):
        reached = rows.loc[rows["step"] >= 0, "epsilon"].min()
        measured = f"no law; smallest eps reached {reached:.1e}"
    became = outcomes(rows, num_classes if gated else None)
    predicted = {"log": "T = a + b log(1/eps)", "power": "T = a + b eps^-p, p > 0"}[law]
    evidence = f"{became}. Of those: {decision.reason}"
    return Finding(case, predicted, measured, verdict, expected, evidence, value, *interval)


def judge(tables: Tables) -> list[Finding]:
    """Judge every case of the headline sweep."""
    if not {"case", "epsilon", "stage_step"} <= set(tables.main):
        return nothing(CLAIM)
    findings = []
    for case, rows in tables.main.groupby("case", sort=False):
        law, expected = EXPECTED.get(str(case), ("log", "inconclusive"))
        findings.append(rate_finding(str(case), rows, law, expected))
    return findings or nothing(CLAIM)
