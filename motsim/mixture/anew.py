"""Stochastic descent: every step on samples drawn anew, every loss on the exact population."""

from collections.abc import Callable, Sequence

import numpy as np

from motsim.mixture import kernels
from motsim.mixture.draws import Draws
from motsim.mixture.engine.anew import drawn_task, exact_problem, exact_task, steps_at_a_time
from motsim.mixture.model import Loss, Model, ModelParameters
from motsim.mixture.points import Points
from motsim.mixture.schedule import Stage
from motsim.mixture.status import Status
from motsim.mixture.trace import StageBounds, Trace, first_hits, thinned_steps

__all__ = ["train_anew"]

SPARSE = 10  # steps from look to look before the last stage


def train_anew(
    model: Model,
    population: Points,
    draw: Callable[[int, int], Draws],
    size: int,
    stages: Sequence[Stage],
    start: ModelParameters,
    *,
    loss: Loss = "squared",
    epsilons: Sequence[float],
    trace_points: int = 200,
) -> Trace:
    """Train as `motsim.mixture.training.train` does, each step on samples of its own.

    The loss is that of `population`, after every step of the last stage; before it only every
    tenth step is looked at, so that times there are rounded up.

    Parameters
    ----------
    model : Model
    population : Points
        What the loss is of.
    draw : callable
        ``draw(step, steps)`` returns ``steps * size`` samples: those of `step`, then of the next.
    size : int
        Samples a step.
    stages : sequence of Stage
        With expected routing, by plain or normalized descent.
    start : ModelParameters
    loss : {"squared", "logistic"}
    epsilons : sequence of float
        Positive targets of the expected loss, at least one.
    trace_points : int
        About this many points of the loss curve are kept for each stage.

    Returns
    -------
    Trace
        `trace_steps` are those of the kept steps that were looked at, and the last; no snapshots.
    """
    targets = np.asarray(epsilons, dtype=np.float64)
    problem = exact_problem(model, population, start, loss=loss)
    most = steps_at_a_time(model, size, population.tokens.shape[1])
    step, status, final = 0, Status.MAX_STEPS, np.nan
    steps: list[np.ndarray] = []
    losses: list[np.ndarray] = []
    bounds: list[StageBounds] = []
    for stage in stages:
        first, every = step, 1 if stage is stages[-1] else SPARSE
        exact = exact_task(problem, stage)
        while status is Status.MAX_STEPS and step < first + stage.steps:
            count = min(most, first + stage.steps - step)
            drawn = drawn_task(problem, stage, draw(step, count), population.signals, count)
            found = np.full(count, np.nan)
            looked = np.arange((first - step) % every, count, every)
            found[looked] = 0.0
            taken = kernels.take_steps_anew(
                problem.value, drawn, exact, problem.gradient, targets.min(), found
            )
            if taken < count:
                final = found[taken]
                status = Status.REACHED if np.isfinite(final) else Status.DIVERGED
            looked = looked[looked <= taken]
            steps.append(step + looked)
            losses.append(found[looked])
            step += taken
        bounds.append(StageBounds(stage.name, first, step))
        if status is not Status.MAX_STEPS:
            break
    if status is Status.MAX_STEPS:
        final = problem.noise_free_loss()
        status = status if np.isfinite(final) else Status.DIVERGED
        steps.append(np.array([step]))
        losses.append(np.array([final]))
    at, curve = np.concatenate(steps), np.concatenate(losses)
    kept = np.isin(at, thinned_steps(bounds, step, trace_points)) | (at == at[-1])
    return Trace(
        status=status,
        num_steps=step,
        epsilons=targets,
        hitting_steps=_hits(at, curve, targets, 0, step),
        stage_hitting_steps=np.array(
            [_hits(at, curve, targets, b.start, b.stop) for b in bounds]
        ).reshape(len(bounds), -1),
        trace_steps=at[kept].astype(np.int64),
        trace_losses=curve[kept],
        stages=tuple(bounds),
        parameters=problem.parameters(),
        snapshots={},
        final_loss=float(final),
    )


def _hits(
    steps: np.ndarray, losses: np.ndarray, targets: np.ndarray, start: int, stop: int
) -> np.ndarray:
    """First look of a stage with loss <= target, in steps from the stage's start; -1 if none."""
    here = (steps >= start) & (steps <= stop)
    found = first_hits(losses[here], targets)
    return np.where(found >= 0, steps[here][found] - start, -1).astype(np.int64)
