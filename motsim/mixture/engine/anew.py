"""Points that are drawn anew in each step: those of many steps laid out at once, a part each."""

import math
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from motsim.mixture import kernels
from motsim.mixture.data import Signals
from motsim.mixture.draws import Draws
from motsim.mixture.engine.layout import aligned, aligned_zeros, kernel_buffers
from motsim.mixture.engine.parts import in_parts
from motsim.mixture.engine.problem import Problem
from motsim.mixture.engine.reduction import Reduction
from motsim.mixture.engine.stage import in_memory, keep_attention, stage_rule
from motsim.mixture.model import Loss, Model, ModelParameters
from motsim.mixture.points import Points
from motsim.mixture.schedule import Stage

__all__ = ["drawn_task", "exact_problem", "exact_task", "steps_at_a_time"]

Floats = NDArray[np.float64]
NO_NOISE = np.zeros((1, 0, 0))
EXACT = 1e-12
#: Samples that are laid out at a time: so many that what is done once for all costs little for
#: each, so few that they and what is kept of their attention stay in the cache.
SAMPLES, NUMBERS = 1 << 13, 1 << 22
SORTED = 1 << 16  # keys that NumPy sorts by counting


def exact_problem(
    model: Model, points: Points, start: ModelParameters, *, loss: Loss = "squared"
) -> Problem:
    """Return the problem that losses are of, standing at the start.

    Its coordinates hold every sample: without noise tokens samples lie in the signals' span.
    """
    problem = Problem.of(model, points, (), start, loss=loss, use_mirror=False)
    _, length, dim = points.tokens.shape
    if length > 3 and problem.reduction.dual.shape[1] < dim:
        problem = Problem.whole(model, points, loss=loss)
        problem.place(start)
    return problem


def exact_task(problem: Problem, stage: Stage) -> kernels.Task:
    """Return how exact losses are computed while a stage trains, which begins here."""
    batch = problem.reduction.batch
    keeps = not _rule(problem, stage).trains_attention
    rule = _rule(problem, Stage("exact", 0))
    prepared = keep_attention(rule, problem.value, batch, problem.buffers) if keeps else None
    buffers = prepared or in_memory(batch, problem.buffers)
    return _task(problem, in_parts(batch, 1), rule, buffers, keeps)


def drawn_task(
    problem: Problem, stage: Stage, drawn: Draws, signals: Signals, steps: int
) -> kernels.Task:
    """Return how the next steps of a stage are taken, each on its share of the samples."""
    parts = _by_step(problem.reduction, drawn, signals, steps)
    rule, whole = _rule(problem, stage), _in_a_row(parts)
    one = parts._replace(**{name: getattr(parts, name)[0] for name in _by_part(parts)})
    buffers = in_memory(one, kernel_buffers(problem.model, one))
    keeps = not rule.trains_attention
    if keeps:
        kept = kernel_buffers(problem.model, whole)
        kept = keep_attention(rule, problem.value, whole, kept)
        buffers = buffers._replace(
            attention_probs=kept.attention_probs, moments=kept.moments, part=kept.part
        )
    return _task(problem, parts, rule, buffers, keeps)


def steps_at_a_time(model: Model, size: int, tokens: int) -> int:
    """Return how many steps of so many samples each are laid out at a time."""
    num_probs = 0 if tokens == 3 else model.num_attentions * tokens * tokens
    samples = min(SAMPLES, NUMBERS // max(1, num_probs))
    return max(1, samples // size)


def _rule(problem: Problem, stage: Stage) -> kernels.Rule:
    return stage_rule(problem.model, problem.reduction, problem.loss, stage)


def _task(
    problem: Problem,
    parts: kernels.Batch,
    rule: kernels.Rule,
    buffers: kernels.Buffers,
    keeps: bool,
) -> kernels.Task:
    rule = rule._replace(route=int(kernels.choose_route(problem.value, parts, rule, buffers)))
    if rule.routing_scale == 1.0 and not rule.sampled:  # q is pi
        buffers = buffers._replace(choice=buffers.gates)
    passes = kernels.passes_of(problem.value, parts, rule, buffers, problem.gradient)
    return kernels.Task(parts, rule, buffers, NO_NOISE, keeps, passes)


def _by_part(parts: kernels.Batch) -> list[str]:
    return [name for name in parts._fields if name != "metric"]


def _in_a_row(parts: kernels.Batch) -> kernels.Batch:
    """The same blocks without an axis of parts; attention does not read sums of tokens."""
    names = [name for name in _by_part(parts) if name != "token_sums"]
    arrays = [getattr(parts, name) for name in names]
    rows = {
        name: array.reshape(array.shape[0] * array.shape[1], *array.shape[2:])
        for name, array in zip(names, arrays, strict=True)
    }
    return parts._replace(**rows, token_sums=np.zeros((parts.token_sums.shape[1], 0)))


def _by_step(reduction: Reduction, drawn: Draws, signals: Signals, steps: int) -> kernels.Batch:
    """Lay samples out in the coordinates of a problem, with an axis of steps in front."""
    both = np.concatenate([signals.class_signals, signals.classification_signals])
    axes = np.eye(len(both), reduction.dual.shape[1])
    if np.abs(both @ reduction.dual - axes).max() > EXACT:
        return _of_tokens(drawn.tokens(signals) @ reduction.dual, drawn.labels, steps, reduction)
    if drawn.noise is not None:
        drawn = replace(drawn, noise=drawn.noise @ reduction.dual)
    classes, (count, width) = len(signals.class_signals), (len(drawn.labels), kernels.WIDTH)
    pairs, size = classes * classes, count // steps
    if pairs <= 2 * size:  # else blocks would be too empty, as in `layout.kernel_batch`
        key = np.repeat(np.arange(steps) * pairs, size)
        key += drawn.classes * classes + drawn.distractors
        counts = np.bincount(key, minlength=steps * pairs).reshape(steps, pairs)
        if (-(-counts // width)).sum(axis=1).max() <= 2 * -(-size // width):
            return _of_signals(drawn, key, counts, reduction)
    tokens = drawn.tokens(Signals(axes[:classes], axes[classes:]))
    return _of_tokens(tokens, drawn.labels, steps, reduction)


def _of_signals(
    drawn: Draws, key: NDArray[np.int64], counts: NDArray[np.int64], reduction: Reduction
) -> kernels.Batch:
    """Points whose signal tokens lie on axes: those of equal axes share blocks, in each step.

    Noise tokens are in the coordinates of the problem. `key` (P,) is 0, 1, ... by step, class and
    distractor's class; `counts` (S, N^2) are theirs.
    """
    count, width, (steps, pairs) = len(key), kernels.WIDTH, counts.shape
    classes = math.isqrt(pairs)
    small = key.astype(np.uint16) if steps * pairs <= SORTED else key
    order = np.argsort(small, kind="stable")
    blocks = -(-counts // width)
    most = int(blocks.sum(axis=1).max())
    most += most % 16 == 0  # see `layout._in_blocks`
    first = np.cumsum(blocks, axis=1) - blocks + np.arange(steps)[:, np.newaxis] * most
    before = np.cumsum(counts) - counts.ravel()
    slot = (width * first.ravel() - before)[key[order]] + np.arange(count)  # of sorted samples
    axes = np.zeros((steps * most, 3), dtype=np.int64)
    pair = np.repeat(np.tile(np.arange(pairs), steps), blocks.ravel())
    inside = np.arange(len(pair)) - np.repeat(np.cumsum(blocks) - blocks.ravel(), blocks.ravel())
    at = np.repeat(first.ravel(), blocks.ravel()) + inside
    n, other = np.divmod(pair, classes)
    axes[at] = np.column_stack([n, classes + n, classes + other])
    filled = np.zeros(steps * most * width, dtype=np.int64)
    filled[slot] = order
    point_weights, labels = aligned_zeros(len(filled)), aligned_zeros(len(filled))
    point_weights[slot], labels[slot] = steps / count, drawn.labels[order]
    amplitudes = aligned_zeros((steps * most, 3, width))
    block, lane = np.divmod(slot, width)
    for i in range(3):
        amplitudes[block, i, lane] = drawn.amplitudes[i][order]
    r, others = reduction.dual.shape[1], np.zeros((count, 0, 0))
    if drawn.noise is not None:
        others = drawn.noise
    tokens = np.zeros((steps * most, width, others.shape[1], r))
    tokens[block, lane] = others[order].reshape(count, -1, r)
    sums = tokens.sum(axis=2).reshape(steps, most * width, r)
    return kernels.Batch(
        axes=axes.reshape(steps, most, 3),
        amplitudes=amplitudes.reshape(steps, most, 3, width),
        tokens=aligned(tokens.transpose(0, 3, 2, 1)).reshape(steps, most, r, -1, width),
        token_sums=np.ascontiguousarray(sums.transpose(0, 2, 1)),
        labels=labels.reshape(steps, -1),
        point_weights=point_weights.reshape(steps, -1),
        order=filled.reshape(steps, -1),
        metric=reduction.batch.metric,
    )


def _of_tokens(tokens: Floats, labels: Floats, steps: int, reduction: Reduction) -> kernels.Batch:
    """Points of any tokens (P, L, r), in the order of the samples."""
    width, (count, length, r) = kernels.WIDTH, tokens.shape
    size = count // steps
    blocks = -(-size // width)
    blocks += blocks % 16 == 0
    num_slots = blocks * width

    def by_step(array: Floats) -> Floats:
        wide = np.zeros((steps, num_slots, *array.shape[1:]))
        wide[:, :size] = array.reshape(steps, size, *array.shape[1:])
        return wide

    wide = by_step(tokens)
    by_block = wide.reshape(steps, blocks, width, length, r).transpose(0, 1, 4, 3, 2)
    return kernels.Batch(
        axes=np.zeros((steps, blocks, 0), dtype=np.int64),
        amplitudes=np.zeros((steps, blocks, 0, width)),
        tokens=aligned(by_block),
        token_sums=np.ascontiguousarray(wide.sum(axis=2).transpose(0, 2, 1)),
        labels=aligned(by_step(labels)),
        point_weights=aligned(by_step(np.full(count, steps / count))),
        order=np.zeros((steps, num_slots), dtype=np.int64),
        metric=reduction.batch.metric,
    )
