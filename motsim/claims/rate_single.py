"""Rate of a single transformer: a power of 1/eps, and where the power comes from.

Assumptions: plain gradient descent on all parameters from the first step, no noise tokens; H heads.

Statement: T(eps) grows like eps^-p with p > 0, O(1/eps) where p is at most 1. The mechanism
(derived here): one softmax can cancel a distractor of one amplitude at finite parameters, so with
one amplitude the loss falls exponentially; amplitudes spread over an interval need saturated
attention, the infimum is at infinity, and the gradient dominates the loss less and less. With
``dL/dt = -(eta_w |g_w|^2 + eta_a |g_a|^2) = -2 D L``, a dominance D like L^p gives T like eps^-p:
the exponent of D along the run predicts the exponent of T. The verdict depends on the step sizes:
at larger ones (0.2 for the FFN) the loss oscillates at the edge of stability, D says nothing and
the verdict turns with rounding, so they are not in the sweep. With one amplitude T is logarithmic
below a transient (measured here). Over 3 to 4 decades the exponent of several heads drifts: a sum
of three exponentials, or a floor, fits as well as a power, and the law is left open. For logistic
loss the infimum is at infinity for every model; cubic heads add a factor log(1/eps)^(-4/3), so p is
below 1 at any eps.

Kind: lower (p > 0) for the law, tight for the mechanism.

Source: arXiv:2510.27004, abstract, after Yang et al. (ICLR 2025), quoted; mechanism derived here.
"""

import numpy as np
import pandas as pd

from motsim.claims import Claim, Finding, Verdict
from motsim.claims._missing import nothing
from motsim.claims._outcomes import specialized
from motsim.claims.rates import curves, rate_finding
from motsim.intervals import mean_interval, shown
from motsim.rates import fit_law
from motsim.results.tables import Tables

__all__ = ["CLAIM", "dominance", "dominance_exponents", "hitting_exponents", "judge"]

CLAIM = Claim(
    statement="A single transformer needs O(1/eps) steps: T(eps) is a power of 1/eps.",
    source="arXiv:2510.27004, abstract; Yang et al., ICLR 2025",
    origin="quoted",
    prediction="T(eps) ~ eps^-p, 0 < p <= 1, for any number of heads; p from the dominance",
    kind="lower",
)

EXPECTED: dict[str, Verdict] = {
    "single-4-squared": "inconclusive",
    "single-16-squared": "inconclusive",
    "single-1-logistic": "holds",
    "single-4-logistic": "inconclusive",
    "single-16-logistic": "inconclusive",
    "spread 0.1": "inconclusive",
    "one-amplitude 0.1": "fails",
    "spread 0.1 mechanism": "holds",
    "spread-slow 0.05": "inconclusive",
    "spread-slow 0.05 mechanism": "holds",
    "spread-slow 0.1": "inconclusive",
    "spread-slow 0.1 mechanism": "inconclusive",
    "one-amplitude-slow 0.05": "fails",
    "one-amplitude-slow 0.1": "fails",
}
ALIGN_RATE = {"spread": 1.0, "one-amplitude": 1.0}  # see the sweep file
SLOW_ALIGN_RATE = 0.5
ASYMPTOTIC = 1e-2  # exponents are local: larger losses are start-up
HALF_DISTANCE = 0.25  # between the neighbouring laws p = 0, 1/2, 1


def dominance(tables: Tables, case: str, rate: float) -> pd.DataFrame:
    """Columns seed, loss, dominance (weighted by the step sizes, a step) of a case's snapshots."""
    table = tables.others.get("curvature", pd.DataFrame({"case": []}))
    rows = table[table["case"] == case]
    if rows.empty:
        return pd.DataFrame({"seed": [], "loss": [], "dominance": []})
    rows = rows[np.isclose(rows["converge_rate"], rate)].drop_duplicates(["seed", "step"])
    attention = rows["dominance"] - rows["ffn_dominance"]
    align = ALIGN_RATE.get(case, SLOW_ALIGN_RATE)
    weighted = rate * rows["ffn_dominance"] + align * attention
    return pd.DataFrame({"seed": rows["seed"], "loss": rows["loss"], "dominance": weighted})


def dominance_exponents(table: pd.DataFrame) -> dict[int, float]:
    """Slope of log dominance against log loss below `ASYMPTOTIC`, a seed."""
    slopes = {}
    for seed, rows in table[(table["loss"] < ASYMPTOTIC) & (table["loss"] > 0)].groupby("seed"):
        if len(rows) >= 4:
            slope = np.polyfit(np.log(rows["loss"]), np.log(rows["dominance"]), 1)[0]
            slopes[int(str(seed))] = float(slope)
    return slopes


def hitting_exponents(rows: pd.DataFrame) -> dict[int, float]:
    """Exponent p of the power law fitted to each seed's own T(eps) below `ASYMPTOTIC`."""
    found = {}
    for seed, run in specialized(rows).groupby("seed"):
        epsilons, hits, budgets = curves(run)
        try:
            span = (float(epsilons.min()) / 2, ASYMPTOTIC)
            fit = fit_law("power", epsilons, hits, budgets, eps_range=span)
        except ValueError:  # fewer than four points
            continue
        found[int(str(seed))] = float(fit.exponent or 0.0)
    return found


def mechanism_finding(name: str, rows: pd.DataFrame, table: pd.DataFrame) -> Finding:
    """Compare the exponents of dominance and of T, paired by seed: tight."""
    ours, theirs = dominance_exponents(table), hitting_exponents(rows)
    seeds = sorted(set(ours) & set(theirs))
    p = np.array([theirs[s] for s in seeds])
    value, low, high = mean_interval(np.array([ours[s] for s in seeds]) - p)
    verdict: Verdict = "inconclusive"
    if low > -HALF_DISTANCE and high < HALF_DISTANCE:
        verdict = "holds"
    elif low > HALF_DISTANCE or high < -HALF_DISTANCE:
        verdict = "fails"
    mean = float(p.mean()) if len(p) else float("nan")
    return Finding(
        f"{name} mechanism",
        f"exponent of the dominance = p = {mean:.2f}",
        f"difference = {shown(value, low, high)}",
        verdict, EXPECTED.get(f"{name} mechanism", "inconclusive"),
        "slope of log(gradient dominance) against log(loss) along each run minus the exponent of"
        f" its T(eps), {len(seeds)} seeds in pairs",
        value, low, high,
    )  # fmt: skip


def judge(tables: Tables) -> list[Finding]:
    """Judge the law of every case and the mechanism behind it."""
    main = tables.main
    if "converge_rate" not in main:
        main = main.assign(converge_rate=float("nan"))
    if not {"case", "epsilon", "step"} <= set(main):
        return nothing(CLAIM)
    findings = []
    for (case, rate), rows in main.groupby(["case", "converge_rate"], dropna=False, sort=False):
        size = float(str(rate))
        name = str(case) if np.isnan(size) else f"{case} {size:g}"
        expected = EXPECTED.get(name, "inconclusive")
        findings.append(rate_finding(name, rows, "power", expected))
        if str(case).startswith("spread"):
            findings.append(mechanism_finding(name, rows, dominance(tables, str(case), size)))
    return findings or nothing(CLAIM)
