"""Tables of a run of rehearsal: errors of each step, its schedule, closed forms over settings."""

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from motsim.experiments.rehearsal.settings import QUANTITIES, Settings, problem, unrelated
from motsim.rehearsal import (
    Rehearsal,
    SimulatedErrors,
    expected_errors,
    memory_phases,
    ratio_phases,
)

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["error_table", "is_known", "line_table", "phase_tables", "schedule_table"]


def is_known(problem: Rehearsal) -> bool:
    """Whether there is a closed form."""
    return problem.memory == "fresh" or problem.tasks.num_tasks <= 2


def error_table(found: Rehearsal, simulated: SimulatedErrors | None) -> dict[str, list[Any]]:
    """E‖w_t − w*_j‖² for every step t and task j; NaN where it is not known."""
    num = found.tasks.num_tasks
    nothing = np.full((num, num), np.nan)
    predicted = expected_errors(found).errors if is_known(found) else nothing
    after, task = (index.ravel() for index in np.indices((num, num)))
    return {
        "after": after.tolist(),
        "task": task.tolist(),
        "error_predicted": predicted.ravel().tolist(),
        "error": (simulated.errors if simulated else nothing).ravel().tolist(),
        "error_se": (simulated.errors_se if simulated else nothing).ravel().tolist(),
    }


def schedule_table(found: Rehearsal) -> dict[str, list[Any]]:
    """The fits in order: step, fit, task, samples."""
    rows = [
        (t, f, task, count)
        for t, step in enumerate(found.schedule)
        for f, fit in enumerate(step)
        for task, count in fit
    ]
    names = ("step", "fit", "task", "samples")
    return {n: list(c) for n, c in zip(names, zip(*rows, strict=True), strict=True)}


def phase_tables(s: Settings) -> dict[str, dict[str, list[Any]]]:
    """Closed forms over (similarity, memory) and (similarity, p/n)."""
    similarities = np.linspace(0.0, 1.0, 41).tolist()
    samples = int(np.max(s.samples_per_task))
    whole = replace(unrelated(s), samples_per_task=samples, order=None)
    tables: dict[str, dict[str, list[Any]]] = {}
    if "memory_phases" in s.tables:
        sizes = np.unique(np.linspace(s.num_tasks - 1, s.dim - samples - 2, 30).round())
        found = memory_phases(whole, similarities, [int(m) for m in sizes])
        tables["memory_phases"] = _columns(found)
    if "ratio_phases" in s.tables:
        memory = int(np.max(s.memory_size))
        ratios = np.geomspace((samples + memory + 2) / samples, 40.0, 30).tolist()
        found = ratio_phases(replace(whole, memory_size=memory), similarities, ratios)
        tables["ratio_phases"] = _columns(found)
    return tables


def _columns(frame: "pd.DataFrame") -> dict[str, list[Any]]:
    renamed = frame.rename(columns={"similarity": "cosine"})  # `similarity` is a label of runs
    return {str(name): renamed[name].tolist() for name in renamed}


def line_table(s: Settings) -> dict[str, list[Any]]:
    """Closed form (of fresh memory where no other is known) along one setting."""
    space = np.geomspace if s.line_log else np.linspace
    values = space(s.line_from, s.line_to, s.line_points)
    points: list[Any] = [float(v) for v in values]
    if s.line in ("memory_size", "dim", "num_tasks"):
        points = sorted({round(v) for v in points})
    columns: dict[str, list[Any]] = {"axis": [], "value": [], **{name: [] for name in QUANTITIES}}
    for point in points:
        there = problem(s.model_copy(update={s.line: point}))
        errors = expected_errors(replace(there, memory="fresh"))
        columns["axis"].append(s.line)
        columns["value"].append(point)
        for name in QUANTITIES:
            columns[name].append(getattr(errors, name))
    return columns
