"""Effect of memory, noise, dimension, number of tasks and revisit order on rehearsal.

Assumptions: as rehearsal-theory; T = 4, p = 100, n = 20, m = 24, σ = 0.3 where not varied; tasks
of cosine 0 and 0.9; for the order two kinds of tasks, four against two.
Statement: the closed form gives every curve (tight). Of the monotone effects that one would expect
(more memory forgets less, noise harms, more parameters forget less, more tasks forget more) those
of noise and of memory in sequential rehearsal hold; the others fail. Revisits that end on the most
central kind of task have the lower generalisation error, not always the lower forgetting.
Kind: tight for the curves, upper bound for the directions: a direction fails where a later point is
against it by 4 standard errors, and holds where none is and the ends differ by 4 standard errors.
Why directions fail: concurrent rehearsal pays cross terms n_i n_k / (p (p − K − 1)), which grow
without bound as memory fills the dimensions; for p much larger than n nothing is learned, so there
is neither transfer nor forgetting and F returns to 0; with many tasks w is already wrong when a
task is learned, so less is left to forget.
Source: arXiv:2506.00205 (reconstructed); derived in docs/rehearsal.md §2 and §8.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from motsim.claims import Claim, Finding, Verdict
from motsim.claims._simulation import LIMIT, QUANTITIES, agreement, enough, missing, pooled, usable
from motsim.results.tables import Tables

__all__ = ["CLAIM", "DIRECTIONS", "curves", "judge"]

CLAIM = Claim(
    statement=(
        "The closed forms give the effect of memory, noise, dimension, number of tasks and order"
        " of revisits on forgetting and generalisation error."
    ),
    source="setting of arXiv:2506.00205; derived in docs/rehearsal.md §2 and §8",
    origin="reconstructed",
    prediction="simulated points on the predicted curves; each effect in the expected direction",
    kind="tight",
)


@dataclass(frozen=True)
class Direction:
    """An expected monotone effect of one setting on one quantity."""

    axis: str
    quantity: str
    sign: int
    words: str
    concurrent: Verdict
    sequential: Verdict


DIRECTIONS: dict[str, Direction] = {
    "memory": Direction(
        "memory_size", "forgetting", -1, "more memory forgets less", "fails", "holds"
    ),
    "noise": Direction(
        "noise_std", "generalization", 1, "noise raises the error", "holds", "holds"
    ),
    "dimension": Direction(
        "dim", "forgetting", -1, "more parameters forget less", "fails", "fails"
    ),
    "tasks": Direction("num_tasks", "forgetting", 1, "more tasks forget more", "fails", "fails"),
}

#: Case -> order that ends on the larger kind, which is the more central one.
ORDERS = {"order-minority-late": "newest", "order-minority-early": "oldest"}
ORDER_EXPECTED: dict[tuple[str, str], Verdict] = {
    ("order-minority-late", "generalization"): "holds",
    ("order-minority-late", "forgetting"): "holds",
    ("order-minority-early", "generalization"): "holds",
    ("order-minority-early", "forgetting"): "fails",
}

WHY = {
    "memory": "cross terms of one large fit grow as 1/(p − K − 1); separate fits have none",
    "noise": "every fit adds K σ²/(p − K − 1)",
    "dimension": "for p far above n nothing is learned, hence nothing is transferred or forgotten",
    "tasks": "with many tasks w is already wrong when a task is learned: less is left to forget",
}


def curves(tables: Tables, case: str) -> pd.DataFrame:
    """Pooled points of one effect: strategy, similarity, the axis and both quantities."""
    rows = usable(tables)
    own = rows[rows["case"] == case]
    if own.empty:
        return own
    return pooled(own, ["strategy", "similarity", DIRECTIONS[case].axis])


def judge(tables: Tables) -> list[Finding]:
    """Judge each curve against the closed form, each direction, and the order of revisits."""
    findings = []
    for case, direction in DIRECTIONS.items():
        points = curves(tables, case)
        predicted = "closed form = simulation at every point"
        if points.empty or not enough(points):
            findings.append(missing(f"{case}: curve", predicted, "holds"))
            points = pd.DataFrame()
        else:
            findings.append(_curve(case, predicted, points))
        for strategy in ("concurrent", "sequential"):
            findings.append(_direction(case, direction, strategy, points))
    for (case, quantity), expected in ORDER_EXPECTED.items():
        findings.append(_order(tables, case, ORDERS[case], quantity, expected))
    return findings


def _curve(case: str, predicted: str, points: pd.DataFrame) -> Finding:
    found = agreement(
        *(
            np.concatenate([points[f"{name}{end}"].to_numpy(float) for name in QUANTITIES])
            for end in ("", "_se", "_predicted", "_rival")
        )
    )
    evidence = (
        f"{len(points)} settings, both strategies, cosine 0 and 0.9; the same data reject the"
        f" formula with p + 1 for p (mean z² {found.rival_square:.1f})."
    )
    return Finding(
        f"{case}: curve", predicted, found.measured, found.verdict, "holds", evidence,
        found.square, found.square_low, found.square_high,
    )  # fmt: skip


def _direction(case: str, want: Direction, strategy: str, points: pd.DataFrame) -> Finding:
    """The largest step against the wanted direction over any two points, in standard errors."""
    name = f"{case}: {want.words}, {strategy}"
    expected: Verdict = getattr(want, strategy)
    letter = {"forgetting": "F", "generalization": "G"}[want.quantity]
    predicted = f"{letter} {'rises' if want.sign > 0 else 'falls'} with {want.axis}"
    if points.empty:
        return missing(name, predicted, expected)
    own = points[points["strategy"] == strategy]
    worst, decided, words = -np.inf, True, ""
    value = low = high = float("nan")
    parts = []
    for cosine, line in own.groupby("similarity"):
        line = line.sort_values(want.axis)
        level = want.sign * line[want.quantity].to_numpy(float)
        error = line[f"{want.quantity}_se"].to_numpy(float)
        at = line[want.axis].to_numpy()
        i, j = np.triu_indices(len(line), 1)
        z = (level[i] - level[j]) / np.hypot(error[i], error[j])  # > 0: against the direction
        k = int(z.argmax())
        decided &= bool(z[np.argmax((i == 0) & (j == len(line) - 1))] < -LIMIT)
        raw = line[want.quantity].to_numpy(float)
        parts.append(f"cosine {cosine:g}: {raw[0]:.3f} at {at[0]:g}, {raw[-1]:.3f} at {at[-1]:g}")
        if z[k] > worst:
            worst = float(z[k])
            value = float(raw[j[k]] - raw[i[k]])
            half = LIMIT * float(np.hypot(error[i[k]], error[j[k]]))
            low, high = value - half, value + half
            words = f"from {at[i[k]]:g} to {at[j[k]]:g} at cosine {cosine:g}"
    verdict: Verdict = "fails" if worst > LIMIT else "holds" if decided else "inconclusive"
    measured = f"no step against it by 4 standard errors (largest {worst:+.1f})"
    if verdict == "fails":
        measured = f"{letter} {value:+.3f} [{low:+.3f}, {high:+.3f}] {words}"
    evidence = f"{'; '.join(parts)}; {WHY[case]}."
    return Finding(name, predicted, measured, verdict, expected, evidence, value, low, high)


def _order(tables: Tables, case: str, wanted: str, quantity: str, expected: Verdict) -> Finding:
    """Whether the order that ends on the more central kind has the lower error."""
    letter = {"forgetting": "F", "generalization": "G"}[quantity]
    name = f"{case}: end on the central kind, {letter}"
    predicted = f"'{wanted}' first has the lower {letter}"
    rows = usable(tables)
    rows = rows[rows["case"] == case]
    if rows.empty or "order" not in rows:
        return missing(name, predicted, expected)
    points = pooled(rows, ["order"]).set_index("order")
    if set(points.index) != {"oldest", "newest"} or not enough(points):
        return missing(name, predicted, expected)
    other = "oldest" if wanted == "newest" else "newest"
    level, theory = points[quantity].to_dict(), points[f"{quantity}_predicted"].to_dict()
    value = float(level[wanted] - level[other])
    told = float(theory[wanted] - theory[other])
    half = LIMIT * float(np.hypot(*points[f"{quantity}_se"]))
    low, high = value - half, value + half
    verdict: Verdict = "holds" if high < 0 else "fails" if low > 0 else "inconclusive"
    if not low <= told <= high:
        verdict = "fails"
    reason = (
        "the last fit moves w towards its task, and the task nearest to all others has the lowest"
        " fixed point (docs/rehearsal.md §8)"
    )
    if quantity == "forgetting":
        reason = (
            "F also subtracts the errors when tasks were learned, which the order changes too, so"
            " the rule for G need not hold for it"
        )
    return Finding(
        name, f"{predicted}; closed form {told:+.4f}", f"{value:+.4f} [{low:+.4f}, {high:+.4f}]",
        verdict, expected, f"{reason}.", value, low, high,
    )  # fmt: skip
