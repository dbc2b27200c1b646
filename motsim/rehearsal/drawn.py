"""Randomized problems for checks: tasks, counts, noise, memory and schedules from one generator."""

from __future__ import annotations

from typing import Any

import numpy as np

from motsim.rehearsal import arguments
from motsim.rehearsal.geometry import TaskGeometry, geometry_from_gram
from motsim.rehearsal.problem import Rehearsal
from motsim.rehearsal.schedules import STRATEGIES, Schedule

MARGIN = 8  # p − K − 1 is at least this: fourth moments exist, means over 1,000 runs are normal


def draw_setting(rng: np.random.Generator, num_tasks: int, strategy: str) -> Rehearsal:
    """Draw everything but the number of tasks and the strategy.

    p from 24 to 44; noise-free with probability 1/3; equicorrelated (negative to positive) or
    Gaussian tasks; unequal samples; memory as one number or unequal. Strategy 'random' draws the
    schedule too: some fits of some seen tasks, repeated visits included.
    """
    num_tasks = arguments.integer("num_tasks", num_tasks, 1)
    arguments.choice("strategy", strategy, (*STRATEGIES, "random"))
    dim = int(rng.integers(24, 45))
    noise = 0.0 if rng.random() < 1 / 3 else float(rng.uniform(0.1, 1.5))
    tasks = _tasks(rng, num_tasks, dim)
    most = dim - 1 - MARGIN
    if strategy == "random":
        return Rehearsal(tasks, None, None, noise, _schedule(rng, num_tasks, most))
    samples = tuple(int(n) for n in rng.integers(1, most - 7, size=num_tasks))
    spare = most - max(samples)  # for the memories of one concurrent fit, at least 7
    memory: Any = int(rng.integers(num_tasks - 1, spare + 1))
    if rng.random() < 0.5:
        memory = tuple(int(m) for m in rng.multinomial(spare, np.full(num_tasks, 1 / num_tasks)))
    options: dict[str, Any] = {}
    if strategy == "hybrid":
        distances = np.sqrt(tasks.squared_distances)
        options = {"measure": "distance", "threshold": float(np.quantile(distances, 0.6))}
    return Rehearsal(tasks, samples, memory, noise, strategy, **options)


def draw_clusters(
    rng: np.random.Generator, num_tasks: int, dim: int, norm: float = 1.0
) -> tuple[TaskGeometry, float]:
    """Draw tasks of two or three kinds, and the threshold that tells the kinds apart.

    Each task's kind is uniform, at least two kinds occur; cosines within a kind are one number in
    [0.6, 1], between kinds one in [-0.3, 0.5]; the threshold is half way.
    """
    kinds = int(rng.integers(2, 4))
    labels = np.zeros(num_tasks, dtype=int)
    while num_tasks > 1 and np.ptp(labels) == 0:
        labels = rng.integers(0, kinds, size=num_tasks)
    within, between = float(rng.uniform(0.6, 1.0)), float(rng.uniform(-0.3, 0.5))
    gram = np.where(labels[:, None] == labels, within, between)
    np.fill_diagonal(gram, 1.0)
    return geometry_from_gram(norm**2 * gram, dim), (within + between) / 2


def _tasks(rng: np.random.Generator, num_tasks: int, dim: int) -> TaskGeometry:
    if rng.random() < 0.5:
        cosine = float(rng.uniform(-1 / max(num_tasks - 1, 1), 1))
        gram = rng.uniform(0.5, 2) ** 2 * ((1 - cosine) * np.eye(num_tasks) + cosine)
    else:
        vectors = rng.normal(size=(num_tasks, dim)) * rng.uniform(0.1, 0.5)
        vectors += rng.uniform(-0.3, 0.3) * rng.normal(size=dim)
        gram = vectors @ vectors.T
    return geometry_from_gram((gram + gram.T) / 2, dim)


def _schedule(rng: np.random.Generator, num_tasks: int, most: int) -> Schedule:
    steps = []
    for t in range(num_tasks):
        fits = []
        for _ in range(int(rng.integers(1, 4))):
            chosen = rng.permutation(t + 1)[: int(rng.integers(1, t + 2))]
            counts = rng.integers(1, most // len(chosen) + 1, size=len(chosen))
            fits.append(tuple((int(i), int(n)) for i, n in zip(chosen, counts, strict=True)))
        if not any(task == t for fit in fits for task, _ in fit):
            fits.insert(int(rng.integers(0, len(fits) + 1)), ((t, int(rng.integers(1, most + 1))),))
        steps.append(tuple(fits))
    return tuple(steps)
