"""Load balancing: an auxiliary loss reopens the gate, and with it the loss.

Assumptions: cubic experts, N = 4, M = 16, squared loss; the auxiliary loss
``c M sum_i fraction_i mean(pi_i)`` of weight c in all stages. Laws are judged on runs that
specialize; their share stands beside.
Statement (derived here, docs/theory.md §6.6): with one expert m a class the squared loss is zero at
*every* gate value pi, because the expert makes up for it (pi f = 1). So nothing holds the gate shut
against c: it has no stationary point, and opens in a time proportional to 1/c. Once open, the
squared loss holds it back with a residual ``1 - pi f = c M pi / N`` a class, so the loss comes back
to about ``(c M pi / N)^2 / 2``, proportional to c^2; when another expert has caught up, the class
is handed to it and all begins again.
Kind: tight (both exponents, the level), existence (return), lower (coverage).
Source: derived here; load balancing is discussed in public reviews of arXiv:2510.27004
(reconstructed).

Findings. "Stops at 1e-4" for c = 0.01 is a moment of this course: the same run has been at 2e-6
before. A weight of 1e-4 leaves the rate alone for the preset's 2,000 steps, a fiftieth of the
time to its return. What would be bought is not there: at M = 2N the same runs cover every class
with c = 0.1 as without, seed by seed, though their losses differ (c = 1e-3 to 1: the same 17 of 40,
seeds 500000 on). Conjecture: fractions are nearly even while experts choose.
Settings were chosen on seeds from 500000; the recorded seeds begin at 0.
"""

import numpy as np
import pandas as pd

from motsim.claims import Claim, Finding, Interval
from motsim.claims._counted import too_few
from motsim.claims._excess import last_stage_curve
from motsim.claims._outcomes import at_epsilon, outcomes, specialized
from motsim.claims._undecided import needs
from motsim.results.tables import Tables
from motsim.statistics.intervals import exact_share_interval, median_interval

__all__ = ["CLAIM", "courses", "judge", "residual"]

CLAIM = Claim(
    statement="Load balancing costs the mixture its rate.",
    source="derived here, docs/theory.md §6.6; arXiv:2510.27004, public reviews",
    origin="derived",
    prediction="loss comes back after a time ~ 1/c to a level ~ c^2; same rate before",
    kind="tight",
)

NUM_CLASSES, NUM_EXPERTS = 4, 16
COURSES = ("course-weak", "course-middle", "course-strong")
DECADES, SAME = (1e-3, 1e-7), 1.05
LATE = (25.0, 40.0)  # c times step while the gate is open
RETURN = 10.0  # times the least loss
BAND = 0.15  # of an exponent: neighboring whole and half exponents are 0.5 away
GAIN = 0.15  # of the share that covers; less is not worth a rate


def residual(weight: float, gate_value: float = 1.0) -> float:
    """Residual 1 - pi f of a class at which squared and auxiliary loss balance on the gate."""
    return weight * NUM_EXPERTS * gate_value / NUM_CLASSES


def courses(tables: Tables) -> pd.DataFrame:
    """Course of each run of the cases `COURSES` that specializes.

    Columns load_balance, seed, least (loss), level (median loss in `LATE` / c) and back: first
    step after the least loss with a loss above c^2, NaN if never.
    """
    curve = last_stage_curve(tables, *COURSES, axis="load_balance")
    good = specialized(_runs(tables, COURSES), NUM_CLASSES)
    rows = []
    for weight, seed in zip(good["load_balance"], good["seed"], strict=True):
        own = curve[(curve["load_balance"] == weight) & (curve["seed"] == seed)]
        loss = own["loss"].to_numpy(float)
        step = own["step"].to_numpy(float) - own["step"].min()
        if not len(loss) or not np.isfinite(loss).any():
            continue
        late = loss[(weight * step >= LATE[0]) & (weight * step <= LATE[1])]
        place = int(np.nanargmin(loss))
        over = np.flatnonzero((loss > weight**2) & (np.arange(len(loss)) > place))
        level = float(np.median(late)) if len(late) else np.nan
        back = step[over[0]] if len(over) else np.nan
        rows.append((weight, seed, loss[place], level, back))
    columns = ["load_balance", "seed", "least", "level", "back"]
    return pd.DataFrame(rows, columns=columns, dtype=float)


@needs(CLAIM, "case seed load_balance covered_classes stage_length epsilon")
def judge(tables: Tables) -> list[Finding]:
    """Judge rate, return, exponents, level and coverage."""
    found = courses(tables)
    became = str(outcomes(_runs(tables, COURSES), NUM_CLASSES))
    weak = tables.main[tables.main["case"] == "weak"]
    if weak.empty:
        return []
    return [
        _weak(weak),
        _return(found, became),
        _exponent("return-time", found, "back", -1.0, became),
        _exponent("level", found, "level", 2.0, became),
        _bound(found, became),
        _coverage(_runs(tables, ("coverage",))),
    ]


def _runs(tables: Tables, cases: tuple[str, ...]) -> pd.DataFrame:
    return tables.runs[tables.runs["case"].isin(cases)]


def _weak(rows: pd.DataFrame) -> Finding:
    """Steps of stage III from 1e-3 to 1e-7 with the small weight over those without, by seed."""
    good = specialized(rows, NUM_CLASSES)
    taken = []
    for end in DECADES:
        hits = at_epsilon(good, end).pivot_table(
            index="seed", columns="load_balance", values="stage_step"
        )
        taken.append(hits.where(hits >= 0))
    steps = (taken[1] - taken[0]).dropna()
    ratios = np.array([])
    if steps.shape[1] == 2:
        ratios = (steps[steps.columns.max()] / steps[steps.columns.min()]).to_numpy(float)
    ratio = median_interval(ratios)
    span = f", from {ratios.min():.4f} to {ratios.max():.4f}" if len(ratios) else ""
    return Finding(
        "rate-weak", f"steps with c = 1e-4 / steps without = 1 within {100 * SAME - 100:.0f} %",
        f"{ratio.value:.4f} {ratio.ends('.4f')}", ratio.near(1.0, SAME),
        f"{outcomes(rows, NUM_CLASSES)}; 1e-3 to 1e-7, {len(ratios)} pairs of runs{span}",
        ratio,
    )  # fmt: skip


def _return(found: pd.DataFrame, became: str) -> Finding:
    """Level over least loss: the smallest of a seed's weights, median over seeds."""
    logs = pd.Series(np.log10((found["level"] / found["least"]).to_numpy(float)))
    ratio = median_interval(logs.groupby(found["seed"].to_numpy()).min().to_numpy(float))
    return Finding(
        "return", f"the loss comes back: level / least loss > {RETURN:g}",
        f"{ratio:10^.1f}", ratio.above(float(np.log10(RETURN))),
        f"{became}; the weight with the smallest return", ratio,
    )  # fmt: skip


def _exponent(case: str, found: pd.DataFrame, column: str, target: float, became: str) -> Finding:
    """Exponent of `column` in the weight, by least squares in each seed: tight."""
    slopes = []
    for _, own in found.dropna(subset=[column]).groupby("seed"):
        if own["load_balance"].nunique() >= 3:
            slopes.append(np.polyfit(np.log(own["load_balance"]), np.log(own[column]), 1)[0])
    exponent = median_interval(np.array(slopes))
    return Finding(
        case, f"~ c^{target:g} within {BAND:g}", f"exponent {exponent}",
        exponent.within(target - BAND, target + BAND),
        f"{became}; {len(slopes)} seeds with every weight", exponent,
    )  # fmt: skip


def _bound(found: pd.DataFrame, became: str) -> Finding:
    """Level in units of (c M / N)^2 / 2, the median of a seed's weights: pi^2, below 1."""
    unit = 0.5 * residual(1.0) ** 2 * found["load_balance"] ** 2
    share = median_interval((found["level"] / unit).groupby(found["seed"]).median().to_numpy(float))
    return Finding(
        "bound", "level = pi^2 (c M/N)^2 / 2, 1/N < pi < 1", f"pi^2 = {share}",
        share.within((1.0 / NUM_CLASSES) ** 2, 1.0),
        f"{became}; an open gate, pi = {np.sqrt(share.value):.2f}", share,
    )  # fmt: skip


def _coverage(runs: pd.DataFrame) -> Finding:
    """Gain in the share that covers with the largest weight, paired by seed."""
    runs = runs[runs["covered_classes"].notna()]
    pairs = runs.assign(covers=runs["covered_classes"] == NUM_CLASSES).pivot_table(
        index="seed", columns="load_balance", values="covers", aggfunc="first"
    )
    predicted, case = f"gain in coverage > {GAIN:g}", "coverage"
    pairs = pairs.dropna()
    if few := too_few(case, predicted, len(pairs) if pairs.shape[1] > 1 else 0):
        return few
    without, with_ = (pairs[c].astype(bool) for c in (pairs.columns.min(), pairs.columns.max()))
    n, gained, lost = len(pairs), int((with_ & ~without).sum()), int((without & ~with_).sum())
    # gain <= share that gains, >= minus the share that loses; exact ends of both
    more, less = exact_share_interval(gained, n), exact_share_interval(lost, n)
    gain = Interval((gained - lost) / n, more.low - less.high, more.high - less.low)
    return Finding(
        case, predicted, f"gain {gain:+.2f}", gain.above(GAIN),
        f"{without.sum()} of {n} runs cover without, {with_.sum()} with"
        f" c = {pairs.columns.max():g}; {gained} gained, {lost} lost", gain,
    )  # fmt: skip
