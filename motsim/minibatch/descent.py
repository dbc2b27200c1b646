"""A stretch of steps as one compiled loop."""

from motsim.kernel_cache import kernel
from motsim.minibatch.batches import batch_gradients
from motsim.minibatch.updates import move

__all__ = ["descend"]


@kernel
def descend(
    data, weights, gradient, moments, rule, codes, rates, wanted, batches, noise, taken, work,
    losses,
):  # fmt: skip
    """Steps on batches (S, b), with noise (S, b, M), or (0, b, M) for none; losses (S,) are filled.

    codes, rates: rule of FFN, attention and gate (see `updates.move`), after `taken` steps.
    moments: Adam's two. wanted: whether the gradients by FFN and attention are taken.
    """
    for k in range(batches.shape[0]):
        drawn = noise[k] if noise.shape[0] > 0 else work.logits[:0]
        losses[k] = batch_gradients(
            data, weights, rule, batches[k], drawn, wanted[0], wanted[1], work, gradient
        )
        first, second = moments
        step = taken + k + 1
        move(
            weights.ffn.reshape(-1), gradient.ffn.reshape(-1), first.ffn.reshape(-1),
            second.ffn.reshape(-1), weights.ffn.shape[0], codes[0], rates[0], step,
        )  # fmt: skip
        move(
            weights.attention.reshape(-1), gradient.attention.reshape(-1),
            first.attention.reshape(-1), second.attention.reshape(-1),
            weights.attention.shape[0], codes[1], rates[1], step,
        )  # fmt: skip
        move(
            weights.gate.reshape(-1), gradient.gate.reshape(-1), first.gate.reshape(-1),
            second.gate.reshape(-1), weights.gate.shape[0], codes[2], rates[2], step,
        )  # fmt: skip
