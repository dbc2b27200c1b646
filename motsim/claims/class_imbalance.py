"""Class law ~ n^-a: which classes experts take, how many experts cover, the rarest class's steps.

Assumptions: cubic experts, N = 4, distractor amplitude 2, class n has probability p_n ~ n^-a, the
distractor's class is uniform on the others; three-stage training. Rates are judged on runs that
specialize; their share stands beside.
Statement (derived here, motsim/claims/_race.py): which class an expert takes is a race that its
start decides: p_n weighs the square of its overlap, so rare classes get more than their share
p_n, and less than 1/N; the losers' signs matter, and what leaks through near-identity attention
turns a negative overlap, soonest for common classes. With shares q_n, M independent experts cover
with ``sum_S (-1)^|S| (1 - sum_S q_n)^M``, and M = ln(N/delta) / q_N suffices for 1 - delta. Given
success every class is learned at its own logarithmic rate, 9 eta p_n a decade's inverse: the last
to go is the rarest, ``ln 10 / (-2 ln(1 - 9 eta p_N))`` steps a decade, ~ 1/p_N.
Kind: tight (race, shares, coverage, steps), lower (enough).
Source: derived here; M = Omega(N log N) for equal classes: public reviews of arXiv:2510.27004
(reconstructed). The paper's classes are equally likely (reconstructed).

Findings: see EXPECTED and docs/theory.md §6.8.
Settings were chosen on seeds from 500000; the recorded seeds begin at 0.
"""

from math import ceil, log

import numpy as np
import pandas as pd
from scipy import stats

from motsim.claims import Claim, Finding, Verdict
from motsim.claims._classes import (
    DECADES,
    NUM_CLASSES,
    choices,
    class_law,
    covered,
    pairs,
    plateaus,
    shares_of_race,
    steps,
)
from motsim.claims._missing import nothing
from motsim.claims._outcomes import outcomes, specialized
from motsim.claims.rates import curves, log_finding
from motsim.rates import decide
from motsim.results.tables import Tables
from motsim.statistics.intervals import above, exact_share_interval, median_interval, shown

__all__ = ["CLAIM", "EXPECTED", "judge"]

CLAIM = Claim(
    statement="M = O(N log N) experts cover every class, and each class is learned at a log rate.",
    source="arXiv:2510.27004, public reviews; unequal classes: derived here, docs/theory.md §6.8",
    origin="derived",
    prediction="shares of a race weighed by p_n; coupons of these shares; steps a decade ~ 1/p_N",
    kind="tight",
)
LEVEL, DELTA = 0.95, 0.1
PREDICTED = 0.98  # share of experts whose class the race names
CLOSE = 1.05  # rivals (equal classes) are a factor 1.4 to 3.4 away
MIN_TRIALS = 20
RANGE = (1e-7, 1e-2)  # below, some runs stop for another reason: `steep-which`
DEEP, NAMED = 1e-8, 0.75  # a constant answer is right in about half of the runs
EXPECTED: dict[str, Verdict] = {
    "choice": "holds",
    "shares": "holds",
    "coverage": "holds",
    "enough-equal": "fails",
    "enough-race": "holds",
    "rate": "holds",
    "law": "holds",
    "steep": "inconclusive",
    "steep-which": "holds",
}


def judge(tables: Tables) -> list[Finding]:
    """Judge race, coverage, and steps."""
    needed = {"case", "seed", "class_exponent", "num_experts", "covered_classes", "stage_length",
              "epsilon", "stage_step"}  # fmt: skip
    if not needed <= set(tables.main) or tables.runs["covered_classes"].isna().all():
        return nothing(CLAIM)
    runs, experts = tables.runs, choices(tables)
    rates = tables.main[tables.main["case"] == "rate"]
    return [
        _choice(experts),
        _shares(experts),
        _coverage(covered(runs, "coverage")),
        *_enough(runs),
        _rate(rates),
        _law("law", rates[rates["class_exponent"] == 1.0], "a = 1"),
        _law("steep", tables.main[tables.main["case"] == "steep"], "a = 2"),
        _plateau(plateaus(tables)),
    ]  # fmt: skip


def _few(case: str, predicted: str, count: int) -> Finding:
    return Finding(case, predicted, "too few runs", "inconclusive", EXPECTED[case],
                   f"{count} trials a point; {MIN_TRIALS} are needed")  # fmt: skip


def _choice(experts: pd.DataFrame) -> Finding:
    """Experts that take the class which the race of their own start names."""
    case, predicted = "choice", f"the race names the class of > {PREDICTED:.0%} of the experts"
    right = {name: int((experts["found"] == experts[name]).sum())
             for name in ("named", "sealed", "blind")}  # fmt: skip
    n = len(experts)
    if n < MIN_TRIALS:
        return _few(case, predicted, n)
    low, high = exact_share_interval(right["named"], n)
    verdict = above(low, high, PREDICTED)
    rivals = [exact_share_interval(right[name], n)[1] for name in ("sealed", "blind")]
    if verdict == "holds" and max(rivals) >= low:
        verdict = "inconclusive"
    return Finding(
        case, predicted, f"{right['named']} of {n} [{low:.3f}, {high:.3f}]", verdict,
        EXPECTED[case], f"without what leaks through attention {right['sealed']}, with equal"
        f" classes {right['blind']} of {n}", right["named"] / n, low, high,
    )  # fmt: skip


def _tests(counts: list[tuple[int, int]], predicted: list[float]) -> np.ndarray:
    """Which counts differ from a prediction: exact, Bonferroni over the points."""
    values = [
        stats.binomtest(k, n, min(max(p, 0.0), 1.0)).pvalue
        for (k, n), p in zip(counts, predicted, strict=True)
    ]
    return np.array(values) * len(values) < 1 - LEVEL


def _shares(experts: pd.DataFrame) -> Finding:
    """Shares of the classes among experts, against race, class law and equal classes."""
    case, predicted = "shares", "shares of the race, not p_n and not 1/N"
    by_law = experts.groupby("class_exponent")
    least = int(by_law.size().min()) if len(experts) else 0
    if least < MIN_TRIALS:
        return _few(case, predicted, least)
    counts: list[tuple[int, int]] = []
    laws: dict[str, list[float]] = {"race": [], "law": [], "equal": []}
    listed = []
    for exponent, rows in by_law:
        a = float(str(exponent))
        found = [int((rows["found"] == n).sum()) for n in range(NUM_CLASSES)]
        counts += [(k, len(rows)) for k in found]
        for name, values in (("race", shares_of_race(a)), ("law", class_law(a)),
                             ("equal", class_law(0.0))):  # fmt: skip
            laws[name] += values
        low, high = exact_share_interval(found[-1], len(rows))
        listed.append(
            f"a = {a:g}: rarest class {found[-1] / len(rows):.3f} [{low:.3f}, {high:.3f}], race"
            f" {shares_of_race(a)[-1]:.3f}, p_N {class_law(a)[-1]:.3f}; commonest"
            f" {found[0] / len(rows):.3f}, race {shares_of_race(a)[0]:.3f},"
            f" p_1 {class_law(a)[0]:.3f}"
        )
    wrong = {name: int(_tests(counts, values).sum()) for name, values in laws.items()}
    verdict: Verdict = "fails" if wrong["race"] else "holds"
    if verdict == "holds" and not (wrong["law"] and wrong["equal"]):
        verdict = "inconclusive"
    return Finding(
        case, predicted, f"{len(counts) - wrong['race']} of {len(counts)} shares agree", verdict,
        EXPECTED[case], f"{'; '.join(listed)}. p_n is wrong at {wrong['law']}, 1/N at"
        f" {wrong['equal']} shares",
    )  # fmt: skip


def _coverage(points: pd.DataFrame) -> Finding:
    """Coverage at the end of stage I against the coupons of the race."""
    case, predicted = "coverage", "coupon collector with the race's shares"
    least = int(points["trials"].min()) if len(points) else 0
    if least < MIN_TRIALS:
        return _few(case, predicted, least)
    counts = pairs(points)
    wrong = {name: int(_tests(counts, points[name].tolist()).sum())
             for name in ("race", "law", "equal")}  # fmt: skip
    verdict: Verdict = "fails" if wrong["race"] else "holds"
    if verdict == "holds" and not (wrong["law"] and wrong["equal"]):
        verdict = "inconclusive"
    listed = "; ".join(
        f"a = {r.class_exponent:g}, M = {r.num_experts:.0f}: {r.share:.2f} [{r.low:.2f},"
        f" {r.high:.2f}], race {r.race:.2f}, p_n {r.law:.2f}, equal {r.equal:.2f}"
        for r in points.itertuples()
    )
    return Finding(
        case, predicted, f"{len(points) - wrong['race']} of {len(points)} points agree", verdict,
        EXPECTED[case], f"{listed}. Coupons of p_n are wrong at {wrong['law']}, of equal classes"
        f" at {wrong['equal']} points",
    )  # fmt: skip


def _enough(runs: pd.DataFrame) -> list[Finding]:
    """Coverage at the M that suffices for equal classes, and at the race's."""
    equal = ceil(NUM_CLASSES * log(NUM_CLASSES / DELTA))
    rare = shares_of_race(2.0)[-1]
    raced = ceil(log(NUM_CLASSES / DELTA) / rare)
    found = []
    for case, source, size, words in (
        ("enough-equal", "coverage", equal, f"N ln(N/{DELTA:g}) = {equal}"),
        ("enough-race", "enough", raced, f"ln(N/{DELTA:g}) / {rare:.3f} = {raced}"),
    ):
        predicted = f"a = 2: P[covered] >= {1 - DELTA:.2f} at M = {words}"
        rows = covered(runs, source)
        rows = rows[(rows["class_exponent"] == 2.0) & (rows["num_experts"] >= size)]
        if rows.empty or rows["trials"].min() < MIN_TRIALS:
            found.append(_few(case, predicted, int(rows["trials"].min()) if len(rows) else 0))
            continue
        row = rows.sort_values("num_experts").iloc[0]
        found.append(Finding(
            case, predicted, f"{row['share']:.2f} [{row['low']:.2f}, {row['high']:.2f}]",
            above(row["low"], row["high"], 1 - DELTA), EXPECTED[case],
            f"{row['successes']:.0f} of {row['trials']:.0f} runs at M = {row['num_experts']:.0f};"
            f" coupons of the race {row['race']:.2f}", row["share"], row["low"], row["high"],
        ))  # fmt: skip
    return found


def _rate(rows: pd.DataFrame) -> Finding:
    """Measured over derived steps: the median of a seed's class laws."""
    case, logs, listed = "rate", [], []
    good = specialized(rows, NUM_CLASSES)
    for exponent, part in good.groupby("class_exponent"):
        taken, derived = steps(part)
        logs.append(np.log(taken / derived).rename(str(exponent)))
        decades = np.log10(DECADES[0] / DECADES[1])
        listed.append(f"a = {exponent:g}: {taken.median() / decades:.0f} steps a decade,"
                      f" {derived / decades:.0f} derived")  # fmt: skip
    by_seed = pd.concat(logs, axis=1).median(axis=1) if logs else pd.Series(dtype=float)
    ratio, low, high = np.exp(median_interval(by_seed.to_numpy(float))).tolist()
    verdict: Verdict = "inconclusive"
    if low > 1 / CLOSE and high < CLOSE:
        verdict = "holds"
    elif low > CLOSE or high < 1 / CLOSE:
        verdict = "fails"
    return Finding(
        case, f"steps from 1e-4 to 1e-7 as derived within {CLOSE - 1:.0%}",
        f"measured / derived = {shown(ratio, low, high, '.3f')}", verdict, EXPECTED[case],
        f"{outcomes(rows, NUM_CLASSES)}; {'; '.join(listed)}", ratio, low, high,
    )  # fmt: skip


def _law(case: str, rows: pd.DataFrame, words: str) -> Finding:
    """Law of T(eps) of the runs that specialize, over `RANGE`."""
    predicted = f"T = a + b log(1/eps) down to {RANGE[0]:g}, {words}"
    good = specialized(rows, NUM_CLASSES)
    if good.empty or "epsilon" not in good or good["epsilon"].isna().all():
        return Finding(case, predicted, "no run", "inconclusive", EXPECTED[case], "no run to judge")
    epsilons, hits, budgets = curves(good)
    decision = decide(epsilons, hits, budgets, watched=budgets, eps_range=RANGE, independent=True)
    return log_finding(case, predicted, decision, str(outcomes(rows, NUM_CLASSES)), EXPECTED[case])


def _plateau(rows: pd.DataFrame) -> Finding:
    """Which runs of `steep` stop above `DEEP`, named by what stage I left across v_n."""
    case = "steep-which"
    predicted = f"what stage I leaves across v_n names > {NAMED:.0%} of the runs above {DEEP:g}"
    n = len(rows)
    if n < MIN_TRIALS:
        return _few(case, predicted, n)
    stops, named = rows["measured"] > DEEP, rows["predicted"] > DEEP
    right, most = int((stops == named).sum()), int(max(stops.sum(), n - stops.sum()))
    low, high = exact_share_interval(right, n)
    verdict = above(low, high, max(NAMED, most / n))
    factor = (rows["measured"] / rows["predicted"])[stops & named].median()
    return Finding(
        case, predicted, f"{right} of {n} [{low:.2f}, {high:.2f}]", verdict, EXPECTED[case],
        f"{stops.sum()} of {n} runs stop above {DEEP:g}; their loss is {factor:.2f} times the"
        " derived one (median; large rests still shrink)", right / n, low, high,
    )  # fmt: skip
