"""How models and points are laid out for the kernels: blocks of eight, in r coordinates."""

import math

import numpy as np
from numpy.typing import NDArray

from motsim.checks import check_choice
from motsim.mixture import kernels
from motsim.mixture.kernels import gathered, mirrors
from motsim.mixture.model import Loss, Model, ModelParameters, Routing

__all__ = [
    "count_tokens",
    "kernel_batch",
    "kernel_buffers",
    "kernel_parameters",
    "kernel_rule",
    "positions",
    "summed_over_queries",
    "without_images",
]

Floats = NDArray[np.float64]
Singles = NDArray[np.float32]
LINE = 64  # bytes
#: One product of matrices for all experts is as fast as serving a quarter of them one by one.
DENSE_ABOVE = 0.25


def kernel_rule(model: Model, loss: Loss, routing: Routing) -> kernels.Rule:
    """Return the kernel's settings with every part trained at rate 1, by the general route."""
    check_choice("loss", loss, ("squared", "logistic"))
    return kernels.Rule(
        neurons=model.num_neurons,
        cubic=model.activation == "cubic",
        logistic=loss == "logistic",
        gated=model.gated,
        mixed=model.num_attentions > 0,
        sampled=routing.mode == "sampled",
        top_k=model.top_k,
        routing_scale=float(routing.scale),
        load_balance=float(routing.load_balance),
        trains_ffn=True,
        ffn_rate=1.0,
        ffn_normalized=False,
        trains_attention=model.num_attentions > 0,
        attention_rate=1.0,
        attention_normalized=False,
        trains_gate=model.gated,
        gate_rate=1.0,
        gate_normalized=False,
        class_axes=0,
        negligible=0.0,
        dense_above=DENSE_ABOVE,
        route=int(kernels.Route.GENERAL),
    )


def kernel_batch(
    tokens: Floats,
    labels: Floats,
    point_weights: Floats,
    metric: Floats | None = None,
    mirrored: bool = False,
) -> kernels.Batch:
    """Lay points out for the kernels: tokens (P, L, r) in blocks of eight points.

    `metric` is the Gram matrix of the coordinates' directions, unless they are orthonormal. Leading
    tokens that lie on one coordinate axis in every point are signal tokens; points of equal axes
    share blocks, unless that would more than double the number of points.

    If `mirrored`, the second half of the points has the tokens of the first half, negated but for
    the class token, their first: the mirror of a block is the next one, and the other tokens are
    kept once for both. Nothing would be gained where there are signal tokens alone.
    """
    length, r = tokens.shape[1:]
    on_axis = ((tokens != 0.0).sum(axis=2) <= 1).all(axis=0)
    signals = 3 if length >= 3 and on_axis[:3].all() else 0
    axes = (tokens[:, :signals] != 0.0).argmax(axis=2)
    images = 2 if mirrored and length > signals else 1
    axes = axes[: len(axes) // images]
    plain = _in_blocks(np.zeros((len(axes), 0), dtype=np.int64), images)
    order, filled = _in_blocks(axes, images)
    if len(order) > 2 * len(plain[0]):
        signals, (order, filled) = 0, plain
    by_block_axes = axes[order[:: kernels.WIDTH], :signals].repeat(images, axis=0)
    if images == 2:
        eights = order.reshape(-1, kernels.WIDTH)
        order = np.stack([eights, eights + len(axes)], axis=1).ravel()
        filled = filled.reshape(-1, kernels.WIDTH).repeat(2, axis=0).ravel()
    blocks = len(order) // kernels.WIDTH
    by_block = tokens[order].reshape(blocks, kernels.WIDTH, length, r)
    others = by_block[::images, :, signals:]
    amplitudes = tokens[order, :signals].sum(axis=2).reshape(blocks, kernels.WIDTH, signals)
    return kernels.Batch(
        axes=np.ascontiguousarray(by_block_axes, dtype=np.int64),
        amplitudes=aligned(amplitudes.transpose(0, 2, 1)),
        tokens=aligned(others.transpose(0, 3, 2, 1)),
        token_sums=np.ascontiguousarray(by_block[:, :, signals:].sum(axis=2).reshape(-1, r).T),
        labels=aligned(labels[order]),
        point_weights=aligned(np.where(filled, 0.0, point_weights[order])),
        order=order,
        metric=np.zeros((0, 0)) if metric is None else np.ascontiguousarray(metric),
    )


def without_images(batch: kernels.Batch) -> kernels.Batch:
    """Return the same points, every one with its own tokens."""
    images = len(batch.axes) // len(batch.tokens)
    if images == 1:
        return batch
    tokens = batch.tokens.repeat(images, axis=0)
    first = 1 if batch.axes.shape[1] == 0 else 0  # the class token is the same
    tokens[1::2, :, first:] *= -1.0
    return batch._replace(tokens=aligned(tokens))


def aligned_zeros(shape: int | tuple[int, ...]) -> Floats:
    """Zeros that start at a line of the cache, as vectors of eight should; untouched, no memory."""
    size = shape if isinstance(shape, int) else math.prod(shape)
    raw = np.zeros(size + LINE // 8)
    first = (-raw.ctypes.data % LINE) // 8
    return raw[first : first + size].reshape(shape)


def aligned_singles(shape: tuple[int, ...]) -> Singles:
    """Zeros of single precision, rows of eight, that start at a line of the cache."""
    return aligned_zeros(math.prod(shape) // 2).view(np.float32).reshape(shape)


def aligned(array: Floats) -> Floats:
    """Copy of an array that starts at a line of the cache."""
    copy = aligned_zeros(array.shape)
    copy[...] = array
    return copy


def count_tokens(batch: kernels.Batch) -> int:
    """L."""
    return int(batch.axes.shape[1] + batch.tokens.shape[2])


def positions(batch: kernels.Batch) -> NDArray[np.int64]:
    """Where each point is in the blocks of a batch, (P,)."""
    return np.unique(batch.order, return_index=True)[1]


def _in_blocks(axes: NDArray[np.int64], images: int) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Order of points in which those of equal axes (P, S) fill whole blocks, and what is filled.

    A block that is not full repeats its last point. The number of blocks, times `images`, is no
    multiple of 16: rows of arrays would fall on the same lines of the cache.
    """
    width = kernels.WIDTH
    base = int(axes.max(initial=0)) + 1
    group = axes @ base ** np.arange(axes.shape[1])[::-1]  # one number a row, in their order
    order = np.argsort(group, kind="stable")
    counts = np.unique(group, return_counts=True)[1]
    slots = -(-counts // width) * width
    if (images * slots.sum() // width) % 16 == 0:
        slots[-1] += width
    inside = np.arange(slots.sum()) - np.repeat(np.cumsum(slots) - slots, slots)
    filled = inside >= np.repeat(counts, slots)
    of_slots = np.repeat(np.cumsum(counts) - counts, slots) + np.minimum(
        inside, np.repeat(counts, slots) - 1
    )
    return order[of_slots], filled


def summed_over_queries(attention_probs: Floats, length: int) -> Floats:
    """Return kept attention weights (M, T, Q, keys, 8) summed over the queries."""
    if attention_probs.shape[3] == length:
        return aligned(attention_probs.sum(axis=2, keepdims=True))
    sums = aligned_zeros(
        (*attention_probs.shape[:2], 2, *attention_probs.shape[3:])
    )  # see `kernels.mirrors`
    rows = attention_probs[:, :, 1:-1]
    for image, first in enumerate((0, length)):
        own = sums[:, :, image]
        own[:, :, 0] = rows[:, :, :, first].sum(axis=2)
        own[:, :, 1:length] = np.einsum(
            "mtqkp,mtqp->mtkp", rows[:, :, :, 1:length], rows[:, :, :, length + 1 + image]
        )
        own[:, :, :length] += attention_probs[:, :, -image, :length]
    return sums


def kernel_buffers(model: Model, batch: kernels.Batch) -> kernels.Buffers:
    """Allocate the scratch of a step, once."""
    width = kernels.WIDTH
    tokens, r, others, _ = batch.tokens.shape
    blocks = len(batch.axes)
    images = blocks // tokens  # 1, or 2
    length = count_tokens(batch)
    weights_shape = (tokens, length, length, width)
    if images == 2:
        weights_shape = (tokens, length + 1, length + mirrors.EXTRA, width)
    rows = model.num_neurons * (model.num_experts if model.kind == "shared" else 1)
    by_point = (model.num_experts, len(batch.labels))
    neurons = model.num_experts * model.num_neurons
    at_a_time = max(1, min(tokens, 4096 // max(1, r * others)))  # 256 KiB
    moved_shape = (at_a_time, r, others, width)
    if not model.num_attentions:
        moved_shape = (gathered.TILES * model.num_experts, r + batch.axes.shape[1], others, width)
    some = max(1, min(tokens, 2048 // max(1, neurons * others)))  # 128 KiB
    part = aligned_zeros(3).view(np.int64)
    part[1] = blocks
    return kernels.Buffers(
        attention_probs=aligned_zeros((model.num_attentions, *weights_shape)),
        moments=aligned_zeros((1, 1, 10 if model.activation == "cubic" else 3, width)),
        products=aligned_zeros((rows, length, width)),
        mixed=aligned_zeros((rows, images, length, width)),
        other_products=aligned_zeros((some, neurons, others, width)),
        by_product=aligned_zeros((length, width)),
        by_score=aligned_zeros((images, length, length, width)),
        moved=aligned_zeros(moved_shape),
        ffn_sums=aligned_zeros((neurons, r, width)),
        attention_sums=aligned_zeros((r, r, width)),
        gate_sums=aligned_zeros((model.num_experts, r, width)),
        gate_part=aligned_zeros((model.num_experts, r)),
        ffn_across=aligned_zeros((-(-model.num_experts // width), r + 9, width)),
        listed=aligned_zeros(gathered.LISTED * model.num_experts).view(np.int64),
        direction=aligned_zeros(max(neurons, (model.num_attentions + 1) * r) * r),
        outputs=aligned_zeros(by_point),
        logits=aligned_zeros(by_point),
        gates=aligned_zeros(by_point),
        choice=aligned_zeros(by_point),
        by_output=aligned_zeros(by_point),
        by_gate=aligned_zeros(by_point),
        final=aligned_zeros(len(batch.labels)),
        part=part,
    )


def kernel_parameters(parameters: ModelParameters) -> kernels.Parameters:
    """Copy parameters into the kernels' layout."""
    ffn = parameters.ffn.reshape(-1, parameters.ffn.shape[-1]).copy()
    return kernels.Parameters(ffn, parameters.attention.copy(), parameters.gate.copy())
