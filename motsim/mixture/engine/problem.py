"""A training problem in the engine's coordinates, and from it the step of each stage."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray

from motsim.mixture import kernels
from motsim.mixture.engine.layout import kernel_workspace
from motsim.mixture.engine.parts import count_parts, padded
from motsim.mixture.engine.reduction import Reduction, problem_of
from motsim.mixture.engine.stage import Step, in_memory, make_step, stage_rule
from motsim.mixture.model import Loss, Model, ModelParameters
from motsim.mixture.points import Points
from motsim.mixture.schedule import Stage

__all__ = ["Problem"]


@dataclass(frozen=True, eq=False)
class Problem:
    """Points, parameters and workspace of one run; the parameters move, the rest stays.

    Attributes
    ----------
    model, loss
    start : ModelParameters
        In the data's own coordinates.
    reduction : Reduction
        The coordinates, and the points in them.
    num_parts : int
        Into how many parts stages may divide the points.
    draws : (B,) array
        The row of drawn routing noise that each point of the batch takes.
    origin : kernels.Parameters
        The start in the engine's coordinates.
    value, gradient : kernels.Parameters
        Where training is, and the last gradient there.
    work : kernels.Workspace
    """

    model: Model
    loss: Loss
    start: ModelParameters
    reduction: Reduction
    num_parts: int
    draws: NDArray[np.int64]
    origin: kernels.Parameters
    value: kernels.Parameters
    gradient: kernels.Parameters
    work: kernels.Workspace

    @classmethod
    def of(
        cls,
        model: Model,
        points: Points,
        stages: Sequence[Stage],
        start: ModelParameters,
        *,
        loss: Loss = "squared",
        use_mirror: bool = True,
    ) -> Self:
        """Lay a problem out in the fewest coordinates in which every stage is exact.

        Under sampled routing every point is kept, since mirror points draw noise of their own.
        """
        sampled = model.gated and any(s.routing.mode == "sampled" for s in stages)
        found = problem_of(stages, model, points, start, use_mirror=use_mirror and not sampled)
        num_parts = count_parts(model, found.batch)
        found = replace(found, batch=padded(found.batch, num_parts))
        order, origin = found.batch.order, found.project(start)
        return cls(
            model, loss, start, found, num_parts,
            draws=order if points.draws is None else points.draws[order],
            origin=origin,
            value=kernels.Parameters(*(a.copy() for a in origin)),
            gradient=kernels.Parameters(*(np.zeros_like(a) for a in origin)),
            work=kernel_workspace(model, found.batch),
        )  # fmt: skip

    def stage(self, stage: Stage) -> Step:
        """Return the step of a stage that begins where training is now."""
        return make_step(
            self.model, self.loss, stage, self.reduction, self.num_parts,
            self.value, self.gradient, self.work,
        )  # fmt: skip

    def parameters(self) -> ModelParameters:
        """Return where training is, in the data's own coordinates."""
        return self.reduction.lift(self.value, self.start, self.origin)

    def noise_free_loss(self) -> float:
        """Return the expected loss where training is."""
        batch = self.reduction.batch
        rule = stage_rule(self.model, self.reduction, self.loss, Stage("end", 0))
        work, noise = in_memory(batch, self.work), np.zeros((0, 0))
        return float(kernels.gradients(self.value, batch, rule, work, noise, self.gradient))
