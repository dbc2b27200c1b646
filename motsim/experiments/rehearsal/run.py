"""One setting of rehearsal in linear models: its closed form and its simulation."""

from dataclasses import replace
from typing import Any

import numpy as np

from motsim.experiments.rehearsal.settings import (
    QUANTITIES,
    Settings,
    cosine,
    crossover,
    problem,
    stream,
)
from motsim.experiments.rehearsal.tables import (
    error_table,
    is_known,
    line_table,
    phase_tables,
    schedule_table,
)
from motsim.experiments.result import Result
from motsim.mixture.status import Status
from motsim.rehearsal import (
    Rehearsal,
    RehearsalErrors,
    SimulatedErrors,
    expected_errors,
    expected_variances,
    optimal_schedule,
    simulate_errors,
    variance_interval,
)

__all__ = ["Settings", "compile_kernels", "cost", "predict", "run"]

#: Sources whose change makes stored runs of this kind stale.
SECONDS = 1e-8  # of one entry of a drawn matrix, about; measured on one 2.6 GHz core


def predict(settings: Settings, found: Rehearsal | None = None) -> dict[str, Any]:
    """Return the closed forms of a run.

    `Q_predicted` is NaN where no closed form is known (replayed memory, more than two tasks).
    `Q_rival` is a near miss that the simulation must be able to tell from the truth: for fresh
    memory the same formula with p + 1 for p, for replayed memory the formula of fresh memory.
    """
    found = found or problem(settings)
    fresh = expected_errors(replace(found, memory="fresh"))
    if found.memory == "fresh":
        truth: RehearsalErrors | None = fresh
        near = replace(found.tasks, dimension=found.tasks.dimension + 1)
        rival = expected_errors(replace(found, tasks=near))
    else:
        rival = fresh
        truth = expected_errors(found) if is_known(found) else None
    metrics: dict[str, Any] = {}
    for name in QUANTITIES:
        metrics[f"{name}_predicted"] = getattr(truth, name) if truth else float("nan")
        metrics[f"{name}_rival"] = getattr(rival, name)
    if settings.family == "equicorrelated":
        for name in QUANTITIES:
            metrics[f"{name}_crossover"] = crossover(settings, name)
    if settings.strategy == "sequential" and found.memory == "fresh":
        variances = expected_variances(found)
        for name in QUANTITIES:
            metrics[f"{name}_variance_predicted"] = getattr(variances, name)
    return metrics


def compile_kernels() -> None:
    """Compile what a run needs, or load it from the cache."""
    smallest = Rehearsal(np.eye(2, 9), 2, 2, 0.1, "concurrent")
    for method in ("full", "reduced"):
        simulate_errors(smallest, repetitions=2, method=method)
    optimal_schedule(smallest)


def cost(settings: Settings) -> float:
    """Return about how many seconds a run takes on one core."""
    s = settings
    columns = float(np.max(s.samples_per_task) + np.sum(s.memory_size))
    return SECONDS * (1e5 * bool(s.tables) + s.repetitions * s.num_tasks * s.dim * columns)


def run(settings: Settings) -> Result:
    """Compute the closed form and simulate; the only thing that a worker executes."""
    s = settings
    found = problem(s)
    predicted = predict(s, found)
    metrics: dict[str, Any] = {
        "strategy": s.strategy,
        "memory": s.memory,
        "num_tasks": found.tasks.num_tasks,
        "dim": found.tasks.dimension,
        "noise_std": found.noise_std,
        "cosine": cosine(s),
        "repetitions": s.repetitions,
        **predicted,
    }
    simulated: SimulatedErrors | None = None
    if s.repetitions:
        simulated = simulate_errors(
            found,
            repetitions=s.repetitions,
            seed=stream(s),
            method=None if s.method == "auto" else s.method,
        )
        metrics |= _simulated(simulated, "forgetting_variance_predicted" in predicted)
    tables: dict[str, dict[str, list[Any]]] = {}
    if "errors" in s.tables:
        tables["errors"] = error_table(found, simulated)
    if "schedule" in s.tables:
        tables["schedule"] = schedule_table(found)
    tables |= phase_tables(s)
    if s.line:
        tables["line"] = line_table(s)
    return Result(Status.DONE, metrics, tables)


def _simulated(simulated: SimulatedErrors, variances: bool) -> dict[str, Any]:
    metrics: dict[str, Any] = {}
    for name in QUANTITIES:
        metrics[name] = getattr(simulated, name)
        metrics[f"{name}_se"] = getattr(simulated, f"{name}_se")
        if variances and simulated.repetitions >= 4 and np.isfinite(metrics[name]):
            found = variance_interval(getattr(simulated, f"{name}_samples"))
            metrics[f"{name}_variance"] = found.variance
            metrics[f"{name}_variance_se"] = found.standard_error
    return metrics
