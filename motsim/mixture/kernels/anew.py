"""The loop of steps on points of their own each; losses are those of other, exact points."""

import numpy as np

from motsim.mixture.kernels.arguments import FIRST_BLOCK, PARTS_LEFT, only_signals, part_of
from motsim.mixture.kernels.descent import differentiate, differentiate_part, number_from
from motsim.mixture.kernels.passes import refresh_attention
from motsim.mixture.kernels.updates import update
from motsim.vectors.lanes import cached


@cached
def take_steps_anew(parameters, drawn, exact, gradient, stop_loss, losses):
    """Take a step on each part of `drawn`, in turn.

    Where losses[t] is 0 it becomes the loss of `exact` before step t, else it stays. Stops before
    the step at which that is at most `stop_loss` or not finite. Returns the number of steps taken.
    """
    count, blocks = drawn.parts.axes.shape[:2]
    looks_back = exact.rule.mixed and not exact.keeps and not only_signals(exact.parts)
    for t in range(count):
        if losses[t] == 0.0:
            if looks_back:
                refresh_attention(parameters, part_of(exact.parts, 0), exact.buffers)
            losses[t] = differentiate(parameters, exact, exact.noise[0], gradient)
            if not (losses[t] > stop_loss and losses[t] < np.inf):
                return t
        drawn.buffers.part[FIRST_BLOCK] = t * blocks if drawn.keeps else 0
        drawn.buffers.part[PARTS_LEFT] = 0
        if drawn.passes.fused != 0:
            number_from(
                drawn.passes.fused,
                (parameters, drawn.parts, t, drawn.rule, drawn.buffers, gradient),
            )
        else:
            gradient.gate[:] = 0.0  # which parts after the first are added to
            part = part_of(drawn.parts, t)
            differentiate_part(parameters, part, drawn, drawn.noise[0], gradient)
        update(parameters, gradient, drawn.parts.metric, drawn.rule, drawn.buffers)
    return count
