"""Specialization removes the conflict between the classes' gradients.

Assumptions: exact population, orthogonal signals, squared loss. Conflict is the
mean over pairs of classes of max(0, -cos) between the gradients, by all FFN weights, of each
class's own loss.
Statement: once every class has its own expert the gradients of two classes touch different
weights, so each cosine is 0 by that alone (derived: it says that experts are disjoint, nothing on
how fast they learn); a single transformer must shrink the signal of one class
because it is the distractor of another, so its classes keep pulling against each other.
The conflict of a mixture is that of the runs that specialize; their share stands beside.
Kind: upper for the mixture (conflict at most 0.01 at the end), lower for the others.
Source: arXiv:2510.27004, abstract ("specialization reduces gradient conflict").

Finding. The mixture starts with next to no conflict too: small experts only see their own signal,
and distractors enter the gradient with the residual. What specialization prevents shows in the
twin with a frozen gate, where the conflict grows while the experts grow.
"""

import numpy as np
import pandas as pd

from motsim.claims import Claim, Finding
from motsim.claims._outcomes import outcomes, specialized
from motsim.claims._undecided import needs
from motsim.results.tables import Tables
from motsim.statistics.intervals import mean_interval

__all__ = ["CLAIM", "conflict_at_end", "judge"]

CLAIM = Claim(
    statement="Once experts specialize, the gradients of different classes no longer conflict.",
    source="arXiv:2510.27004, abstract",
    origin="quoted",
    prediction="mean max(0, -cos) is 0 for mot at the end, and stays above 0 for one transformer",
    kind="upper",
)

NUM_CLASSES = 4
THRESHOLD = 0.01  # mean negative cosine from which on we speak of conflict
ROUNDING = 1e-12
CASES = ("mot-linear", "mot-cubic", "frozen-linear", "frozen-cubic", "single-4", "single-16")


def conflict_at_end(tables: Tables, case: str) -> pd.Series:
    """Conflict at the last snapshot of each seed; empty where there is none."""
    rows = tables.with_columns("conflict", "case", "seed", "step", "conflict")
    rows = rows[rows["case"] == case].sort_values("step", kind="stable")
    return rows.groupby("seed")["conflict"].last()


def _peak(tables: Tables, case: str) -> float:
    rows = tables.others["conflict"]
    rows = rows[(rows["case"] == case) & (rows["stage"] == "specialize")]
    return float(rows.groupby("seed")["conflict"].max().mean()) if len(rows) else float("nan")


@needs(CLAIM, "case seed", some="covered_classes")
def judge(tables: Tables) -> list[Finding]:
    """Judge conflict at the end: below the threshold for mot, above it for what shares weights."""
    findings = []
    for case in CASES:
        end = conflict_at_end(tables, case)
        mixture, became = case.startswith("mot"), ""
        if mixture:
            rows = tables.runs[tables.runs["case"] == case]
            end = end[end.index.isin(specialized(rows, NUM_CLASSES)["seed"])]
            became = f"{outcomes(rows, NUM_CLASSES)}. Of those: "
        mean = mean_interval(end.to_numpy()).map(lambda x: 0.0 if abs(x) < ROUNDING else x)
        verdict = mean.below(THRESHOLD) if mixture else mean.above(THRESHOLD)
        predicted = f"conflict at the end {'at most' if mixture else 'above'} {THRESHOLD:g}"
        evidence = became + _evidence(tables, case, len(end))
        findings.append(Finding(case, predicted, f"{mean:.3g}", verdict, evidence, mean))
    return findings


def _evidence(tables: Tables, case: str, seeds: int) -> str:
    if not seeds:
        return "no run of this case"
    if case.startswith("mot"):
        twin = conflict_at_end(tables, case.replace("mot", "frozen"))
        other = f"{float(np.mean(twin)):.2g}" if len(twin) else "not run"
        return (
            f"{seeds} seeds; 0 follows from experts that share no weight; highest in stage"
            f" I {_peak(tables, case):.1g}, and at the end {other} in the same model with a frozen"
            " gate"
        )
    if case.startswith("frozen"):
        return f"{seeds} seeds; without a trained gate every expert serves every class"
    return f"{seeds} seeds; a signal of one class is the distractor of the others"
