"""A stretch of batches as one compiled loop: steps of training, or outputs only."""

from motsim.minibatch.arguments import Batch
from motsim.minibatch.batches import batch_gradients, batch_outputs, route_batch
from motsim.minibatch.passes import forward
from motsim.minibatch.tiles import inlined_whole
from motsim.minibatch.updates import move
from motsim.vectors.compiling import kernel

__all__ = ["descend"]


@kernel
def descend(parameters, batches, rule, buffers, training, results):
    """Go through batches of samples.

    With `training.on`, each is a step, and its loss is noted. Else the parameters stay, and the
    results are filled.
    """
    for k in range(batches.i_samples.shape[0]):
        batch = Batch(batches.data, batches.i_samples[k])
        noise = batches.noise[k] if batches.noise.shape[0] > 0 else buffers.logits[:0]
        route_batch(parameters, batch, rule, noise, buffers)
        if not (training.on and rule.gated):
            forward(parameters, batch, rule, buffers)
        if training.on:
            training.losses[k] = batch_gradients(
                parameters, batch, rule, buffers, training.gradient
            )
            update(parameters, training, training.taken + k + 1)
        else:
            num_samples = batch.i_samples.size
            batch_outputs(rule, num_samples, buffers, results.outputs[k], results.routed[k])


@inlined_whole
def update(parameters, training, step):
    """Step number `step` of each group of parameters by its rule."""
    codes, rates, gradient = training.codes, training.rates, training.gradient
    first, second = training.first, training.second
    moments = first.ffn, second.ffn
    move(parameters.ffn, gradient.ffn, moments, codes[0], rates[0], step)
    moments = first.attention, second.attention
    move(parameters.attention, gradient.attention, moments, codes[1], rates[1], step)
    moments = first.gate, second.gate
    move(parameters.gate, gradient.gate, moments, codes[2], rates[2], step)
