r"""Specialization: each expert ends up with one class.

Assumptions
    N = 4 classes, orthogonal signals, three-stage training, more experts than classes.
Statement
    Every routed expert's |<w, v_n>| is dominated by one n (twice the next), and the entropy of the
    class given the expert is at most 0.05 log N; in more than half of all runs.
Kind
    Existence: the share of runs that succeed, with its Wilson interval, against 1/2.
Source
    arXiv:2510.27004, abstract (quoted); linear experts' failure: arXiv:2208.02813 (reconstructed).

What was found. Cubic experts specialize from any small start. Linear ones do only while the mirror
(y, s, noise) -> (-y, -s, -noise) is exact: then experts are odd and the gate's gradient stays in
the span of the class signals. A start with <w, c> != 0, or noise that overlaps the class signals,
breaks the mirror; the gate grows components along v_n and divides (class, distractor) pairs among
experts. A finite sample breaks the mirror for cubic experts too: the experts still pick single
classes, but the gate routes by chance correlations of the distractors' signs. Adding the mirror
image of each of the same 2,400 samples brings the entropy back to 0 (7 of 8 seeds, measured).
"Each expert" is true of the routed ones only: linear experts that serve no class stay mixtures.
"""

from math import log

import numpy as np
import pandas as pd

from motsim.claims import Claim, Finding
from motsim.claims._undecided import undecided
from motsim.claims._words import reasons
from motsim.mixture.diagnostics import expert_classes
from motsim.mixture.status import Status
from motsim.results.tables import Tables
from motsim.statistics.intervals import MIN_SEEDS, share_interval

__all__ = ["CLAIM", "alignment_matrix", "final_state", "judge"]

CLAIM = Claim(
    statement="Each expert specializes in one class.",
    source="arXiv:2510.27004, abstract",
    origin="quoted",
    prediction=(
        "dispatch entropy <= 0.05 log N and every routed expert dominated by one v_n, in most"
        " runs; linear experts only where the mirror symmetry is exact"
    ),
    kind="existence",
)

ENTROPY_SHARE = 0.05  # of log N
LOAD = 1e-3  # an expert with a smaller share of the population does not count as routed
MOST = 0.5
WHY = reasons("specialization")


def final_state(tables: Tables) -> pd.DataFrame:
    """One row a run and expert at the end: case, seed, expert, load, own (class or -1), share.

    `share` is the part of the expert's samples that are of the class it gets most.
    """
    index = ["case", "seed", "expert"]
    aligned = tables.with_columns("specialization", *index, "step", "class", "alignment")
    routed = tables.with_columns("routing", *index, "step", "class", "share")
    last = _last(aligned).pivot(index=index, columns="class", values="alignment")
    if last.shape[1] < 2 or routed.empty:  # no class to tell from another
        return pd.DataFrame({name: [] for name in [*index, "load", "own", "share"]})
    shares = _last(routed).pivot(index=index, columns="class", values="share").loc[last.index]
    load = shares.sum(axis=1)
    found = pd.DataFrame({"load": load, "own": expert_classes(last.to_numpy())}, index=last.index)
    found["share"] = shares.max(axis=1) / load.where(load > 0)
    return found.reset_index()


def _last(table: pd.DataFrame) -> pd.DataFrame:
    ends = table.groupby(["case", "seed"])["step"].transform("max")
    return table[table["step"] == ends]


def alignment_matrix(tables: Tables, case: str, seed: int, step: int) -> np.ndarray:
    """|<w_i, v_n>| (M, N) of one run at one stored step."""
    rows = tables.others["specialization"]
    rows = rows[(rows["case"] == case) & (rows["seed"] == seed) & (rows["step"] == step)]
    wide: np.ndarray = rows.pivot(index="expert", columns="class", values="alignment").to_numpy()
    return wide


def judge(tables: Tables) -> list[Finding]:
    """Judge every case."""
    experts = final_state(tables)
    if "dispatch_entropy" not in tables.main or experts.empty:
        return [_nothing(case) for case in WHY]
    runs = tables.runs
    runs = runs[runs["dispatch_entropy"].notna() & (runs["status"] != Status.DIVERGED)]
    return [
        _finding(str(c), runs[runs["case"] == c], experts) for c in tables.main["case"].unique()
    ]


def _nothing(case: str) -> Finding:
    return undecided(case, "specializes", "no finished run", "no data")


def _finding(case: str, runs: pd.DataFrame, experts: pd.DataFrame) -> Finding:
    experts = experts[(experts["case"] == case) & (experts["load"] >= LOAD)]
    if len(runs) < MIN_SEEDS or experts.empty:
        return _nothing(case)
    pure = experts.groupby("seed")["own"].min() >= 0
    entropy = runs.set_index("seed")["dispatch_entropy"]
    num_classes = 4 if "num_classes" not in runs else int(runs["num_classes"].iloc[0])
    sharp = entropy <= ENTROPY_SHARE * log(num_classes)
    good = int((sharp & pure.reindex(entropy.index, fill_value=False)).sum())
    share = share_interval(good, len(entropy))
    owned = float((experts["own"] >= 0).mean())
    spread = ""
    if "specialized_experts" in runs:
        spread = f"; {runs['specialized_experts'].median():.0f} experts in all, routed or not"
    measured = (
        f"{good} of {len(entropy)} runs {share.ends()}; entropy"
        f" {entropy.median():.3f} (median), log N = {log(num_classes):.2f}"
    )
    evidence = (
        f"{owned:.0%} of the routed experts have one dominant class{spread}; the median dispatch"
        f" entropy is {entropy.median():.3f} of at most {log(num_classes):.2f}. {WHY.get(case, '')}"
    )
    return Finding(
        case, f"more than {MOST:.0%} of runs specialize", measured, share.above(MOST), evidence,
        share,
    )  # fmt: skip
