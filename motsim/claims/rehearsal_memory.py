"""Replayed memory is not fresh memory: exact for two tasks, measured beyond.

Assumptions: as rehearsal-theory, but a rehearsed sample is one that was fitted before, with its
noise (what practitioners do); memory of a task is a fixed random subset of its own data.
Statement: for two tasks replayed memory has closed forms of its own, and those of fresh memory are
wrong for it. For more tasks no closed form is known to us; replay then is measured against the
closed form of fresh memory. It forgets more where tasks are dissimilar and generalizes worse where
they are similar; the other two are not so for many tasks.
Kind: tight for two tasks; for more tasks an inequality judged by 4 standard errors at every T.
Why: w interpolates the replayed samples already, or nearly, so a fit on them moves w less than one
on new samples. With dissimilar tasks that leaves old tasks worse and the present one better; with
similar tasks it wastes information on what they share, at every step, so that each task is also
learned worse at its own time, which forgetting subtracts.
Source: setting reconstructed; closed form for two tasks derived in docs/rehearsal.md §6.
"""

from itertools import product

import pandas as pd

from motsim.claims import Claim, Finding
from motsim.claims._simulation import LIMIT, QUANTITIES, around, compared, missing, pooled, usable
from motsim.claims._words import reasons
from motsim.results.tables import Tables

__all__ = ["CLAIM", "TWO_TASKS", "excess", "judge"]

CLAIM = Claim(
    statement=(
        "Replaying samples that were fitted before is worse than rehearsing fresh ones; for two"
        " tasks by an amount known in closed form."
    ),
    source="derived in docs/rehearsal.md §6; beyond arXiv:2506.00205",
    origin="derived",
    prediction="two tasks: closed form = simulation; more tasks: replayed − fresh > 0",
    kind="tight",
)

TWO_TASKS = ("concurrent", "sequential")
BEYOND = ("dissimilar", "similar")  # more tasks
WHY = reasons("rehearsal-memory")
SETTING = ["similarity", "memory_size", "noise_std"]


def judge(tables: Tables) -> list[Finding]:
    """Judge the closed form for two tasks, and replayed against fresh memory beyond."""
    rows = usable(tables)
    findings = []
    for strategy in TWO_TASKS:
        own = rows[(rows["case"] == "two-tasks") & (rows["strategy"] == strategy)]
        findings.append(_two_tasks(strategy, own))
    for case, quantity in product(BEYOND, QUANTITIES):
        findings.append(_beyond(f"{case}: {quantity}", quantity, excess(tables, case)))
    return findings


def excess(tables: Tables, case: str) -> pd.DataFrame:
    """Pooled replayed errors by strategy and num_tasks; the rival is fresh memory; for figures."""
    rows = usable(tables)
    own = rows[rows["case"] == case]
    if own.empty:
        return own
    points = pooled(own, ["strategy", "num_tasks"])
    for name in QUANTITIES:
        points[f"{name}_excess"] = points[name] - points[f"{name}_rival"]
    return points


def _two_tasks(strategy: str, rows: pd.DataFrame) -> Finding:
    name, predicted = f"two tasks, {strategy}", "closed form of replayed memory = simulation"
    points = rows if rows.empty else pooled(rows, SETTING)
    if few := missing(name, predicted, points):
        return few
    found = compared(points)
    evidence = (
        f"{len(points)} settings over similarity, memory and noise;"
        f" {found.against('the closed form of fresh memory')}."
    )
    return found.finding(name, predicted, evidence)


def _beyond(name: str, quantity: str, points: pd.DataFrame) -> Finding:
    """The point that speaks most against the inequality decides."""
    predicted = "replayed − fresh > 0 at every T"
    if few := missing(name, predicted, points):
        return few
    value = points[f"{quantity}_excess"].to_numpy(float)
    half = LIMIT * points[f"{quantity}_se"].to_numpy(float)
    place = int((value / half).argmin())
    least = around(value[place], points[f"{quantity}_se"].iloc[place])
    at, largest = points.iloc[place], points.iloc[int(value.argmax())]
    evidence = (
        f"least at T = {at['num_tasks']:.0f}, {at['strategy']}; most at T ="
        f" {largest['num_tasks']:.0f}, {largest['strategy']} ({value.max():+.3f});"
        f" {int((value - half > 0).sum())} of {len(points)} settings above 0 by 4 standard errors,"
        f" {int((value + half < 0).sum())} below; {WHY[name]}."
    )
    return Finding(
        name, predicted, f"least {least.value:+.4f} {least.ends('+.4f')}",
        least.above(0.0), evidence, least,
    )  # fmt: skip
