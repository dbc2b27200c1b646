r"""Routing: the gate sends each sample to an expert of its class.

Assumptions
    Enough experts that each class has one that specialized in it (coverage is a claim of its own).
Statement
    P[m(X) in M_n] -> 1, M_n the experts specialized in the sample's class n: at the end of
    training at most 1e-3 of the population is routed elsewhere; in more than half of all runs.
Kind
    Existence: the share of runs that succeed, with its Wilson interval, against 1/2.
Source
    arXiv:2510.27004, abstract (quoted).

What was found. With specialized experts the gate errs on no sample at all, from stage I on. An
untrained gate, or one whose experts see the class token (generic linear start), routes to experts
of no class.

Correlated class signals, c_n . c_m = rho_c (derived here, docs/theory.md §6.10): a step of the gate
moves logits by their Gram matrix, differences of classes at 1 - rho_c times the speed, what all
classes share at 1 + (N-1) rho_c times. The speed of differences is not the limit: at rho_c = 0.7
routing is lost, and a gate of 0.3 times the step, with orthogonal class signals, keeps it. What is
shared is: one expert is drawn to several classes. Linear experts choose in this race alone, and
its sign decides: rho_c > 0 spoils them, rho_c < 0 lets fewer of them do.
"""

import numpy as np
import pandas as pd

from motsim.claims import Claim, Finding
from motsim.claims._undecided import undecided
from motsim.claims._words import reasons
from motsim.mixture.status import Status
from motsim.results.tables import Tables
from motsim.statistics.intervals import MIN_SEEDS, share_interval

__all__ = ["CLAIM", "accuracy_course", "dispatch_matrix", "judge"]

CLAIM = Claim(
    statement="The gate learns to route each sample to an expert specialized in its class.",
    source="arXiv:2510.27004, abstract",
    origin="quoted",
    prediction="P[m(X) in M_n] >= 1 - 1e-3 at the end, in most runs",
    kind="existence",
)

TOLERANCE = 1e-3
MOST = 0.5
WHY = reasons("routing")


def accuracy_course(tables: Tables) -> pd.DataFrame:
    """P[m(X) in M_n] along training: case, seed, stage, step, accuracy, entropy."""
    columns = ["case", "seed", "stage", "step", "accuracy", "entropy"]
    return tables.with_columns("course", *columns)[columns].sort_values(
        ["case", "seed", "step"], kind="stable"
    )


def dispatch_matrix(tables: Tables, case: str, seed: int, step: int) -> np.ndarray:
    """Share of each class (M, N) that goes to each expert in one run at one stored step."""
    rows = tables.others["routing"]
    rows = rows[(rows["case"] == case) & (rows["seed"] == seed) & (rows["step"] == step)]
    wide = rows.pivot(index="expert", columns="class", values="share").to_numpy()
    shares: np.ndarray = wide / wide.sum(axis=0)
    return shares


def judge(tables: Tables) -> list[Finding]:
    """Judge every case."""
    if "routing_accuracy" not in tables.main or tables.main.empty:
        return [_finding(case, pd.Series([], dtype=float), 0) for case in WHY]
    findings = []
    for case, rows in tables.runs.groupby("case", sort=False):
        good = rows[rows["routing_accuracy"].notna() & (rows["status"] != Status.DIVERGED)]
        findings.append(_finding(str(case), good["routing_accuracy"], len(rows)))
    return findings


def _finding(case: str, accuracy: pd.Series, planned: int) -> Finding:
    predicted = f"accuracy >= {1 - TOLERANCE} in more than {MOST:.0%} of runs"
    if len(accuracy) < MIN_SEEDS:
        evidence = f"{len(accuracy)} of {planned} runs finished; {MIN_SEEDS} are needed"
        return undecided(case, predicted, "too few runs", evidence)
    right = int((accuracy >= 1 - TOLERANCE).sum())
    share = share_interval(right, len(accuracy))
    measured = (
        f"{right} of {len(accuracy)} runs {share.ends()}; accuracy"
        f" {accuracy.median():.4f} (median), {accuracy.min():.4f} (worst)"
    )
    evidence = (
        f"in {right} of {len(accuracy)} runs at most {TOLERANCE:g} of the population goes to an"
        f" expert not of its class (median {1 - accuracy.median():.1e}). {WHY.get(case, '')}"
    )
    return Finding(case, predicted, measured, share.above(MOST), evidence, share)
