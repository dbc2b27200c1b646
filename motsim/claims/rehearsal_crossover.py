"""Sequential rehearsal overtakes concurrent where tasks are less similar, at a predicted cosine.

Assumptions: as rehearsal-theory; tasks of equal norm and common cosine c; both strategies fit the
same numbers of columns.
Statement: forgetting and generalization error are affine in c, so the strategies are equal at one
cosine at most: the root of an affine function, in closed form for two tasks. Below it sequential
is better, above it concurrent. There may be no crossover: with much label noise or many tasks
sequential is better at every similarity; after a crowded noisy first task concurrent is.
Kind: tight; the crossover measured from simulations on both sides must contain the predicted one
and be known to ± 0.03 or better (without the cross term of the closed form it would be off by
0.1 and more). Where no crossover is predicted, the strategy that the paper's sentence names must
win where tasks are least similar.
Source: arXiv:2506.00205, abstract; crossover derived in docs/rehearsal.md §5.
"""

from itertools import product
from typing import Any

import numpy as np
import pandas as pd

from motsim.claims import Claim, Finding, Interval, Verdict
from motsim.claims._simulation import LIMIT, QUANTITIES, around, gaps, missing, pooled, usable
from motsim.claims._words import reasons
from motsim.results.tables import Tables

__all__ = ["CLAIM", "cells", "crossing", "judge", "side"]

CLAIM = Claim(
    statement=(
        "Sequential rehearsal has the lower forgetting and generalization error when tasks are"
        " less similar."
    ),
    source="arXiv:2506.00205, abstract; crossover derived in docs/rehearsal.md §5",
    origin="quoted",
    prediction="concurrent − sequential changes sign at the predicted cosine, + below and − above",
    kind="tight",
)
#: In the order of the table, each for both quantities.
CASES = (
    "two-tasks", "four-tasks", "many-tasks", "much-noise", "crowded-first", "phase-memory",
    "phase-ratio",
)  # fmt: skip
CROSSING = ("two-tasks", "four-tasks")  # simulated on both sides of a crossover
HALF_WIDTH = 0.03  # a crossover known no better than this is not called measured
WHY = reasons("rehearsal-crossover")


def judge(tables: Tables) -> list[Finding]:
    """Judge crossovers, settings without one, and the cells of the phase diagrams."""
    rows = usable(tables)
    findings = []
    for case, quantity in product(CASES, QUANTITIES):
        points, name = difference(rows[rows["case"] == case], quantity), f"{case}: {quantity}"
        how = _phase if case.startswith("phase") else _no_crossing
        how = _crossing if case in CROSSING else how
        findings.append(missing(name, CLAIM.prediction, points) or how(name, points))
    return findings


def difference(rows: pd.DataFrame, quantity: str) -> pd.DataFrame:
    """Concurrent − sequential of one quantity at each setting, with the setting's crossover."""
    setting = ["cosine", "num_tasks", "dim", "noise_std"]
    setting += [name for name in ("memory_size",) if name in rows and rows[name].notna().any()]
    if "similarity_from" in rows and rows["similarity_from"].notna().any():
        rows = rows[rows["similarity_from"] == quantity]
    if rows.empty:
        return rows
    points = gaps(pooled(rows, ["strategy", *setting]), "concurrent", "sequential", setting)
    roots = rows.drop_duplicates(setting)[[*setting, f"{quantity}_crossover"]]
    found = points.merge(roots, on=setting)
    names = {f"{quantity}{end}": f"gap{end}" for end in ("", "_se", "_predicted", "_rival")}
    return found.rename(columns={**names, f"{quantity}_crossover": "crossover"})


def crossing(points: pd.DataFrame) -> tuple[float, float]:
    """Cosine at which a line through the simulated gaps is zero, and its standard error."""
    c = points["cosine"].to_numpy(float)
    weight = 1 / points["gap_se"].to_numpy(float) ** 2
    design = np.column_stack([np.ones_like(c), c])
    covariance = np.linalg.inv(design.T @ (design * weight[:, None]))
    level, slope = covariance @ (design.T @ (weight * points["gap"].to_numpy(float)))
    root = -level / slope
    gradient = np.array([1.0, root]) / slope
    return float(root), float(np.sqrt(gradient @ covariance @ gradient))


def side(row: Any) -> str:
    """Strategy that the simulation finds better at one setting, or 'undecided'."""
    if abs(row["gap"]) <= LIMIT * row["gap_se"]:
        return "undecided"
    return "sequential" if row["gap"] > 0 else "concurrent"


def _worst(points: pd.DataFrame) -> float:
    """Largest distance from the closed form in standard errors."""
    return float(((points["gap"] - points["gap_predicted"]) / points["gap_se"]).abs().max())


def _crossing(name: str, points: pd.DataFrame) -> Finding:
    predicted = float(points["crossover"].iloc[0])
    ordered = points.sort_values("cosine")
    below, above = side(ordered.iloc[0]), side(ordered.iloc[-1])
    root = around(*crossing(ordered))
    sided = below == "concurrent" or above == "sequential"
    decided = "undecided" not in (below, above) and root.high - root.low <= 2 * HALF_WIDTH
    verdict = Verdict.of(holds=decided, fails=sided or not root.contains(predicted))
    worst = _worst(ordered)
    evidence = (
        f"at cosine {ordered['cosine'].iloc[0]:.3f} {below} is better, at"
        f" {ordered['cosine'].iloc[-1]:.3f} {above}; the {len(ordered)} simulated differences are"
        f" within {worst:.1f} standard errors of the closed form."
    )
    return Finding(
        name, f"crossover at cosine {predicted:.4f}",
        f"{root.value:.4f} {root.ends('.4f')}", verdict, evidence, root,
    )  # fmt: skip


def _no_crossing(name: str, points: pd.DataFrame) -> Finding:
    """Sequential must win where tasks are least similar; the closed form says who wins where."""
    ordered = points.sort_values("cosine")
    least = ordered.iloc[0]
    gap = around(least["gap"], least["gap_se"])
    signs = np.sign(ordered["gap_predicted"])
    root = float(least["crossover"])
    better = "sequential" if signs.iloc[0] > 0 else "concurrent"
    predicted = f"no crossover: {better} better at every similarity"
    if np.isfinite(root):
        predicted = f"{better} better below cosine {root:.4f}"
    worst = _worst(ordered)
    found = [side(row) for _, row in ordered.iterrows()]
    verdict = gap.above(0.0)
    if verdict == Verdict.HOLDS and (
        worst > LIMIT or ("concurrent" in found and not np.isfinite(root))
    ):
        verdict = Verdict.FAILS
    evidence = (
        "; ".join(f"cosine {c:.2f}: {who}" for c, who in zip(ordered["cosine"], found, strict=True))
        + f" ({WHY[name]}); closed form within {worst:.1f} standard errors."
    )
    return Finding(
        name, predicted,
        f"concurrent − sequential = {gap.value:+.3f} {gap.ends('+.3f')}"
        f" at cosine {least['cosine']:.2f}",
        verdict, evidence, gap,
    )  # fmt: skip


def cells(tables: Tables, case: str, quantity: str) -> pd.DataFrame:
    """Cells of a phase diagram: setting, simulated gap, `found` and `told` winner; for figures."""
    rows = usable(tables)
    points = difference(rows[rows["case"] == case], quantity)
    return points if points.empty else _winners(points)


def _winners(points: pd.DataFrame) -> pd.DataFrame:
    told = np.where(points["gap_predicted"] > 0, "sequential", "concurrent")
    return points.assign(found=[side(row) for _, row in points.iterrows()], told=told)


def _phase(name: str, points: pd.DataFrame) -> Finding:
    winners = _winners(points)
    found, told = winners["found"], winners["told"]
    decided = found != "undecided"
    wrong = int((decided & (found != told)).sum())
    share = float(decided.mean())
    both = {str(name) for name in found[decided]} == {"concurrent", "sequential"}
    verdict = Verdict.of(holds=share >= 2 / 3 and both, fails=wrong > 0)
    axis = "memory" if name.startswith("phase-memory") else "p/n"
    evidence = (
        f"over similarity and {axis}, {int(decided.sum())} of {len(points)} cells are told apart by"
        f" 4 standard errors; {int((found == 'sequential').sum())} sequential,"
        f" {int((found == 'concurrent').sum())} concurrent, {wrong} against the closed form."
    )
    return Finding(
        name, "the winner of every cell is the predicted one",
        f"{int(decided.sum()) - wrong} of {int(decided.sum())} decided cells right", verdict,
        evidence, Interval(wrong / max(int(decided.sum()), 1)),
    )  # fmt: skip
