"""Headline: MoT needs O(log 1/eps) steps where one transformer needs a power of 1/eps."""

import numpy as np
import pandas as pd

from motsim.claims import Claim, Finding, Verdict
from motsim.claims._missing import nothing
from motsim.claims._outcomes import outcomes, specialized
from motsim.rates import MISSING, RateDecision, decide, fit_law, log_depth, supports
from motsim.rates.depth import SAME_ORDER
from motsim.results.tables import Tables
from motsim.statistics.intervals import above, exact_share_interval

__all__ = [
    "CLAIM",
    "case_decision",
    "curves",
    "fitted_curve",
    "judge",
    "log_finding",
    "rate_finding",
]

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

DEEP = "log to the end"
MOST = 0.5  # of the runs that specialize: so many have to keep their logarithm

#: Case -> (law that would make the claim hold, verdict recorded so far).
EXPECTED: dict[str, tuple[str, Verdict]] = {
    "mot-squared": ("log", "holds"),
    "mot-squared-deep": (DEEP, "fails"),
    "mot-linear-squared": ("log", "holds"),
    "mot-linear-squared-deep": (DEEP, "fails"),
    "mot-linear-squared-untrained-attention": (DEEP, "holds"),
    "mot-logistic": ("log", "fails"),
    "single-1-squared": ("power", "inconclusive"),
    "single-4-squared": ("power", "holds"),
    "single-16-squared": ("power", "holds"),
    "single-1-logistic": ("power", "holds"),
    "single-4-logistic": ("power", "holds"),
    "single-16-logistic": ("power", "holds"),
}


def case_decision(rows: pd.DataFrame, num_classes: int | None = None) -> RateDecision:
    """Decide the law of one case from its rows (run, epsilon, stage_step).

    Steps count from the start of the last stage. The law is that of the runs that specialize; with
    `num_classes` they have to cover every class (motsim/claims/_outcomes.py).
    """
    diverged = rows.loc[rows["status"] == "diverged", "run"].nunique()
    epsilons, hits, budgets = curves(specialized(rows, num_classes))
    return decide(
        epsilons, hits, budgets, watched=budgets, num_diverged=int(diverged), independent=True
    )


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
    depth = f"looked at down to {rows['epsilon'].min():.0e}{dynamics(rows)}"
    predicted = {"log": "T = a + b log(1/eps)", "power": "T = a + b eps^-p, p > 0"}[law]
    evidence = f"{became}. Of those, {depth}: {decision.reason}"
    return Finding(case, predicted, measured, verdict, expected, evidence, value, *interval)


def log_finding(
    case: str, predicted: str, decision: RateDecision, became: str, expected: Verdict
) -> Finding:
    """Judge a decision against the log law; its value is the exponent."""
    low, high = decision.exponent_interval
    measured = f"{decision.law}: p = {decision.exponent:.2f} [{low:.2f}, {high:.2f}]"
    return Finding(
        case, predicted, measured if np.isfinite(decision.exponent) else "no law",
        supports(decision, "log"), expected, f"{became}: {decision.reason}",
        decision.exponent, low, high,
    )  # fmt: skip


def dynamics(rows: pd.DataFrame) -> str:
    """Say where hitting times come from a gradient flow; descent goes without saying."""
    if "flow_rtol" not in rows or rows["flow_rtol"].isna().all():
        return ""
    return f" along the gradient flow (rtol {rows['flow_rtol'].max():.0e})"


def depth_finding(
    case: str, rows: pd.DataFrame, expected: Verdict, num_classes: int = 4
) -> Finding:
    """Judge whether most runs that specialize keep their logarithm to the smallest eps."""
    smallest = float(rows["epsilon"].min())
    predicted = f"log down to {smallest:.0e} in more than {MOST:.0%} of the runs"
    became = outcomes(rows, num_classes)
    depth = log_depth(*curves(specialized(rows, num_classes)))
    total = len(depth.eps_low)
    if not total:
        return Finding(
            case, predicted, "no run specializes", "inconclusive", expected, f"{became}."
        )
    ends = exact_share_interval(depth.num_kept, total)
    value, low, high = depth.median()
    spread = f"{value:.1e} [{low:.1e}, {high:.1e}]"
    speed = float(np.nanmedian(depth.steps_per_decade)) if np.isfinite(depth.eps_low).any() else 0.0
    if depth.num_kept > MOST * total:
        measured, below = f"log: {speed:.0f} steps a decade to {smallest:.0e}", ""
    else:
        measured = f"log: {speed:.0f} steps a decade, down to {value:.0e} only"
        seen = depth.growth[~np.isnan(depth.growth)]
        growth = float(np.median(seen)) if seen.size else np.inf
        below = " it is not reached" if np.isinf(growth) else f" T grows {growth:.2g}-fold"
        below = f"; in the decade below{below} (median)"
    return Finding(
        case, predicted, measured, above(*ends, MOST), expected,
        f"{became}. Of those {depth.num_kept} of {total} keep their steps per decade within a"
        f" factor {SAME_ORDER:g} to the end{dynamics(rows)}; the logarithm ends at eps = {spread}"
        f" (median of the runs){below}",
        value, low, high,
    )  # fmt: skip


def conclusion(findings: list[Finding]) -> list[str]:
    """Say in three lines what was found, in words that need only the abstract."""
    found = {finding.case: finding for finding in findings}
    if not set(EXPECTED) <= set(found):
        return []
    words = {"holds": "holds", "fails": "does not hold", "inconclusive": "is undecided"}

    def rate(case: str, name: str) -> str:
        return f"{words[found[case].verdict]} for {name} ({found[case].measured})"

    def end(case: str, name: str) -> str:
        value, verdict = found[case].value, found[case].verdict
        return f"{name} {value:.0e}" + (" at least" if verdict == "holds" else "")

    def heads(loss: str) -> str:
        return ", ".join(
            f"{h} head{'s' * (h > 1)} {words[finding.verdict]}"
            + (f" (p = {finding.value:.2f})" if finding.verdict != "inconclusive" else "")
            for h in (1, 4, 16)
            for finding in [found[f"single-{h}-{loss}"]]
        )

    deep = "mot-linear-squared"
    return [
        f"Mixture, squared loss: O(log 1/eps) {rate('mot-squared', 'cubic experts')} and"
        f" {rate(deep, 'linear experts')}. Down to which eps:"
        f" {end('mot-squared-deep', 'cubic')}, {end(f'{deep}-deep', 'linear')}, linear with"
        f" attention never trained {end(f'{deep}-untrained-attention', '').lstrip()}.",
        f"Mixture, logistic loss: O(log 1/eps) {rate('mot-logistic', 'cubic experts')}.",
        f"One transformer, a power of 1/eps. Logistic loss: {heads('logistic')}."
        f" Squared loss: {heads('squared')}.",
    ]


def judge(tables: Tables) -> list[Finding]:
    """Judge every case of the headline sweep."""
    if not {"case", "epsilon", "stage_step"} <= set(tables.main):
        return nothing(CLAIM)
    findings = []
    for case, rows in tables.main.groupby("case", sort=False):
        law, expected = EXPECTED.get(str(case), ("log", "inconclusive"))
        if law == DEEP:
            findings.append(depth_finding(str(case), rows, expected))
        else:
            findings.append(rate_finding(str(case), rows, law, expected))
    return findings or nothing(CLAIM)
