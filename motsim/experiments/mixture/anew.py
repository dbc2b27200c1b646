"""Stochastic descent: every step on points drawn anew, every loss on the exact population."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from motsim.mixture.evaluation import evaluate
from motsim.mixture.model import Loss, Model, ModelParameters
from motsim.mixture.points import Points
from motsim.mixture.schedule import Stage
from motsim.mixture.status import Status
from motsim.mixture.trace import StageBounds, Trace, first_hits, thinned_steps
from motsim.mixture.training import train

__all__ = ["train_anew"]

SPARSE = 10  # steps from look to look before the last stage


def train_anew(
    model: Model,
    population: Points,
    draw: Callable[[int], Points],
    stages: Sequence[Stage],
    start: ModelParameters,
    *,
    loss: Loss,
    epsilons: Sequence[float],
    trace_points: int = 200,
) -> Trace:
    """Train as `motsim.mixture.training.train` does, step t on the points that `draw(t)` returns.

    The loss is that of `population`, after every step of the last stage; before it only every
    tenth step is looked at, so that times there are rounded up. A step takes about 2 ms whatever
    it computes: each is a call of `train`.

    Returns
    -------
    Trace
        `trace_steps` are those of about `trace_points` a stage that were looked at, and the last
        one; no snapshots.
    """
    targets = np.asarray(epsilons, dtype=np.float64)
    value, step, status = start, 0, Status.MAX_STEPS
    looks: list[tuple[int, float]] = []
    bounds: list[StageBounds] = []

    def look() -> float:
        found = evaluate(model, value, population, loss=loss, with_attention=False).loss
        looks.append((step, found))
        return found

    for stage in stages:
        first, one = step, replace(stage, steps=1)
        every = 1 if stage is stages[-1] else SPARSE
        for _ in range(stage.steps):
            if (step - first) % every == 0:
                now = look()
                if not np.isfinite(now) or now <= targets.min():
                    status = Status.REACHED if np.isfinite(now) else Status.DIVERGED
                    break
            value = train(model, draw(step), [one], value, loss=loss, trace_points=2).parameters
            step += 1
        bounds.append(StageBounds(stage.name, first, step))
        if status is not Status.MAX_STEPS:
            break
    if status is Status.MAX_STEPS and not np.isfinite(look()):
        status = Status.DIVERGED
    steps, losses = (np.array(column) for column in zip(*looks, strict=True))
    kept = np.isin(steps, thinned_steps(bounds, step, trace_points)) | (steps == steps[-1])
    return Trace(
        status=status,
        num_steps=step,
        epsilons=targets,
        hitting_steps=_hits(steps, losses, targets, 0, step),
        stage_hitting_steps=np.array(
            [_hits(steps, losses, targets, b.start, b.stop) for b in bounds]
        ).reshape(len(bounds), -1),
        trace_steps=steps[kept].astype(np.int64),
        trace_losses=losses[kept].astype(np.float64),
        stages=tuple(bounds),
        parameters=value,
        snapshots={},
        final_loss=float(losses[-1]),
    )


def _hits(
    steps: np.ndarray, losses: np.ndarray, targets: np.ndarray, start: int, stop: int
) -> np.ndarray:
    """First look of a stage with loss <= target, in steps from the stage's start; -1 if none."""
    here = (steps >= start) & (steps <= stop)
    found = first_hits(losses[here], targets)
    return np.where(found >= 0, steps[here][found] - start, -1).astype(np.int64)
