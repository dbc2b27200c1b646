"""Deep networks: hybrid rehearsal does not beat concurrent rehearsal when tasks are dissimilar.

Assumptions: small convolutional network, real digit images, T = 3 to 5 tasks with one output layer
(cases `heads`: one a task), replayed memory, equal memory and equal gradient steps, every image
shown equally often; similarity is the gradient cosine at the starting weights (docs/rehearsal.md,
"Deep networks", where the setting is marked as reconstructed).
Statement: the mean over tasks of the final test accuracy is higher under hybrid than under
concurrent rehearsal wherever tasks are dissimilar.
Kind: lower bound, on the paired difference over networks, with Student's 95 % interval; `fails`
when the whole interval is below zero. Forgetting is judged the same way at the most dissimilar
level of the cases with ordinary revisits: it is lower under hybrid only where the new task was lost
already when it was counted as learned. Where every memory is similar hybrid *is* concurrent
rehearsal, and nothing can be decided.
Why it fails: in the linear model a revisit of k of p columns takes away the share k/p of what was
learned. Images of digits fill few directions, and every network layer is shared, so revisiting some
tens of images of an old task alone overwrites most of the new one within its few steps.
Source: arXiv:2506.00205, abstract ("our experiments with deep neural networks further confirm that
the hybrid approach outperforms standard concurrent rehearsal").
"""

import numpy as np
import pandas as pd

from motsim.claims import Claim, Finding
from motsim.claims._compared import paired
from motsim.claims._undecided import undecided
from motsim.mixture.status import Status
from motsim.results.tables import Tables
from motsim.statistics.intervals import mean_interval

__all__ = ["CLAIM", "differences", "judge", "settings"]

CLAIM = Claim(
    statement=(
        "With deep networks on real images, hybrid rehearsal has a higher final accuracy than"
        " concurrent rehearsal when tasks are dissimilar."
    ),
    source="arXiv:2506.00205, abstract; data, network and rule reconstructed",
    origin="quoted",
    prediction="hybrid − concurrent > 0 in final average accuracy where memories are dissimilar",
    kind="lower",
)

#: Cases whose revisits make full steps and whose tasks share one output layer.
ORDINARY = ("rotation", "pixels", "labels", "classes", "pairs-rotation", "pairs-labels")
NEEDED = {"case", "strategy", "network", "final_accuracy", "status"}


def settings(tables: Tables) -> list[tuple[str, str, pd.DataFrame]]:
    """Every setting of the sweep: its name, its case, and its rows (strategy, network)."""
    rows = tables.main
    if not set(rows.columns) >= NEEDED:
        return []
    axes = [axis for axis in tables.labels if axis not in ("case", "seed")]
    found = []
    for values, part in rows.groupby(["case", *axes], sort=False, dropna=False):
        case, *point = values
        told = [
            f"{value:g}" if axis == "level" else f"{axis} {value:g}"
            for axis, value in zip(axes, point, strict=True)
            if value == value  # not NaN: an axis of another case
        ]
        found.append((" ".join([str(case), *told]), str(case), part))
    return found


def differences(part: pd.DataFrame, column: str) -> np.ndarray:
    """Hybrid minus concurrent of each network of one setting, in percentage points."""
    healthy = part[part["status"] == Status.DONE]
    return 100 * paired(healthy, column, "strategy", "hybrid", "concurrent", unit="network")


def judge(tables: Tables) -> list[Finding]:
    """Judge the final accuracy of every setting, and forgetting at each case's hardest level."""
    everything = settings(tables)
    if not everything:
        why = "the table holds no run; run: python -m motsim.sweep rehearsal-deep"
        return [undecided("all", "hybrid − concurrent > 0 points", "no runs", why)]
    findings = [_accuracy(name, part) for name, _, part in everything]
    for case in dict.fromkeys(case for _, case, _ in everything if case in ORDINARY):
        levels = [(name, part) for name, of, part in everything if of == case]
        hardest = min(levels, key=lambda level: level[1]["cosine"].mean())
        findings.append(_forgetting(*hardest))
    return findings


def _accuracy(name: str, part: pd.DataFrame) -> Finding:
    if part["joined"].mean() == 1:
        evidence = "every memory measures as similar, so hybrid is concurrent rehearsal here"
    else:
        evidence = _told(part) + "; " + _cost(part)
    gaps = differences(part, "final_accuracy")
    return _better(name, "hybrid − concurrent", gaps, "accuracy", evidence)


def _forgetting(name: str, part: pd.DataFrame) -> Finding:
    learned = part.groupby("strategy")["learned_accuracy"].mean()
    evidence = "too few networks"
    if {"hybrid", "concurrent"} <= set(learned.index):
        evidence = (
            "read beside the accuracy: a task's accuracy at the end of its own step is"
            f" {learned['concurrent']:.0%} under concurrent and {learned['hybrid']:.0%} under"
            " hybrid, and what was never kept cannot be forgotten"
        )
    gaps = -differences(part, "forgetting")
    return _better(f"{name} forgetting", "concurrent − hybrid", gaps, "forgetting", evidence)


def _better(name: str, what: str, gaps: np.ndarray, points: str, evidence: str) -> Finding:
    gap = mean_interval(gaps)
    return Finding(
        name, f"{what} > 0 points", f"{gap:+.1f} points of {points}", gap.above(0.0),
        f"{evidence} ({len(gaps)} networks)", gap,
    )  # fmt: skip


def _told(part: pd.DataFrame) -> str:
    final = part.groupby("strategy")["final_accuracy"].mean()
    order = [name for name in ("concurrent", "sequential", "hybrid") if name in final]
    scores = ", ".join(f"{name} {final[name]:.0%}" for name in order)
    return (
        f"measured similarity {part['cosine'].mean():+.2f}, {part['joined'].mean():.0%} of memories"
        f" joined; final accuracy {scores}"
    )


def _cost(part: pd.DataFrame) -> str:
    hybrid = part[part["strategy"] == "hybrid"]
    before, after = hybrid["before_revisits"].mean(), hybrid["learned_accuracy"].mean()
    return f"revisits take the new task from {before:.0%} to {after:.0%}"
