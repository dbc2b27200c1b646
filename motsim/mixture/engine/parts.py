"""The points of a stage in parts, so that all a step does for one part stays in the cache."""

import numpy as np
from numpy.typing import NDArray

from motsim.mixture import kernels
from motsim.mixture.engine.layout import aligned, kernel_buffers, without_images
from motsim.mixture.model import Model

__all__ = ["count_parts", "in_parts", "padded", "stage_parts"]

Floats = NDArray[np.float64]
POINTS = [name for name in kernels.Batch._fields if name != "metric"]
#: Bytes of one part of the points: arrays of a number for each expert, and the tokens.
BY_EXPERT, TOKENS = 1 << 22, 1 << 18


def count_parts(model: Model, batch: kernels.Batch) -> int:
    """Return into how many parts to divide the points: what a step does for one fits the cache."""
    tokens, r, others, width = batch.tokens.shape
    blocks = len(batch.axes)
    by_expert = 5 * 8 * width * model.num_experts * blocks  # gate, routing, outputs, two gradients
    by_token = 8 * width * r * others * tokens
    return min(tokens, max(1, -(-by_expert // BY_EXPERT), -(-by_token // TOKENS)))


def padded(batch: kernels.Batch, count: int) -> kernels.Batch:
    """Return the points with the last block repeated, at weight 0, for `count` equal parts.

    A block and its mirror stay together.
    """
    width, tokens = kernels.WIDTH, len(batch.tokens)
    images, missing = len(batch.axes) // tokens, -tokens % count
    if images * (tokens + missing) // count % 16 == 0 and count > 1:
        missing += count  # see `_in_blocks`
    if not missing:
        return batch
    kept = np.append(np.arange(tokens), np.full(missing, tokens - 1))
    block = (kept[:, np.newaxis] * images + np.arange(images)).ravel()
    point = (block[:, np.newaxis] * width + np.arange(width)).ravel()
    point_weights = batch.point_weights[point]
    point_weights[len(batch.point_weights) :] = 0.0
    return batch._replace(
        axes=batch.axes[block],
        amplitudes=aligned(batch.amplitudes[block]),
        tokens=aligned(batch.tokens[kept]),
        token_sums=np.ascontiguousarray(batch.token_sums[:, point]),
        labels=aligned(batch.labels[point]),
        point_weights=aligned(point_weights),
        order=batch.order[point],
    )


def in_parts(batch: kernels.Batch, count: int) -> kernels.Batch:
    """Return arrays with an axis of `count` equal parts in front; only the metric has none."""

    def divided(name: str, axis: int = 0) -> Floats:
        array = getattr(batch, name)
        if count == 1:
            return array[np.newaxis]
        before, size, after = array.shape[:axis], array.shape[axis], array.shape[axis + 1 :]
        parts = array.reshape(*before, count, size // count, *after)
        return np.ascontiguousarray(np.moveaxis(parts, axis, 0))

    return batch._replace(**{name: divided(name, int(name == "token_sums")) for name in POINTS})


def stage_parts(
    model: Model, rule: kernels.Rule, batch: kernels.Batch, buffers: kernels.Buffers, count: int
) -> tuple[kernels.Rule, kernels.Batch, kernels.Buffers]:
    """Return what a stage needs to take the points in parts, of which there may be but one.

    Parts need the loss to be a sum over points and experts (expected routing, without load
    balance), and a frozen attention. Where linear experts share one attention their tokens are
    mixed here, once.
    """
    frozen = not rule.trains_attention
    divides = frozen and rule.gated and not rule.sampled and rule.load_balance == 0.0
    count = count if divides and (rule.trains_ffn or rule.trains_gate) else 1
    linear = rule.mixed and not rule.cubic
    alike = frozen and linear and len(buffers.attention_probs) == 1 and batch.axes.shape[1] == 0
    if alike:
        rule, batch = rule._replace(mixed=False), mixed_batch(batch, buffers.attention_probs[0])
    parts = in_parts(batch, count)
    if alike or count > 1:
        one = parts._replace(**{name: getattr(parts, name)[0] for name in POINTS})
        own = kernel_buffers(model, one)
        buffers = own._replace(
            attention_probs=buffers.attention_probs, moments=buffers.moments, part=buffers.part
        )
    return rule, parts, buffers


def mixed_batch(batch: kernels.Batch, attention_probs: Floats) -> kernels.Batch:
    """Return points of one token each: theirs, mixed by their attention weights.

    These are summed over queries, (T, images, keys, 8), see `layout.summed_over_queries`. For
    experts only: the gate's logits still come from `token_sums`.
    """
    batch = without_images(batch)
    _, _, length, width = batch.tokens.shape
    by_block = attention_probs[:, :, :length].reshape(-1, length, width)
    tokens = np.einsum("bkp,bakp->bap", by_block, batch.tokens)[:, :, np.newaxis]
    return batch._replace(tokens=aligned(tokens))
