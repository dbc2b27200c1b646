"""Hybrid rehearsal beats concurrent, and on some task sets sequential too; on others it does not.

Assumptions: as rehearsal-theory; memories of tasks with cosine above a threshold to the new task
join its fit, the others are revisited one by one after it.
Statement: where tasks form clusters or drift, hybrid has a lower forgetting and generalization
error than concurrent rehearsal, and there is a task set where it is below sequential as well.
On clustered sets drawn at random (`random-sets`: six tasks of two or three kinds, closed form, a
set a seed) the abstract's comparisons are asked of the share of sets, against one half (`MOST`):
hybrid beats concurrent in most, and both in few; sequential alone is the better of the three in
generalization nearly always. Looked at on seeds 500000-500399 first.
Kind: existence (`beats-both`) and upper bound (`beats-concurrent`), from intervals of 4 standard
errors; the thresholds −1 and 1 are the two pure strategies, so hybrid lies on a path between them.
Where it loses to sequential: a shared fit restores the present kind of task at the expense of the
others, which pays only if the present kind is the majority; and forgetting subtracts the error
when a task was learned, so learning worse looks like forgetting less (drifting tasks), and learning
better like forgetting more (odd task last).
Source: arXiv:2506.00205, abstract; examples derived and measured in docs/rehearsal.md §5.
"""

from itertools import product

import numpy as np
import pandas as pd

from motsim.claims import Claim, Finding, Verdict
from motsim.claims._counted import Count
from motsim.claims._simulation import QUANTITIES, around, compared, gaps, missing, pooled, usable
from motsim.claims._words import reasons
from motsim.mixture.status import Status
from motsim.results.tables import Tables

__all__ = ["CLAIM", "judge", "points"]

CLAIM = Claim(
    statement=(
        "Hybrid rehearsal, similar tasks concurrently and dissimilar ones sequentially, has lower"
        " errors than concurrent rehearsal, and on clustered tasks lower than both."
    ),
    source="arXiv:2506.00205, abstract; examples in docs/rehearsal.md §5",
    origin="quoted",
    prediction="hybrid − concurrent < 0; on a clustered set also hybrid − sequential < 0",
    kind="existence",
)

RIVALS = {"concurrent": ["concurrent"], "both": ["concurrent", "sequential"]}
STRATEGIES = ("concurrent", "sequential", "hybrid")
MOST = 0.5  # "most sets": more than this share of them
WHY = reasons("rehearsal-hybrid")


def points(tables: Tables, case: str) -> pd.DataFrame:
    """Pooled errors of the strategies of one case (and threshold, if any); for figures."""
    rows = usable(tables)
    by = ["strategy"] + (["threshold"] if case == "threshold" and "threshold" in rows else [])
    return pooled(rows[rows["case"] == case], by)


def judge(tables: Tables) -> list[Finding]:
    """Judge hybrid against concurrent and against the better of both, and the threshold's path."""
    findings = []
    for case, quantity in product(WHY, QUANTITIES):
        own = points(tables, case).assign(setting=case)
        for against, rivals in RIVALS.items():
            name = f"{case}: {quantity}, beats {against}"
            findings.append(_beats(name, case, quantity, own, rivals))
    return [*findings, *_random_sets(tables), _threshold(usable(tables))]


def random_sets(tables: Tables, quantity: str) -> pd.DataFrame:
    """Closed-form error of each strategy, a row a random set that has all three; for figures."""
    runs, name = tables.main, f"{quantity}_predicted"
    if runs.empty or not {"case", "strategy", "seed", "status", name} <= set(runs.columns):
        return pd.DataFrame(columns=list(STRATEGIES), dtype=float)
    own = runs[(runs["case"] == "random-sets") & (runs["status"] == Status.DONE)]
    sets = own.pivot_table(index="seed", columns="strategy", values=name)
    return sets.reindex(columns=list(STRATEGIES)).dropna()


def _random_sets(tables: Tables) -> list[Finding]:
    """Shares of random clustered sets on which hybrid has the lower error."""
    found = []
    for quantity in QUANTITIES:
        sets = random_sets(tables, quantity)
        best = Count.of(sets["sequential"] < sets[["concurrent", "hybrid"]].min(axis=1))
        for against, rivals in RIVALS.items():
            name = f"random-sets: {quantity}, beats {against}"
            predicted = f"in more than {MOST:.0%} of sets"
            if few := missing(name, predicted, sets):
                found.append(few)
                continue
            wins = Count.of(sets["hybrid"] < sets[rivals].min(axis=1))
            ends = f"{wins.share.map(lambda x: 100 * x).ends('.0f')} %"
            found.append(Finding(
                name, predicted, f"{wins} sets {ends}", wins.share.above(MOST),
                f"sequential alone is the best of the three in {best}.", wins.share,
            ))  # fmt: skip
    return found


def _beats(name: str, case: str, quantity: str, own: pd.DataFrame, rivals: list[str]) -> Finding:
    complete = set(own["strategy"]) >= set(STRATEGIES)
    if few := missing(name, "hybrid below", own if complete else own[:0]):
        return few
    told = own.set_index("strategy")[f"{quantity}_predicted"]
    # the interval of the difference to each rival must lie below zero
    differences = [gaps(own, "hybrid", rival, ["setting"]).iloc[0] for rival in rivals]
    highest = max(differences, key=lambda row: float(row[quantity]))
    gap = around(highest[quantity], highest[f"{quantity}_se"])
    predicted = float(highest[f"{quantity}_predicted"])
    ends = [around(row[quantity], row[f"{quantity}_se"]).high for row in differences]
    # it also fails where the simulation is not what the closed form says
    verdict = Verdict.of(holds=max(ends) < 0, fails=gap.low > 0 or not gap.contains(predicted))
    better = rivals[int(np.argmin(told[rivals]))]
    evidence = (
        "closed form: " + ", ".join(f"{s} {told[s]:.3f}" for s in STRATEGIES) + f"; {WHY[case]}."
    )
    return Finding(
        name, f"hybrid − {better} = {predicted:+.4f}",
        f"{gap.value:+.4f} {gap.ends('+.4f')}", verdict, evidence, gap,
    )  # fmt: skip


def _threshold(rows: pd.DataFrame) -> Finding:
    """Hybrid over thresholds follows the closed form from one pure strategy to the other."""
    predicted = "closed form = simulation at every threshold"
    rows = rows[rows["case"] == "threshold"]
    own = pooled(rows, ["threshold"]) if "threshold" in rows else rows[:0]
    if few := missing("threshold", predicted, own):
        return few
    found = compared(own)
    best = own.iloc[int(own["forgetting_predicted"].to_numpy().argmin())]
    evidence = (
        f"forgetting is least at threshold {best['threshold']:.2f} ({best['forgetting']:.3f}),"
        f" between sequential and concurrent; {found.against('the formula with p + 1 for p')}."
    )
    return found.finding("threshold", predicted, evidence)
