"""Record of one training run: hitting times, thinned curve, parameters at asked steps."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from motsim.mixture.model import ModelParameters
from motsim.mixture.status import Status
from motsim.printing import brief

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd
    from matplotlib.figure import Figure

__all__ = ["FlowCost", "StageBounds", "Status", "Trace", "first_hits", "thinned_steps"]

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class StageBounds:
    """A stage ran from step `start` up to, not including, step `stop`."""

    name: str
    start: int
    stop: int


@dataclass(frozen=True)
class FlowCost:
    """How a gradient flow was integrated, and what it took.

    `method` is the last one: where LSODA crawls or gives up, BDF goes on.
    `evaluations` of the gradient hold those of Jacobians by differences and those that look for
    times; `starts` counts how often the solver began, with another tolerance each time.
    `ended_by_rounding`: before its time was up, where the velocity was rounding alone.
    """

    method: str
    rtol: float
    atol: float
    evaluations: int
    jacobians: int
    steps: int
    starts: int
    ended_by_rounding: bool


@dataclass(frozen=True, repr=False)
class Trace:
    """Record of one run.

    Attributes
    ----------
    status : Status
        REACHED, MAX_STEPS, or DIVERGED: the loss was not finite at `num_steps`.
    num_steps : int
        Steps taken.
    epsilons, hitting_steps : (E,) arrays
        First step at which the noise-free expected loss was <= epsilon; -1 if never (censored).
    stage_hitting_steps : (S, E) array
        The same for each stage alone, counted from its start.
    trace_steps, trace_losses : (K,) arrays
        Thinned loss curve; step t is the loss after t steps.
    stages : tuple of StageBounds
    parameters : ModelParameters
        At the end.
    snapshots : dict of int to ModelParameters
        At the asked steps that were passed, and at the start of every stage.
    final_loss : float
    flow : FlowCost, optional
        Of a last stage that ran as a gradient flow. Its times are rounded up to whole steps.
    flow_times : (E,) array, optional
        T(epsilon) of that stage alone, not rounded; inf if never.
    """

    status: Status
    num_steps: int
    epsilons: Floats
    hitting_steps: NDArray[np.int64]
    stage_hitting_steps: NDArray[np.int64]
    trace_steps: NDArray[np.int64]
    trace_losses: Floats
    stages: tuple[StageBounds, ...]
    parameters: ModelParameters
    snapshots: dict[int, ModelParameters]
    final_loss: float
    flow: FlowCost | None = None
    flow_times: Floats | None = None

    def frame(self) -> "pd.DataFrame":
        """Return the loss curve as a table: stage, step, loss; a row a kept step."""
        import pandas as pd

        ends = np.array([stage.stop for stage in self.stages])
        i_stage = np.searchsorted(ends, self.trace_steps).clip(max=max(len(ends) - 1, 0))
        names = [self.stages[i].name if self.stages else "" for i in i_stage]
        return pd.DataFrame({"stage": names, "step": self.trace_steps, "loss": self.trace_losses})

    def plot(self, path: "str | Path | None" = None) -> "Figure":
        """Draw the loss against steps, with the stages; save it if a path is given."""
        from matplotlib.figure import Figure

        figure = Figure(figsize=(5.0, 3.2), layout="constrained")
        axes = figure.subplots()
        axes.plot(self.trace_steps, self.trace_losses, color="black", linewidth=1.2)
        axes.set(yscale="log", xlabel="steps", ylabel="expected loss (noise-free routing)")
        for stage in self.stages:
            axes.axvline(stage.start, color="0.8", linewidth=0.8, zorder=0)
            axes.text(stage.start, 1.01, f" {stage.name}", fontsize=7, va="bottom",
                      transform=axes.get_xaxis_transform())  # fmt: skip
        if path is not None:
            figure.savefig(path)
        return figure

    def __repr__(self) -> str:
        return brief(self)


def first_hits(curve: Floats, targets: Floats) -> NDArray[np.int64]:
    """First index with curve <= target, -1 if none; the curve may end in a non-finite loss."""
    lowest = np.minimum.accumulate(np.where(np.isfinite(curve), curve, np.inf))
    first = np.searchsorted(-lowest, -targets, side="left")
    return np.where(first < len(curve), first, -1).astype(np.int64)


def thinned_steps(bounds: Sequence[StageBounds], last: int, count: int) -> NDArray[np.int64]:
    """Steps to keep: for each stage, half of `count` evenly and half geometrically spaced."""
    kept = [np.array([0, last])]
    for stage in bounds:
        kept.append(stage.start + _spaced(stage.stop - stage.start, count))
    return np.unique(np.clip(np.concatenate(kept), 0, last))


@lru_cache(maxsize=64)  # runs of one sweep share their stages
def _spaced(length: int, count: int) -> NDArray[np.int64]:
    """Steps of a stage of this length, from its start: see `thinned_steps`."""
    even = np.linspace(0, length, count // 2)
    geometric = np.geomspace(1, max(length, 1), count // 2) - 1
    return np.concatenate([even, geometric]).astype(np.int64)
