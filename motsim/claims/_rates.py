"""Toolbox of the claims about rates: curves, decisions of their law, and findings on them."""

from functools import lru_cache

import numpy as np
import pandas as pd

from motsim.claims import Finding, Interval, Verdict
from motsim.claims._outcomes import classes_to_cover, outcomes, specialized
from motsim.claims._undecided import undecided
from motsim.mixture.status import Status
from motsim.rates import MISSING, RateDecision, decide, limit_exponent, log_depth, supports
from motsim.rates.depth import SAME_ORDER
from motsim.statistics.confidence import resolve
from motsim.statistics.intervals import exact_share_interval

__all__ = [
    "MOST", "PREDICTED", "case_decision", "curves", "depth_finding", "dynamics", "exponent_of",
    "exponent_text", "log_finding", "pace_of", "range_text", "rate_finding",
]  # fmt: skip

#: Law -> what it says of T(eps).
PREDICTED = {
    "log": "T = a + b log(1/eps)", "1/eps": "T ~ 1/eps", "power": "T = a + b eps^-p, p > 0",
    "floor": "the loss stops at a floor",
}  # fmt: skip
MOST = 0.5  # of the runs that specialize: so many have to keep their logarithm


def case_decision(rows: pd.DataFrame, num_classes: int | None = None) -> RateDecision:
    """Decide the law of one case from its rows (run, epsilon, stage_step).

    Steps count from the start of the last stage. The law is that of the runs that specialize; with
    `num_classes` they have to cover every class (motsim/claims/_outcomes.py).
    """
    diverged = rows.loc[rows["status"] == Status.DIVERGED, "run"].nunique()
    epsilons, hits, budgets = curves(specialized(rows, num_classes))
    contents = epsilons.tobytes(), hits.tobytes(), budgets.tobytes()
    return _decided(*contents, int(diverged), resolve(None))


@lru_cache(maxsize=64)
def _decided(
    epsilons: bytes, hits: bytes, budgets: bytes, num_diverged: int, level: float
) -> RateDecision:
    """Decide once what verdicts and figures ask of the same runs."""
    eps, last = np.frombuffer(epsilons), np.frombuffer(budgets)
    times = np.frombuffer(hits, np.int64).reshape(last.size, eps.size)
    return decide(
        eps, times, last, watched=last, num_diverged=num_diverged, independent=True, level=level
    )


def curves(rows: pd.DataFrame) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Epsilons (E,), hitting steps in the last stage (S, E), and its length (S,).

    Rows that the table does not have are `MISSING`, which `decide` counts.
    """
    rows = rows.drop_duplicates(["run", "epsilon"])  # settings without effect: the same run again
    wide = rows.pivot(index="run", columns="epsilon", values="stage_step").fillna(MISSING)
    wide = wide[sorted(wide.columns, reverse=True)].sort_index()
    length = rows.drop_duplicates("run").set_index("run")["stage_length"].loc[wide.index]
    return wide.columns.to_numpy(float), wide.to_numpy(np.int64), length.to_numpy(float)


def exponent_of(decision: RateDecision) -> Interval:
    """Exponent of a decided law, with its interval."""
    return Interval(decision.exponent, *decision.exponent_interval)


def pace_of(decision: RateDecision) -> Interval:
    """Steps per decade of a decided logarithm, with their interval."""
    return Interval(decision.steps_per_decade, *decision.steps_per_decade_interval)


def rate_finding(
    case: str,
    rows: pd.DataFrame,
    law: str,
    num_classes: int = 4,
    *,
    limit: bool = False,
    below: str = "not below that",
) -> Finding:
    """Judge one case against the law that the claim predicts for it.

    `limit`: extrapolate the exponent of a power, by a form that theory has for the logistic loss.
    `below`: what is known of smaller eps.
    """
    to_cover = classes_to_cover(rows, num_classes)
    decision = case_decision(rows, to_cover)
    found = exponent_of(decision)
    measured = exponent_text(decision)
    if decision.law == "log":
        found = pace_of(decision)
        speed = f"{found.value:.0f} {found.ends('.0f')} steps a decade"
        measured = f"log: {speed}{range_text(decision)}"
    if not np.isfinite(decision.exponent):
        reached = rows.loc[rows["step"] >= 0, "epsilon"].min()
        measured = f"no law; smallest eps reached {reached:.1e}"
    depth = f"looked at{dynamics(rows)} down to {rows['epsilon'].min():.0e}, {below}"
    evidence = f"{outcomes(rows, to_cover)}. Of those, {depth}: {decision.reason}"
    if limit and decision.law in ("power", "inverse"):
        p = Interval(*limit_exponent(*curves(specialized(rows, to_cover))[:2], decision.eps_range))
        evidence += (
            f"; extrapolated to eps = 0 by p(eps) = p - c/log(1/eps): p = {p.value:.2f} {p.ends()}"
        )
    verdict = Verdict(supports(decision, law))
    return Finding(case, PREDICTED[law], measured, verdict, evidence, found)


def log_finding(
    case: str,
    predicted: str,
    found: tuple[np.ndarray, np.ndarray, np.ndarray],
    became: str,
    *,
    eps_range: tuple[float, float] | None = None,
    independent: bool = True,
) -> Finding:
    """Judge curves (as of `curves`) against the log law; the value is the exponent."""
    decision = decide(*found, watched=found[2], eps_range=eps_range, independent=independent)
    measured = exponent_text(decision) if np.isfinite(decision.exponent) else "no law"
    verdict, evidence = Verdict(supports(decision, "log")), f"{became}: {decision.reason}"
    return Finding(case, predicted, measured, verdict, evidence, exponent_of(decision))


def exponent_text(decision: RateDecision) -> str:
    """Law and exponent in two digits, and the range of eps that was judged."""
    exponent = f"{decision.law}: p = {decision.exponent:.2f} {exponent_of(decision).ends()}"
    return exponent + range_text(decision)


def range_text(decision: RateDecision) -> str:
    """Range of eps that was judged: a law says nothing outside of it."""
    low, high = decision.eps_range
    return f", {high:.0e} to {low:.0e}" if np.isfinite([low, high]).all() else ""


def dynamics(rows: pd.DataFrame) -> str:
    """Say where hitting times come from a gradient flow; descent goes without saying."""
    if "flow_rtol" not in rows or rows["flow_rtol"].isna().all():
        return ""
    return f" along the gradient flow (rtol {rows['flow_rtol'].max():.0e})"


def depth_finding(case: str, rows: pd.DataFrame, num_classes: int = 4) -> Finding:
    """Judge whether most runs that specialize keep their logarithm to the smallest eps."""
    smallest = float(rows["epsilon"].min())
    predicted = f"log down to {smallest:.0e} in more than {MOST:.0%} of the runs"
    became = outcomes(rows, num_classes)
    good = specialized(rows, num_classes)
    depth = log_depth(*curves(good))
    total = len(depth.eps_low)
    if not total:
        return undecided(case, predicted, "no run specializes", f"{became}.")
    kept = exact_share_interval(depth.num_kept, total)
    end = Interval(*depth.median())
    of_those = f"{became}. Of those {depth.num_kept} of {total} keep"
    if np.isinf(end.value):  # the stage begins too low for a logarithm of its own
        lowest = good.loc[good["step"] >= 0].groupby("run")["epsilon"].min().median()
        begin = good.loc[good["stage_step"] > 0].groupby("run")["epsilon"].max().median()
        return Finding(
            case, predicted, "less than three decades of a logarithm in the last stage",
            kept.above(MOST), f"{of_those} it to the end{dynamics(rows)};"
            f" the last stage goes from {begin:.0e} to {lowest:.0e} (medians)",
        )  # fmt: skip
    spread = f"{end.value:.1e} {end.ends('.1e')}"
    speed = float(np.nanmedian(depth.steps_per_decade)) if np.isfinite(depth.eps_low).any() else 0.0
    if depth.num_kept > MOST * total:
        measured, below = f"log: {speed:.0f} steps a decade to {smallest:.0e}", ""
    else:
        measured = f"log: {speed:.0f} steps a decade, down to {end.value:.0e} only"
        seen = depth.growth[~np.isnan(depth.growth)]
        growth = float(np.median(seen)) if seen.size else np.inf
        below = " it is not reached" if np.isinf(growth) else f" T grows {growth:.2g}-fold"
        below = f"; in the decade below{below} (median)"
    return Finding(
        case, predicted, measured, kept.above(MOST),
        f"{of_those} their steps per decade within a factor {SAME_ORDER:g} to the"
        f" end{dynamics(rows)}; the logarithm ends at eps = {spread} (median of the runs){below}",
        end,
    )  # fmt: skip
