r"""Real data: experts used against the number of tasks, and whether each serves one of them.

Assumptions
    Mixture of M = 8 transformers on digits (print: MNIST images), N = 1, 2, 4, 8 tasks, each
    another half of the digits against the rest, told by a token; trained end to end as in claim
    `realdata`. Routing is measured on the test split, without noise.
Statement
    (a) On one task the gate sends most samples to few experts: two serve 95 % of them. (b) More
    tasks use more experts. (c) Each expert specializes: the entropy of the task given the expert is
    below half of log N. (d) No expert takes most of the load at N = 8. (e) The gain over one
    transformer of equal work grows with the number of tasks.
Kind
    (a), (c), (d) upper bounds; (b), (e) lower bounds on the slope a doubling of N; Student's 95 %
    interval over the seeds.
Source
    arXiv:2510.27004, introduction (reconstructed). The thresholds were fixed after a look at seeds
    1000 and 1001, which are not among those judged.

What was found. The gain grows, (e), although the experts specialize half way at best: the gate sees
the sum of the tokens, which holds the image as well as the task, and divides the samples by both.
"""

import numpy as np
import pandas as pd

from motsim.claims import Claim, Finding
from motsim.claims._undecided import needs
from motsim.mixture.status import Status
from motsim.results.tables import Tables
from motsim.statistics.intervals import mean_interval

__all__ = ["CLAIM", "gains", "judge", "mixtures", "relative_entropy"]

CLAIM = Claim(
    statement=(
        "On simple real data the gate sends most samples to few experts; on complex data each"
        " expert specializes in its tasks."
    ),
    source="arXiv:2510.27004, introduction",
    origin="reconstructed",
    prediction=(
        "two experts serve one task; more tasks use more experts; entropy of the task given the"
        " expert below half of log N"
    ),
    kind="upper",
)

FEW = 2.0  # experts
SPECIALIZED = 0.5  # of log N
MOST = 0.5  # of the samples
NEEDED = {"model", "num_tasks", "seed", "status", "test_error", "used_experts", "dispatch_entropy"}


def mixtures(tables: Tables) -> pd.DataFrame:
    """Finished runs of the mixture of transformers."""
    rows = tables.main
    if not set(rows.columns) >= NEEDED:
        return pd.DataFrame()
    return rows[(rows["status"] == Status.DONE) & (rows["model"] == "mot")]


def relative_entropy(rows: pd.DataFrame) -> pd.Series:
    """Dispatch entropy over log N; NaN for one task."""
    tasks = rows["num_tasks"].astype(float)
    return rows["dispatch_entropy"] / np.log(tasks.where(tasks > 1))


def gains(tables: Tables) -> pd.DataFrame:
    """Test error of one transformer minus that of the mixture, points; seeds by number of tasks."""
    rows = tables.main[tables.main["status"] == Status.DONE]
    wide = rows.pivot_table(index=["seed", "num_tasks"], columns="model", values="test_error")
    if not {"one", "mot"} <= set(wide.columns):
        return pd.DataFrame()
    return (100 * (wide["one"] - wide["mot"])).unstack("num_tasks").dropna()


@needs(CLAIM)
def judge(tables: Tables) -> list[Finding]:
    """Judge the five parts."""
    rows = mixtures(tables)
    if rows.empty:
        return []
    simplest, hardest = rows["num_tasks"].min(), rows["num_tasks"].max()
    used = rows[rows["num_tasks"] == simplest]["used_experts"]
    load = rows[rows["num_tasks"] == hardest]["largest_share"]
    by_tasks = rows.pivot_table(index="seed", columns="num_tasks", values="used_experts").dropna()
    return [
        _below(
            f"few at N = {simplest:.0f}", used, FEW, "experts serve 95 % of the samples",
            "a single task is divided too, by the images: see the gain at N = 1",
        ),
        _slope("more tasks, more experts", by_tasks, "experts"),
        *(
            _below(
                f"specialized at N = {tasks:.0f}", relative_entropy(part), SPECIALIZED,
                "of log N is the entropy of the task given the expert",
                "1 where routing ignores the task, 0 where each expert serves one",
            )
            for tasks, part in rows[rows["num_tasks"] > 1].groupby("num_tasks")
        ),
        _below(
            f"load at N = {hardest:.0f}", load, MOST, "of the samples go to the busiest expert",
            "1/8 where the load is even; nothing in the loss asks for balance",
        ),
        _slope("gain grows", gains(tables), "points of test error"),
    ]  # fmt: skip


def _below(case: str, values: pd.Series, threshold: float, unit: str, why: str) -> Finding:
    mean = mean_interval(values)
    evidence = f"{mean} {unit} ({len(values)} seeds); {why}"
    return Finding(case, f"<= {threshold:g}", f"{mean}", mean.at_most(threshold), evidence, mean)


def _slope(case: str, wide: pd.DataFrame, unit: str) -> Finding:
    """Least-squares slope of each seed a doubling of N (the columns)."""
    slopes = np.array([])
    if len(wide) and wide.shape[1] > 1:
        doublings = np.log2(wide.columns.to_numpy(float))
        slopes = np.polyfit(doublings, wide.to_numpy(float).T, 1)[0]
    slope = mean_interval(slopes)
    levels = ", ".join(f"{wide[n].mean():.1f} at N = {n:.0f}" for n in wide.columns)
    evidence = f"{levels} ({len(wide)} seeds)"
    return Finding(
        case, "> 0 a doubling of N", f"{slope:+.2f} {unit} a doubling of N",
        slope.at_most(0.0).opposite, evidence, slope,
    )  # fmt: skip
