"""A stretch of batches as one compiled loop: steps of training, or outputs only."""

from motsim.minibatch.batches import batch_gradients, batch_outputs, route_batch
from motsim.minibatch.passes import forward
from motsim.minibatch.updates import move
from motsim.vectors.compiling import kernel

__all__ = ["descend"]


@kernel
def descend(data, weights, rule, batches, noise, work, training, outputs, routed):
    """Go through batches (S, b) of samples, with noise (S, b, M), or (0, b, M) for none.

    With `training.on`, each is a step, and its loss is noted. Else the parameters stay, and
    outputs (S, b, C) and routed (S, b) are filled.
    """
    gradient = training.gradient
    for k in range(batches.shape[0]):
        members = batches[k]
        drawn = noise[k] if noise.shape[0] > 0 else work.logits[:0]
        route_batch(data, weights, rule, members, drawn, work)
        if not (training.on and rule.gated):
            forward(data, weights, rule, members, work)
        if training.on:
            training.losses[k] = batch_gradients(data, weights, rule, members, work, training)
            step = training.taken + k + 1
            first, second = training.first, training.second
            move(
                weights.ffn, gradient.ffn, first.ffn, second.ffn,
                training.codes[0], training.rates[0], step,
            )  # fmt: skip
            move(
                weights.attention, gradient.attention, first.attention, second.attention,
                training.codes[1], training.rates[1], step,
            )  # fmt: skip
            move(
                weights.gate, gradient.gate, first.gate, second.gate,
                training.codes[2], training.rates[2], step,
            )  # fmt: skip
        else:
            batch_outputs(rule, members.size, work, outputs[k], routed[k])
