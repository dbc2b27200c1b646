"""Rehearsal with a small convolutional network on image tasks (extra ``deep``: JAX and optax).

Task t brings n labeled images; of every earlier task a memory of its first images is kept
(*replayed*: the network has seen them before), m in all, split as evenly as possible. When task t
arrives the network makes S_t gradient steps, the same number whatever the strategy:

* **concurrent**: on the new images and all memories, mixed;
* **sequential**: on the new images, then on each memory in turn, oldest first;
* **hybrid**: memories of tasks *similar* to the new one are mixed with the new images; the others
  are revisited one by one after that, oldest first. Task i is similar when the cosine between the
  gradients of the loss on its memory and on the new images is at least `threshold`. Both gradients
  are taken at the starting weights (`reference` ``start``) or where the network is when the new
  task arrives (``current``).

Steps are shared in proportion to the numbers of images, in passes over shuffled images, so every
strategy shows every image equally often (up to the rounding to whole batches) and only the order
differs. `revisit_share` gives revisits fewer steps (the first phase gets the rest), and
`revisit_pace` multiplies their rate. Momentum is reset when a phase begins. All strategies of one
seed share images, memories, starting weights and the first task. Random numbers come from NumPy.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from motsim.randomness import generator
from motsim.rehearsal.images import TaskImages
from motsim.rehearsal.network import initial_parameters, programs
from motsim.rehearsal.schedules import STRATEGIES, memory_counts

__all__ = ["Rehearsed", "Training", "rehearse"]

Floats = NDArray[np.float64]
#: Heads come in fours (unused ones have no part in anything): one program for most runs.
HEADS = 4


@dataclass(frozen=True)
class Training:
    """How a network is trained: equal for all strategies (module's text)."""

    epochs: float = 20.0
    batch_size: int = 16
    rate: float = 0.05
    momentum: float = 0.9
    width: int = 16
    own_heads: bool = False
    memory_size: int = 100
    threshold: float = 0.35
    reference: Literal["start", "current"] = "start"
    revisit_share: float = 1.0
    revisit_pace: float = 1.0


@dataclass(frozen=True)
class Rehearsed:
    """What `rehearse` measured; axes: strategy s, seed r, step t (after task t), task i.

    Attributes
    ----------
    accuracy : (3, R, T, T)
        Share of right answers on the test images of task i after task t.
    before_revisits : (3, R, T)
        The same on task t itself, after the first phase of step t.
    memory_loss : (3, R, T)
        Mean cross-entropy after the last task on what is remembered of task i (all of the last).
    cosine : (R, T, T)
        Gradient cosine [r, t, i], i < t, of hybrid's network; NaN elsewhere.
    joined : (R, T, T)
        Whether memory i joined the new images at step t under hybrid.
    steps : (T,)
        Gradient steps at each task, the same for every strategy.
    """

    accuracy: Floats
    before_revisits: Floats
    memory_loss: Floats
    cosine: Floats
    joined: NDArray[np.bool_]
    steps: NDArray[np.int64]


def rehearse(tasks: Sequence[TaskImages], training: Training, seeds: Sequence[int]) -> Rehearsed:
    """Train the three strategies on the tasks of every seed.

    Parameters
    ----------
    tasks : sequence of R TaskImages
        One a seed, all of the same shape.
    training : Training
    seeds : sequence of R ints
        For the starting weights and the order of the images.
    """
    run = programs(training.momentum)
    images, labels, tests, answers = (
        np.stack([getattr(task, name) for task in tasks])
        for name in ("images", "labels", "test_images", "test_labels")
    )
    num_seeds, num_tasks, size = labels.shape
    shape = (len(STRATEGIES), num_seeds, num_tasks)
    heads, test_heads = (_heads(array.shape, training.own_heads) for array in (labels, answers))
    pool = tuple(x.reshape(num_seeds, -1, *x.shape[3:]) for x in (images, labels, heads))
    memories = memory_counts(num_tasks, training.memory_size)
    outputs = -(-(int(heads.max()) + 1) // HEADS) * HEADS
    starts = [
        initial_parameters(images.shape[-2:], training.width, outputs, seed) for seed in seeds
    ]
    start = {k: np.stack([s[k] for s in starts]) for k in starts[0]}
    networks: Any = start
    # Equal networks are trained once: where[s, r] is the network of strategy s and seed r,
    # which[n] the seed of network n.
    which = np.arange(num_seeds, dtype=np.int32)
    where = np.tile(which, (len(STRATEGIES), 1))
    hybrid = STRATEGIES.index("hybrid")
    orders = [generator(seed, "noise") for seed in seeds]
    accuracy, before = np.zeros((*shape, num_tasks)), np.zeros(shape)
    cosine = np.full((num_seeds, num_tasks, num_tasks), np.nan)
    steps = []
    for t, memory in enumerate(memories):
        counts = (*memory, size)
        steps.append(max(1, round(training.epochs * sum(counts) / training.batch_size)))
        current = training.reference == "current"
        mine = {k: v[where[hybrid]] for k, v in networks.items()} if current else start
        weights = _weights(counts, (num_seeds, t + 1, size))
        seen = [x[:, : t + 1] for x in (images, labels, heads if current else 0 * heads)]
        found = run["gradients"](mine, np.arange(num_seeds), seen, weights)
        cosine[:, t, :t] = _cosines(np.asarray(found, dtype=np.float64), t)
        shuffles = [int(order.integers(2**62)) for order in orders]
        made: dict[Any, int] = {}
        for s, r in np.ndindex(*where.shape):
            phases = _phases(STRATEGIES[s], t, memory, cosine[r, t] >= training.threshold)
            key = (int(where[s, r]), tuple(map(tuple, phases)))
            where[s, r] = made.setdefault(key, len(made))
        parents = [parent for parent, _ in made]
        which = which[parents]
        plans = [
            _plan(phases, counts, size, steps[-1], training, shuffles[r])
            for r, (_, phases) in zip(which, made, strict=True)
        ]
        own = [np.stack(part) for part in zip(*plans, strict=True)]
        networks = {k: v[parents] for k, v in networks.items()}
        marked, networks = run["train"](networks, which, pool, *own)
        new = slice(t, t + 1)
        scores = run["accuracy"](
            marked, which, (tests[:, new], answers[:, new], test_heads[:, new])
        )
        before[:, :, t] = scores[where, 0]
        accuracy[:, :, t] = run["accuracy"](networks, which, (tests, answers, test_heads))[where]
    kept = _weights(counts, (len(which), num_tasks, size))
    loss = run["losses"](networks, which, (images, labels, heads), kept)[where].astype(np.float64)
    joined = cosine >= training.threshold
    return Rehearsed(accuracy, before, loss, cosine, joined, np.array(steps))


def _heads(shape: tuple[int, ...], own: bool) -> NDArray[np.int32]:
    """Head of each image (R, T, n): its task's, or the one that all share."""
    tasks = np.arange(shape[1], dtype=np.int32)[:, None] if own else np.zeros((), np.int32)
    return np.broadcast_to(tasks, shape)


def _weights(counts: Sequence[int], shape: tuple[int, int, int]) -> NDArray[np.float32]:
    """Weights (N, T, n) of the mean over the first counts[i] images of each task."""
    weights = np.zeros(shape[1:], np.float32)
    for task, count in enumerate(counts):
        weights[task, :count] = 1 / max(count, 1)
    return np.broadcast_to(weights, shape)


def _cosines(gradients: Floats, t: int) -> Floats:
    """Cosines (R, t) between the gradients of memories i < t and of task t; 0 for a zero one."""
    norms = np.linalg.norm(gradients, axis=-1)
    products = np.einsum("rid,rd->ri", gradients[:, :t], gradients[:, t])
    scale = norms[:, :t] * norms[:, t, None]
    return np.divide(products, scale, out=np.zeros_like(products), where=scale > 0)


def _phases(
    strategy: str, t: int, memory: Sequence[int], similar: NDArray[np.bool_]
) -> list[list[int]]:
    """Tasks trained together, in order; a memory without images is left out."""
    earlier = [i for i in range(t) if memory[i]]
    together = {
        "concurrent": earlier,
        "sequential": [],
        "hybrid": [i for i in earlier if similar[i]],
    }[strategy]
    return [[t, *together], *([i] for i in earlier if i not in together)]


def _plan(
    phases: Sequence[Sequence[int]],
    counts: Sequence[int],
    size: int,
    steps: int,
    training: Training,
    shuffle: int,
) -> tuple[NDArray[np.int32], NDArray[np.bool_], NDArray[np.float32], np.int32]:
    """Batches (S, B) of the pool, where phases begin (S,), rates (S,), end of the first phase."""
    draw = np.random.default_rng(shuffle)
    sizes = np.array([sum(counts[i] for i in phase) for phase in phases], dtype=float)
    sizes[1:] *= training.revisit_share
    ends = np.rint(np.cumsum(sizes) / sizes.sum() * steps).astype(int)
    fresh = np.zeros(steps, bool)
    rates = np.full(steps, training.rate * training.revisit_pace, np.float32)
    rates[: ends[0]] = training.rate
    parts: list[NDArray[np.int64]] = []
    for phase, start, end in zip(phases, [0, *ends[:-1]], ends, strict=True):
        members = np.concatenate([i * size + np.arange(counts[i]) for i in phase])
        needed = int(end - start) * training.batch_size
        passes = [draw.permutation(members) for _ in range(-(-needed // len(members)))]
        parts += [np.concatenate(passes)[:needed]] if passes else []
        fresh[start:end][:1] = True
    batches = np.concatenate(parts).reshape(steps, training.batch_size).astype(np.int32)
    return batches, fresh, rates, np.int32(ends[0])
