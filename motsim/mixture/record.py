"""What a run leaves behind, gathered while it runs: of this a `Trace` is made."""

import math
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from motsim.mixture.flow import Flow
from motsim.mixture.model import ModelParameters
from motsim.mixture.status import Status
from motsim.mixture.trace import StageBounds, Trace, first_hits, thinned_steps

__all__ = ["Record"]

Floats = NDArray[np.float64]


class Record:
    """Losses of every step, stages, snapshots and how the run ended."""

    def __init__(self, targets: Floats, snapshot_steps: Sequence[int], trace_points: int) -> None:
        self.targets, self.trace_points = targets, trace_points
        self.wanted = sorted({int(s) for s in snapshot_steps})
        self.stop_loss = float(targets.min()) if targets.size else -1.0
        self.step, self.first = 0, 0  # now, and at the start of the stage
        self.status = Status.MAX_STEPS
        self.final = math.nan
        self.pieces: list[Floats] = []
        self.bounds: list[StageBounds] = []
        self.snapshots: dict[int, ModelParameters] = {}
        self.flow: Flow | None = None

    @property
    def runs(self) -> bool:
        """Whether there is a reason to go on."""
        return self.status is Status.MAX_STEPS and self.flow is None

    def begin(self, parameters: ModelParameters) -> None:
        """A stage begins at these parameters."""
        self.first = self.step
        self.snapshots[self.step] = parameters

    def next_stop(self, length: int, most: int) -> int:
        """Steps until a stage of this length ends, or a snapshot is due, or `most`."""
        ends = [self.first + length, self.step + most, *(w for w in self.wanted if w > self.step)]
        return min(ends) - self.step

    def add(self, losses: Floats, taken: int, parameters: Callable[[], ModelParameters]) -> None:
        """Steps were taken; if not all that were wanted, the loss before the next one says why."""
        if taken < len(losses):  # its loss counts, the rest is unset
            self.final = float(losses[taken])
            self.status = Status.REACHED if self.final <= self.stop_loss else Status.DIVERGED
            losses = losses[:taken]
        self.pieces.append(losses)
        self.step += taken
        if self.step in self.wanted:
            self.snapshots[self.step] = parameters()

    def add_flow(self, flow: Flow) -> None:
        """The last stage was followed as a gradient flow."""
        self.flow, self.status, self.final = flow, flow.status, flow.loss
        self.step = self.first + math.ceil(flow.time)

    def end(self, name: str) -> None:
        """The stage has ended."""
        self.bounds.append(StageBounds(name, self.first, self.step))

    def finish(self, loss: float) -> None:
        """All steps were taken, and this is the loss after them."""
        self.final = loss
        if not np.isfinite(loss):
            self.status = Status.DIVERGED
        elif self.targets.size and loss <= self.stop_loss:
            self.status = Status.REACHED

    def trace(self, parameters: ModelParameters) -> Trace:
        """Return the record of the run, which ended at these parameters."""
        flow, targets, bounds, step = self.flow, self.targets, self.bounds, self.step
        # Of descent alone: a flow begins at the end of this curve.
        curve = np.concatenate([*self.pieces, [self.final if flow is None else flow.kept[0.0][0]]])
        by_descent, last = (bounds, step) if flow is None else (bounds[:-1], len(curve) - 1)
        hits = first_hits(curve, targets)
        rows = [first_hits(curve[stage.start : stage.stop + 1], targets) for stage in by_descent]
        kept = thinned_steps(by_descent, last, self.trace_points)
        losses = curve[kept]
        if flow is not None:
            rows.append(flow.hitting_steps)
            hits = np.where((hits < 0) & (rows[-1] >= 0), last + rows[-1], hits)
            grid = {last + int(t): loss for t, (loss, _) in flow.kept.items()} | {step: self.final}
            more = sorted(set(grid) - set(kept.tolist()))
            kept, losses = np.append(kept, more), np.append(losses, [grid[s] for s in more])
        return Trace(
            status=self.status,
            num_steps=step,
            epsilons=targets,
            hitting_steps=hits,
            stage_hitting_steps=np.array(rows).reshape(len(bounds), -1),
            trace_steps=kept,
            trace_losses=losses,
            stages=tuple(bounds),
            parameters=parameters,
            snapshots=self.snapshots,
            final_loss=self.final,
            flow=None if flow is None else flow.cost,
            flow_times=None if flow is None else flow.hitting_times,
        )
