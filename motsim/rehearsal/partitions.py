"""Best grouping and order of the fits of one step, for a linear functional of the errors.

For weights ω a fit maps the scalar g = Σ_j ω_j e_j to a g + β, β = Σ_j ω_j b_j, with a >= 0. So a
smaller g stays smaller, and the best ordered partition of a set of blocks ends in some fit after
the best ordered partition of the rest: dynamic programming over subsets is exact, O(3^blocks).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from motsim.rehearsal.arguments import FloatArray
from motsim.rehearsal.geometry import TaskGeometry
from motsim.rehearsal.schedules import Block, Fit, Step
from motsim.rehearsal.theory import fit_maps

EXACT_BLOCKS = 15  # blocks of one step up to which the subset search is used


def linear_maps(
    counts: FloatArray, tasks: TaskGeometry, noise: float, weights: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Return a and β of fits (rows of `counts`); β = inf where columns exceed p − 2."""
    keep = np.zeros(len(counts))
    shift = np.full(len(counts), np.inf)
    valid = counts.sum(axis=1) <= tasks.dimension - 2
    keep[valid], moved = fit_maps(counts[valid], tasks, noise)
    shift[valid] = moved @ weights
    return keep, shift


def best_step(
    blocks: tuple[Block, ...],
    tasks: TaskGeometry,
    noise: float,
    weights: FloatArray,
    start: float,
    new_task: int | None,
) -> tuple[float, Step]:
    """Return the least Σ ω_j e_j after a step on `blocks`, and the step.

    `start` is Σ ω_j e_j before the step. With `new_task` its block must be in the first fit. Exact
    up to `EXACT_BLOCKS` blocks, beyond that a local search.
    """
    return step_search(blocks, tasks, noise, weights, new_task)(start)


def step_search(
    blocks: tuple[Block, ...],
    tasks: TaskGeometry,
    noise: float,
    weights: FloatArray,
    new_task: int | None,
) -> Callable[[float], tuple[float, Step]]:
    """Return `best_step` as a function of the start, with all that does not depend on it ready."""
    if len(blocks) > EXACT_BLOCKS:
        return lambda start: _local_step(blocks, tasks, noise, weights, start, new_task)
    from motsim.rehearsal import kernels

    size = 1 << len(blocks)
    members = (np.arange(size)[:, None] >> np.arange(len(blocks))) & 1
    keep, shift = linear_maps(members @ _block_counts(blocks, tasks), tasks, noise, weights)
    required = 0
    if new_task is not None:
        required = 1 << [task for task, _ in blocks].index(new_task)
    best, last = np.empty(size), np.empty(size, dtype=np.int64)

    def search(start: float) -> tuple[float, Step]:
        kernels.subset_chain(keep, shift, start, required, best, last)
        whole = size - 1
        fits: list[Fit] = []
        while whole:
            chosen = int(last[whole])
            fits.append(tuple(b for i, b in enumerate(blocks) if chosen >> i & 1))
            whole ^= chosen
        return float(best[-1]), tuple(reversed(fits))

    return search


def _block_counts(blocks: tuple[Block, ...], tasks: TaskGeometry) -> FloatArray:
    counts = np.zeros((len(blocks), tasks.num_tasks))
    for row, (task, samples) in zip(counts, blocks, strict=True):
        row[task] = samples
    return counts


def ordered_partitions(blocks: tuple[Block, ...], new_task: int | None) -> Iterator[Step]:
    """Yield every ordered partition of `blocks` into fits (the new task in the first, if given)."""
    for mask in range(1, 1 << len(blocks)):
        first = tuple(b for i, b in enumerate(blocks) if mask >> i & 1)
        if new_task is not None and all(task != new_task for task, _ in first):
            continue
        rest = tuple(b for i, b in enumerate(blocks) if not mask >> i & 1)
        if not rest:
            yield (first,)
            continue
        for later in ordered_partitions(rest, None):
            yield (first, *later)


def _local_step(
    blocks: tuple[Block, ...],
    tasks: TaskGeometry,
    noise: float,
    weights: FloatArray,
    start: float,
    new_task: int | None,
) -> tuple[float, Step]:
    """Search over orders of the blocks, each cut optimally into consecutive fits."""
    keep, shift = linear_maps(_block_counts(blocks, tasks), tasks, noise, weights)
    # Single fits in their best order: decreasing fixed point β / (1 − a) (docs/rehearsal.md §8)
    order = sorted(range(len(blocks)), key=lambda i: -shift[i] / (1 - keep[i]))
    pinned = 0
    if new_task is not None:
        first = [task for task, _ in blocks].index(new_task)
        order.remove(first)
        order.insert(0, first)
        pinned = 1
    best = _cut([blocks[i] for i in order], tasks, noise, weights, start)
    for _ in range(3):
        improved = False
        for source in range(pinned, len(order)):
            for target in range(pinned, len(order)):
                trial = order.copy()
                trial.insert(target, trial.pop(source))
                found = _cut([blocks[i] for i in trial], tasks, noise, weights, start)
                if found[0] < best[0]:
                    best, order, improved = found, trial, True
        if not improved:
            break
    return best


def _cut(
    blocks: list[Block], tasks: TaskGeometry, noise: float, weights: FloatArray, start: float
) -> tuple[float, Step]:
    """Cut a sequence of blocks into consecutive fits, optimally for this sequence."""
    size = len(blocks)
    sums = np.vstack([np.zeros(tasks.num_tasks), _block_counts(tuple(blocks), tasks)]).cumsum(
        axis=0
    )
    ends, begins = np.tril_indices(size + 1, -1)
    keep = np.zeros((size + 1, size + 1))
    shift = np.full((size + 1, size + 1), np.inf)
    keep[ends, begins], shift[ends, begins] = linear_maps(
        sums[ends] - sums[begins], tasks, noise, weights
    )
    best, cut = np.full(size + 1, start), np.zeros(size + 1, dtype=np.int64)
    for end in range(1, size + 1):
        values = keep[end, :end] * best[:end] + shift[end, :end]
        cut[end] = int(np.argmin(values))
        best[end] = values[cut[end]]
    fits: list[Fit] = []
    end = size
    while end:
        fits.append(tuple(sorted(blocks[cut[end] : end])))
        end = int(cut[end])
    return float(best[-1]), tuple(reversed(fits))
