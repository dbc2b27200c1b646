"""Effect of memory, noise, dimension, number of tasks and revisit order on rehearsal.

Assumptions: as rehearsal-theory; T = 4, p = 100, n = 20, m = 24, σ = 0.3 where not varied; tasks
of cosine 0 and 0.9; for the order two kinds of tasks, four against two.
Statement: the closed form gives every curve (tight). Of the monotone effects that one would expect
(more memory forgets less, noise harms, more parameters forget less, more tasks forget more) those
of noise and of memory in sequential rehearsal hold; the others fail. Revisits that end on the most
central kind of task have the lower generalization error, not always the lower forgetting.
Kind: tight for the curves, upper bound for the directions: a direction fails where a later point is
against it by 4 standard errors, and holds where none is and the ends differ by 4 standard errors.
Why directions fail: concurrent rehearsal pays cross terms n_i n_k / (p (p − K − 1)), which grow
without bound as memory fills the dimensions; for p much larger than n nothing is learned, so there
is neither transfer nor forgetting and F returns to 0; with many tasks w is already wrong when a
task is learned, so less is left to forget.
Source: arXiv:2506.00205 (reconstructed); derived in docs/rehearsal.md §2 and §8.
"""

from dataclasses import dataclass
from itertools import product

import numpy as np
import pandas as pd

from motsim.claims import Claim, Finding, Interval, Verdict
from motsim.claims._simulation import LIMIT, around, compared, missing, pooled, usable
from motsim.claims._words import reasons
from motsim.results.tables import Tables

__all__ = ["CLAIM", "DIRECTIONS", "curves", "judge"]

CLAIM = Claim(
    statement=(
        "The closed forms give the effect of memory, noise, dimension, number of tasks and order"
        " of revisits on forgetting and generalization error."
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


DIRECTIONS: dict[str, Direction] = {
    "memory": Direction("memory_size", "forgetting", -1, "more memory forgets less"),
    "noise": Direction("noise_std", "generalization", 1, "noise raises the error"),
    "dimension": Direction("dim", "forgetting", -1, "more parameters forget less"),
    "tasks": Direction("num_tasks", "forgetting", 1, "more tasks forget more"),
}

#: Case -> order that ends on the larger kind, which is the more central one.
ORDERS = {"order-minority-late": "newest", "order-minority-early": "oldest"}

WHY = reasons("rehearsal-effects")


def curves(tables: Tables, case: str) -> pd.DataFrame:
    """Pooled points of one effect: strategy, similarity, the axis and both quantities."""
    rows = usable(tables)
    own = rows[rows["case"] == case]
    return own if own.empty else pooled(own, ["strategy", "similarity", DIRECTIONS[case].axis])


def judge(tables: Tables) -> list[Finding]:
    """Judge each curve against the closed form, each direction, and the order of revisits."""
    findings = []
    for case, direction in DIRECTIONS.items():
        points = curves(tables, case)
        findings.append(_curve(f"{case}: curve", points))
        for strategy in ("concurrent", "sequential"):
            findings.append(_direction(case, direction, strategy, points))
    for case, quantity in product(ORDERS, ("generalization", "forgetting")):
        findings.append(_order(tables, case, ORDERS[case], quantity))
    return findings


def _curve(name: str, points: pd.DataFrame) -> Finding:
    predicted = "closed form = simulation at every point"
    if few := missing(name, predicted, points):
        return few
    found = compared(points)
    evidence = (
        f"{len(points)} settings, both strategies, cosine 0 and 0.9;"
        f" {found.against('the formula with p + 1 for p')}."
    )
    return found.finding(name, predicted, evidence)


def _direction(case: str, want: Direction, strategy: str, points: pd.DataFrame) -> Finding:
    """The largest step against the wanted direction over any two points, in standard errors."""
    name = f"{case}: {want.words}, {strategy}"
    letter = want.quantity[0].upper()
    predicted = f"{letter} {'rises' if want.sign > 0 else 'falls'} with {want.axis}"
    if few := missing(name, predicted, points):
        return few
    own = points[points["strategy"] == strategy]
    worst, decided, words = -np.inf, True, ""
    step, parts = Interval(), []
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
            step = around(raw[j[k]] - raw[i[k]], np.hypot(error[i[k]], error[j[k]]))
            words = f"from {at[i[k]]:g} to {at[j[k]]:g} at cosine {cosine:g}"
    verdict = Verdict.of(holds=decided, fails=worst > LIMIT)
    measured = f"no step against it by 4 standard errors (largest {worst:+.1f})"
    if verdict == Verdict.FAILS:
        measured = f"{letter} {step.value:+.3f} {step.ends('+.3f')} {words}"
    evidence = f"{'; '.join(parts)}; {WHY[case]}."
    return Finding(name, predicted, measured, verdict, evidence, step)


def _order(tables: Tables, case: str, wanted: str, quantity: str) -> Finding:
    """Whether the order that ends on the more central kind has the lower error."""
    letter = quantity[0].upper()
    name = f"{case}: end on the central kind, {letter}"
    predicted = f"'{wanted}' first has the lower {letter}"
    rows = usable(tables)
    rows = rows[rows["case"] == case]
    points = pooled(rows, ["order"]).set_index("order") if "order" in rows else rows[:0]
    complete = set(points.index) == {"oldest", "newest"}
    if few := missing(name, predicted, points if complete else points[:0]):
        return few
    other = "oldest" if wanted == "newest" else "newest"
    level, theory = points[quantity].to_dict(), points[f"{quantity}_predicted"].to_dict()
    told = float(theory[wanted] - theory[other])
    gap = around(level[wanted] - level[other], np.hypot(*points[f"{quantity}_se"]))
    verdict = gap.below(0.0) if gap.contains(told) else Verdict.FAILS
    return Finding(
        name, f"{predicted}; closed form {told:+.4f}",
        f"{gap.value:+.4f} {gap.ends('+.4f')}", verdict, f"{WHY[f'order, {quantity}']}.", gap,
    )  # fmt: skip
