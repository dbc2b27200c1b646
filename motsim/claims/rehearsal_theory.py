"""The closed forms of forgetting and generalization error are exact.

Assumptions: linear model in dimension p, standard normal inputs, each fit moves to the nearest
interpolator, fresh memory, every fit has at most p − 2 columns (here at most p − 9, so that the
errors have the fourth moments which standard errors need).
Statement: E F_T and E G_T, for concurrent, sequential, hybrid and any other schedule, are
compositions of the affine map of docs/rehearsal.md §2; for sequential rehearsal the variances of
F_T and G_T are those of §7.
Kind: tight, so two-sided: each of 224 drawn settings within 4 standard errors, and mean z and
mean z² those of chance; a formula with p + 1 for p must be rejected by the same data.
Source: setting of arXiv:2506.00205 (reconstructed); formulas derived in docs/rehearsal.md §2, §7.
"""

import numpy as np
import pandas as pd

from motsim.claims import Claim, Finding
from motsim.claims._simulation import QUANTITIES, agreement, both, compared, missing, usable
from motsim.results.tables import Tables

__all__ = ["CLAIM", "deviations", "judge"]

CLAIM = Claim(
    statement=(
        "Forgetting and generalization error of rehearsal in overparameterized linear models have"
        " closed forms, exact for every schedule."
    ),
    source="arXiv:2506.00205, abstract; formulas derived in docs/rehearsal.md §2 and §7",
    origin="derived",
    prediction="simulation within 4 standard errors of the closed form in every drawn setting",
    kind="tight",
)

CASES = ("concurrent", "sequential", "hybrid", "random")
MIN_SETTINGS = 20  # drawn settings of a case, for mean z² to mean something


def deviations(rows: pd.DataFrame) -> pd.DataFrame:
    """(simulation − closed form) / standard error of every run, for F and G; for figures."""
    found = [
        rows[["case", "num_tasks"]].assign(
            quantity=name,
            predicted=rows[f"{name}_predicted"],
            simulated=rows[name],
            se=rows[f"{name}_se"],
            z=(rows[name] - rows[f"{name}_predicted"]) / rows[f"{name}_se"],
        )
        for name in QUANTITIES
    ]
    return pd.concat(found, ignore_index=True)


def judge(tables: Tables) -> list[Finding]:
    """Judge the means, one finding a kind of schedule, and the variances of sequential."""
    rows = usable(tables)
    findings = []
    for case in CASES:
        own = rows[rows["case"] == case]
        predicted = "closed form = simulation: |z| <= 4, mean z² = 1"
        if few := missing(case, predicted, own, MIN_SETTINGS):
            findings.append(few)
            continue
        found = compared(own)
        evidence = (
            f"{len(own)} drawn settings, T = {own['num_tasks'].min()} to {own['num_tasks'].max()},"
            f" {own['repetitions'].min():,.0f} runs each;"
            f" {found.against('the formula with p + 1 for p')}."
        )
        findings.append(found.finding(case, predicted, evidence))
    return [*findings, _variances(rows[rows["case"] == "sequential"])]


def _variances(rows: pd.DataFrame) -> Finding:
    """Variances on the scale of their logarithm, where a sample variance is closer to normal."""
    case, predicted = "sequential-variance", "closed form of Var F, Var G = variance over the runs"
    held = rows if "forgetting_variance" in rows else rows[:0]
    if few := missing(case, predicted, held, MIN_SETTINGS):
        return few
    value, error, truth = (
        both(rows, end) for end in ("_variance", "_variance_se", "_variance_predicted")
    )
    mean = both(rows, "_predicted")
    # near miss: the spread if F and G were squared distances along a single direction
    found = agreement(
        np.log(value), error / value, np.log(truth), np.log(2 * mean**2), independent=len(rows)
    )
    evidence = (
        f"{len(rows)} drawn settings of sequential rehearsal;"
        f" {found.against('2 mean² for the variance, as of one squared normal')}."
    )
    return found.finding(case, predicted, evidence)
