"""A stage as the kernels want it: its rule, what it keeps of a frozen attention, its route."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from motsim.mixture import kernels
from motsim.mixture.engine.layout import (
    aligned,
    aligned_singles,
    aligned_zeros,
    count_tokens,
    kernel_rule,
    summed_over_queries,
)
from motsim.mixture.engine.reduction import Reduction
from motsim.mixture.model import Loss, Model
from motsim.mixture.optimizers import Memory
from motsim.mixture.schedule import FROZEN, Stage

__all__ = ["Step", "in_memory", "keep_attention", "stage_rule"]

Floats = NDArray[np.float64]
Singles = NDArray[np.float32]
# Under plain descent an expert whose routing probability is below this at every point moves by
# less than rounding: its gradient is at most this times that of a routed expert.
NEGLIGIBLE = 1e-40
MAX_KEPT = 1 << 27  # bytes of attention weights, or of moments
NO_NOISE = np.zeros((1, 0, 0))


@dataclass(frozen=True, eq=False)
class Step:
    """A step of one stage, laid out: what is computed, by which kernels, on which arrays.

    Attributes
    ----------
    route : Route
        The kernels of the step; see `kernels.choose_route`.
    rule : kernels.Rule
        What trains, how, with what routing; it holds the route.
    parts : kernels.Batch
        The points, with an axis of parts in front.
    buffers : kernels.Buffers
        With what the stage keeps of a frozen attention.
    value, gradient : kernels.Parameters
        Those of the problem, in the engine's coordinates.
    memories : sequence of Memory
        Of momentum and Adam; empty for plain descent.
    passes : kernels.Passes
        Where the compiled pass of the route is.
    """

    route: kernels.Route
    rule: kernels.Rule
    parts: kernels.Batch
    buffers: kernels.Buffers
    value: kernels.Parameters
    gradient: kernels.Parameters
    memories: Sequence[Memory]
    passes: kernels.Passes

    def gradients(self) -> float:
        """Fill the gradient of what trains, and return the noise-free loss; nothing moves."""
        loss = np.empty(1)  # that at which descent stops is any: no step is taken
        self._descend(NO_NOISE, np.inf, loss)
        return float(loss[0])

    @np.errstate(over="ignore", invalid="ignore")  # a diverged run is recorded, not warned of
    def descend(self, noise: Floats, stop_loss: float, losses: Floats) -> int:
        """Take up to ``len(losses)`` steps as `kernels.descend_in_parts` does, return how many.

        Steps with a memory go one by one, each a plain step that is corrected.
        """
        if not self.memories:
            return self._descend(noise, stop_loss, losses)
        for t in range(len(losses)):
            for part in self.memories:
                part.note()
            drawn = noise[t : t + 1] if len(noise) > 1 else noise
            if not self._descend(drawn, stop_loss, losses[t : t + 1]):
                return t
            for part in self.memories:
                part.correct()
        return len(losses)

    def _descend(self, noise: Floats, stop_loss: float, losses: Floats) -> int:
        task = kernels.Task(self.parts, self.rule, self.buffers, noise, True, self.passes)
        taken = kernels.take_steps(self.value, task, self.gradient, stop_loss, losses)
        return int(taken)


def stage_rule(model: Model, reduction: Reduction, loss: Loss, stage: Stage) -> kernels.Rule:
    """Return what a step of a stage does, but for its route."""
    attention = stage.attention if model.num_attentions else FROZEN
    gate = stage.gate if model.gated else FROZEN
    skips = stage.routing.mode == "expected" and "normalized_gd" not in (
        stage.ffn.optimizer,
        attention.optimizer,
    )
    return kernel_rule(model, loss, stage.routing)._replace(
        trains_ffn=stage.ffn.trains,
        ffn_rate=float(stage.ffn.rate),
        ffn_normalized=stage.ffn.optimizer == "normalized_gd",
        trains_attention=attention.trains,
        attention_rate=float(attention.rate),
        attention_normalized=attention.optimizer == "normalized_gd",
        trains_gate=gate.trains,
        gate_rate=float(gate.rate),
        gate_normalized=stage.gate.optimizer == "normalized_gd",
        class_axes=reduction.class_coordinates if reduction.odd else 0,
        negligible=NEGLIGIBLE if skips else 0.0,
    )


def keep_attention(
    rule: kernels.Rule,
    value: kernels.Parameters,
    batch: kernels.Batch,
    buffers: kernels.Buffers,
    precision: Literal["double", "single"] = "double",
) -> kernels.Buffers:
    """Buffers with what a stage needs of its attention: where it is frozen, computed here, once.

    Equal attentions are kept once, in double precision; for linear experts the sum over queries is
    all that is needed. Points of three signal tokens need the moments of what they attend to.
    """
    if rule.trains_attention:
        return in_memory(batch, buffers)
    alike = not rule.mixed or bool((value.attention == value.attention[0]).all())
    single = precision == "single" and not alike
    if kernels.only_signals(batch):
        return _keep_moments(rule, value, batch, buffers, alike=alike, single=single)
    if not rule.mixed:
        return buffers
    if alike:
        buffers = buffers._replace(attention_probs=buffers.attention_probs[:1])
    elif not rule.cubic:
        return buffers._replace(attention_probs=_summed_attention(value, batch, buffers, single))
    elif single:
        one_pair = buffers._replace(attention_probs=buffers.attention_probs[:1, :1])
        kept = aligned_singles(buffers.attention_probs.shape)
        kernels.refresh_rounded(value, batch, one_pair, kept)
        return buffers._replace(attention_probs=kept)
    kernels.refresh_attention(value, batch, buffers)
    if not rule.cubic:
        buffers = buffers._replace(
            attention_probs=summed_over_queries(buffers.attention_probs, count_tokens(batch))
        )
    return buffers


def _keep_moments(
    rule: kernels.Rule,
    value: kernels.Parameters,
    batch: kernels.Batch,
    buffers: kernels.Buffers,
    *,
    alike: bool,
    single: bool,
) -> kernels.Buffers:
    """Buffers with the moments of a stage, unless they are too many."""
    shape = (len(batch.axes), 1 if alike else len(value.attention), *buffers.moments.shape[2:])
    if (4 if single else 8) * math.prod(shape) > MAX_KEPT:
        return buffers
    buffers = buffers._replace(moments=(aligned_singles if single else aligned_zeros)(shape))
    kernels.refresh_moments(value, batch, rule, buffers.moments)
    return buffers


def in_memory(batch: kernels.Batch, buffers: kernels.Buffers) -> kernels.Buffers:
    """Buffers without attention weights where they are too many and a pass can do without."""
    own = len(buffers.attention_probs) == len(buffers.outputs)
    if own and kernels.only_signals(batch) and buffers.attention_probs.nbytes > MAX_KEPT:
        return buffers._replace(attention_probs=buffers.attention_probs[:0])
    return buffers


def _summed_attention(
    value: kernels.Parameters, batch: kernels.Batch, buffers: kernels.Buffers, single: bool
) -> Floats | Singles:
    """Attention weights summed over queries; those of one expert are computed at a time."""
    one, sums = buffers._replace(attention_probs=buffers.attention_probs[:1]), []
    for i in range(len(value.attention)):
        kernels.refresh_attention(value._replace(attention=value.attention[i : i + 1]), batch, one)
        sums.append(summed_over_queries(one.attention_probs, count_tokens(batch)))
    if single:
        kept = aligned_singles((len(sums), *sums[0].shape[1:]))
        np.concatenate(sums, out=kept, casting="same_kind")
        return kept
    return aligned(np.concatenate(sums))
