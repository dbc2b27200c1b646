"""Phase diagrams as tables: expected errors of the strategies over two settings (pandas)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from motsim.rehearsal import arguments
from motsim.rehearsal.crossover import QUANTITIES, at_cosine, find_crossover
from motsim.rehearsal.problem import Rehearsal
from motsim.rehearsal.theory import expected_errors

if TYPE_CHECKING:
    import pandas as pd


def memory_phases(
    problem: Rehearsal, similarities: Sequence[float], memory_sizes: Sequence[int]
) -> pd.DataFrame:
    """Return concurrent and sequential errors over (similarity, memory), one row a pair.

    The rest is the problem's, whose tasks must have equal norms (see `find_crossover`).

    Columns: similarity, memory, dimension, ratio (p over the first task's samples); for each
    quantity Q in forgetting, generalization: Q_concurrent, Q_sequential, Q_better ('concurrent',
    'sequential' or 'equal') and Q_crossover (the exact cosine at this row's other settings, nan if
    there is none).
    """
    return _table(similarities, [replace(problem, memory_size=int(m)) for m in memory_sizes])


def ratio_phases(
    problem: Rehearsal, similarities: Sequence[float], ratios: Sequence[float]
) -> pd.DataFrame:
    """Return the same table over (similarity, p/n): p = round(ratio · n), n and memory fixed.

    `ratio` in the table is the exact p/n after rounding. A ratio that leaves a fit with more than
    p − 2 columns is an error that names the fit.
    """
    samples = arguments.integer("samples_per_task", problem.samples_per_task, 1)
    dimensions = [round(arguments.real("ratios", r, 0.0) * samples) for r in ratios]
    return _table(
        similarities,
        [replace(problem, tasks=replace(problem.tasks, dimension=p)) for p in dimensions],
    )


def _table(similarities: Sequence[float], problems: Iterable[Rehearsal]) -> pd.DataFrame:
    import pandas as pd

    rows: list[dict[str, Any]] = []
    for problem in problems:
        tasks = problem.tasks
        first = arguments.counts("samples_per_task", problem.samples_per_task, tasks.num_tasks, 1)
        crossings = {name: find_crossover(problem, quantity=name).cosine for name in QUANTITIES}
        for similarity in similarities:
            there = at_cosine(problem, similarity)
            both = [expected_errors(there.using(name)) for name in ("concurrent", "sequential")]
            row: dict[str, Any] = {
                "similarity": float(similarity),
                "memory": problem.memory_size,
                "dimension": tasks.dimension,
                "ratio": tasks.dimension / first[0],
            }
            for name in QUANTITIES:
                concurrent, sequential = (getattr(result, name) for result in both)
                row[f"{name}_concurrent"] = concurrent
                row[f"{name}_sequential"] = sequential
                row[f"{name}_better"] = _better(concurrent, sequential, tasks.squared_norms[0])
                row[f"{name}_crossover"] = crossings[name]
            rows.append(row)
    return pd.DataFrame(rows)


def _better(concurrent: float, sequential: float, scale: float) -> str:
    if abs(concurrent - sequential) <= 1e-12 * max(abs(concurrent), abs(sequential), scale):
        return "equal"
    return "concurrent" if concurrent < sequential else "sequential"


def threshold_table(
    problem: Rehearsal,
    thresholds: Sequence[float],
    *,
    measure: str = "cosine",
    order: str = "oldest",
) -> pd.DataFrame:
    """Return the errors of hybrid rehearsal over thresholds, beside the two pure strategies.

    Columns: strategy, threshold (nan for the pure ones), forgetting, generalization.
    """
    import pandas as pd

    results = [
        ("concurrent", float("nan"), expected_errors(problem.using("concurrent"))),
        ("sequential", float("nan"), expected_errors(problem.using("sequential", order=order))),
    ]
    for threshold in thresholds:
        hybrid = problem.using("hybrid", threshold=threshold, measure=measure, order=order)
        results.append(("hybrid", float(threshold), expected_errors(hybrid)))
    return pd.DataFrame(
        [
            {
                "strategy": name,
                "threshold": threshold,
                "forgetting": result.forgetting,
                "generalization": result.generalization,
            }
            for name, threshold, result in results
        ]
    )
