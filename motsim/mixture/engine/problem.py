"""A problem in the engine's coordinates: the step of each stage, losses, gradients."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray

from motsim.mixture import kernels
from motsim.mixture.engine.layout import kernel_buffers, kernel_rule
from motsim.mixture.engine.parts import count_parts, padded, stage_parts
from motsim.mixture.engine.reduction import Reduction, problem_of, whole_problem
from motsim.mixture.engine.stage import Step, in_memory, keep_attention, stage_rule
from motsim.mixture.model import Loss, Model, ModelParameters, Routing
from motsim.mixture.optimizers import memories
from motsim.mixture.points import Points
from motsim.mixture.schedule import Stage

__all__ = ["Problem"]

Floats = NDArray[np.float64]
NO_NOISE = np.zeros((0, 0))


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
    buffers : kernels.Buffers
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
    buffers: kernels.Buffers

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
        num_parts = count_parts(model, found.batch) if stages else 1
        found = replace(found, batch=padded(found.batch, num_parts))
        return cls._laid_out(model, points, start, found, loss, num_parts)

    @classmethod
    def whole(cls, model: Model, points: Points, *, loss: Loss = "squared") -> Self:
        """Lay every point out in the data's own coordinates, where a model is looked at.

        It stands nowhere until `place` puts it somewhere.
        """
        experts, dim = model.num_experts, points.tokens.shape[2]
        nowhere = ModelParameters(
            np.zeros((experts, model.num_neurons, dim)),
            np.zeros((model.num_attentions, dim, dim)),
            np.zeros((experts * model.gated, dim)),
        )
        found = whole_problem(points, use_mirror=False)
        return cls._laid_out(model, points, nowhere, found, loss, num_parts=1)

    @classmethod
    def _laid_out(
        cls, model: Model, points: Points, start: ModelParameters, found: Reduction, loss: Loss,
        num_parts: int,
    ) -> Self:  # fmt: skip
        order, origin = found.batch.order, found.project(start)
        return cls(
            model, loss, start, found, num_parts,
            draws=order if points.draws is None else points.draws[order],
            origin=origin,
            value=kernels.Parameters(*(a.copy() for a in origin)),
            gradient=kernels.Parameters(*(np.zeros_like(a) for a in origin)),
            buffers=kernel_buffers(model, found.batch),
        )  # fmt: skip

    def stage(self, stage: Stage) -> Step:
        """Return the step of a stage that begins where training is now."""
        batch, value, gradient = self.reduction.batch, self.value, self.gradient
        rule = stage_rule(self.model, self.reduction, self.loss, stage)
        buffers = keep_attention(rule, value, batch, self.buffers, stage.kept_attention)
        route = kernels.choose_route(value, batch, rule, buffers)
        rule = rule._replace(route=int(route))
        rule, parts, buffers = stage_parts(self.model, rule, batch, buffers, self.num_parts)
        if rule.routing_scale == 1.0 and not rule.sampled:  # q is pi
            buffers = buffers._replace(choice=buffers.gates)
        remembered = memories(stage, self.reduction, value, gradient)
        passes = kernels.passes_of(value, parts, rule, buffers, gradient)
        return Step(route, rule, parts, buffers, value, gradient, remembered, passes)

    def place(self, parameters: ModelParameters) -> None:
        """Stand at parameters in the data's own coordinates."""
        for array, new in zip(self.value, self.reduction.project(parameters), strict=True):
            array[...] = new

    def parameters(self) -> ModelParameters:
        """Return where training is, in the data's own coordinates."""
        return self.reduction.lift(self.value, self.start, self.origin)

    def noise_free_loss(self) -> float:
        """Return the expected loss where training is."""
        rule = stage_rule(self.model, self.reduction, self.loss, Stage("end", 0))
        return self._pass(rule, in_memory(self.reduction.batch, self.buffers), NO_NOISE)

    def run(self) -> float:
        """Fill the workspace with what every expert and the gate say; return the expected loss."""
        rule = kernel_rule(self.model, self.loss, Routing())
        rule = rule._replace(trains_ffn=False, trains_attention=False, trains_gate=False)
        return self._pass(rule, self.buffers, NO_NOISE)

    def differentiate(self, routing: Routing, noise: Floats | None) -> float:
        """Fill the gradient of the training loss by every part; return the expected loss.

        `noise` (P, M) is that of sampled routing.
        """
        drawn = NO_NOISE
        if noise is not None:
            drawn = np.ascontiguousarray(noise.T[:, self.reduction.batch.order])
        return self._pass(kernel_rule(self.model, self.loss, routing), self.buffers, drawn)

    def _pass(self, rule: kernels.Rule, buffers: kernels.Buffers, noise: Floats) -> float:
        batch, gradient = self.reduction.batch, self.gradient
        return float(kernels.gradients(self.value, batch, rule, buffers, noise, gradient))
