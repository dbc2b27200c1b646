"""Each subtask becomes strongly convex: the curvature in stage III against the loss.

Assumptions: exact population, orthogonal signals, squared loss, gate and attention frozen.
Statement: the Hessian of a specialized expert's loss on its own class has a smallest eigenvalue
mu > 0 on the signal subspace that does not fall with the loss eps. Derived, for amplitude alpha and
distractor gamma: linear expert, alpha^2 along v_n and E[gamma^2]/(N-1) along the others; cubic
expert at alpha u^3 = 1, 9 alpha^2 along v_n and 0 along the others, where its slope 3 u^2 vanishes.
Hence gradient dominance |g|^2/(2 L) of the whole mixture is constant, one N-th of the curvature
of the direction that is still wrong: the distractors' for linear experts (v_n is fitted in stage
I), v_n for cubic ones. Steps a decade are ln 10 / (-2 ln(1 - eta mu)).
Kind: tight for the mixture: value within 5 %, exponent of mu ~ eps^q within 0.05 of 0, by medians,
and by each run alone in more than half of all runs, those included that never come to their end.
Source: arXiv:2510.27004, abstract (strong convexity); constants derived here.

Finding. Cubic experts are strongly convex along v_n only. Stage III converges at a log rate
because its error lies along v_n; with similar tasks it does not, and the log law is lost (see
similarity). For one transformer the dominance falls as a power of the loss: its infimum is
approached through the softmax, never attained. Its FFN Hessian alone stays bounded, so it is the
attention, not the FFN, that makes the problem hard. Of the whole gradient the dominance D is no
second witness of the rate: along the flow dL/dt = -2 D L, so D ~ eps^q and T ~ eps^-q are one
statement, and strongly convex problems obey the same identity with q = 0. It is shown as the
contrast to the mixture's constant, whose *value* is predicted.
"""

import numpy as np
import pandas as pd

from motsim.claims import Claim, Finding, Verdict
from motsim.results.tables import Tables
from motsim.statistics.intervals import exact_share_interval, mean_interval, median_interval

__all__ = ["CASES", "CLAIM", "judge", "late_rows"]

CLAIM = Claim(
    statement="After specialization each expert solves a strongly convex problem.",
    source="arXiv:2510.27004, abstract",
    origin="quoted",
    prediction="smallest curvature > 0 and steady in eps for mot, falling with eps for single",
    kind="tight",
)

EXPONENT_TOLERANCE = 0.05  # of mu ~ eps^q; one transformer is expected near q = 0.5 to 1
VALUE_TOLERANCE = 0.05  # relative
#: Model -> its last stage, and the loss below which it is at its end: the claim is about that.
END = {"mot": ("converge", 1e-4), "single": ("joint", 0.1)}
MIN_DECADES = 3.0
MOST = 0.5  # more than this share of all runs keep value and exponent, each by itself
NUM_CLASSES = 4
GAMMA_SQUARE = 13.0 / 3.0  # E gamma^2 on [1, 3]

#: Finding -> (case, column, predicted value, None where only its trend is predicted).
CASES: dict[str, tuple[str, str, float | None]] = {
    "mot-linear, smallest": ("mot-linear", "smallest", 1.0),
    "mot-linear, dominance": (
        "mot-linear", "ffn_dominance", GAMMA_SQUARE / (NUM_CLASSES * (NUM_CLASSES - 1)),
    ),
    "mot-cubic, along v_n": ("mot-cubic", "along", 9.0),
    "mot-cubic, dominance": ("mot-cubic", "ffn_dominance", 9.0 / NUM_CLASSES),
    "mot-cubic, smallest": ("mot-cubic", "smallest", None),
    "single-4, dominance": ("single-4", "dominance", None),
    "single-16, dominance": ("single-16", "dominance", None),
}  # fmt: skip


def late_rows(tables: Tables, case: str, column: str) -> pd.DataFrame:
    """Columns seed, loss and `column` (smallest over the classes) of the last stage's end."""
    rows = tables.with_columns("curvature", "case", "stage", "seed", "step", "loss", column)
    stage, limit = END[case.split("-")[0]]
    rows = rows[(rows["case"] == case) & (rows["stage"] == stage) & (rows["loss"] < limit)]
    rows = rows[(rows["loss"] > 0) & np.isfinite(rows[column].astype(float))]
    worst = rows.groupby(["seed", "step"]).agg({"loss": "first", column: "min"})
    return worst.reset_index()


def _slopes(rows: pd.DataFrame, column: str) -> tuple[np.ndarray, np.ndarray, float]:
    """Exponent and median of each seed, and the median range of the loss in decades."""
    slopes, values, decades = [], [], []
    for _, run in rows.groupby("seed"):
        x = np.log(run["loss"].to_numpy(float))
        y = np.log(np.maximum(run[column].to_numpy(float), 1e-300))
        if len(x) < 3 or np.ptp(x) == 0:
            continue
        slopes.append(float(np.polyfit(x, y, 1)[0]))
        values.append(float(run[column].median()))
        decades.append(float(np.ptp(x) / np.log(10.0)))
    middle = float(np.median(decades)) if decades else 0.0
    return np.array(slopes), np.array(values), middle


def _runs(tables: Tables, case: str) -> int:
    """How many runs a case has, with those that never come to the end of their last stage."""
    return int((tables.runs["case"] == case).sum()) if "case" in tables.runs else 0


def judge(tables: Tables) -> list[Finding]:
    """Judge value and exponent of every curvature."""
    return [_finding(tables, name) for name in CASES]


def _finding(tables: Tables, name: str) -> Finding:
    case, column, value = CASES[name]
    rows = late_rows(tables, case, column)
    slopes, values, decades = _slopes(rows, column)
    # a mixture that leaves its logarithm, as one in twelve does, has any exponent: the median's
    single = case.startswith("single")
    q, mu = (mean_interval(x) if single else median_interval(x) for x in (slopes, values))
    decisive = mu
    measured = f"{mu:.3g}, exponent {q:.3f}"
    total = _runs(tables, case)
    where = f"{len(slopes)} of {total} runs, {decades:.1f} decades of the loss"
    if single:
        verdict = q.above(EXPONENT_TOLERANCE)
        text = f"falls as eps^q, q > {EXPONENT_TOLERANCE:g}"
        why = (
            f"gradient dominance follows the loss ({where}): not strongly convex; by dL/dt = -2 D L"
            " the same statement as the power of T(eps), no second evidence for it"
        )
        decisive = q
    elif value is None:
        text = "bounded away from 0: above 1 % of the curvature along v_n, 0.09"
        verdict = mu.above(0.09)
        why = f"a cubic unit has slope 3u^2 = 0 in the directions it ignores ({where})"
    else:
        text = f"{value:.3g} within 5 %, steady in eps"
        close = mu.within(value * (1 - VALUE_TOLERANCE), value * (1 + VALUE_TOLERANCE))
        verdict = close.both(q.within(-EXPONENT_TOLERANCE, EXPONENT_TOLERANCE))
        each = (abs(values / value - 1) < VALUE_TOLERANCE) & (abs(slopes) < EXPONENT_TOLERANCE)
        verdict = verdict.both(exact_share_interval(int(each.sum()), total).above(MOST))
        steady = verdict == Verdict.HOLDS
        what = "neither vanishes nor drifts" if steady else "is not surely the predicted constant"
        why = f"the curvature {what} ({where}; {each.sum()} of them within both limits alone)"
    if decades < MIN_DECADES:
        verdict = Verdict.INCONCLUSIVE
    return Finding(name, text, measured, verdict, why, decisive)
