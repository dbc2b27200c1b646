"""The shipped settings of the closed-form-against-simulation check, made from one fixed seed.

The seed is the paper's arXiv number, chosen before any result was seen; every setting made from it
is used. Fits keep p − K − 1 >= MARGIN, so that the fourth moments of the errors exist and a mean of
some hundred repetitions is close to normal; the edge K = p − 2 is checked by quadrature instead.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from motsim.rehearsal import Rehearsal, RehearsalErrors, SimulatedErrors, simulate_errors
from motsim.rehearsal.geometry import equicorrelated_tasks

SEED = 250600205
MARGIN = 8
KINDS = ("concurrent", "sequential", "hybrid", "schedule")


@dataclass(frozen=True)
class Setting:
    number: int
    call: tuple[Any, ...]
    options: dict[str, Any]

    def problem(self) -> Rehearsal:
        return Rehearsal(*self.call, **self.options)

    def simulate(self, repetitions: int, **more: Any) -> SimulatedErrors:
        return simulate_errors(
            self.problem(), repetitions=repetitions, seed=SEED + self.number, **more
        )


def make_setting(number: int) -> Setting:
    rng = np.random.default_rng([SEED, number])
    num_tasks = 2 + number % 7
    kind = KINDS[number % 4]
    dimension = int(rng.integers(24, 45))
    noise = 0.0 if number % 3 == 0 else float(rng.uniform(0.1, 1.5))
    if rng.random() < 0.5:
        cosine = float(rng.uniform(-1 / (num_tasks - 1), 1))
        vectors = equicorrelated_tasks(num_tasks, dimension, cosine, float(rng.uniform(0.5, 2)))
    else:
        vectors = rng.normal(size=(num_tasks, dimension)) * rng.uniform(0.1, 0.5)
        vectors += rng.uniform(-0.3, 0.3) * rng.normal(size=dimension)
    most = dimension - 1 - MARGIN
    samples = rng.integers(1, most - 7, size=num_tasks)
    room = int(most - samples.max())  # for the memories of one concurrent fit, at least 7
    options: dict[str, Any] = {}
    memory: Any = int(rng.integers(num_tasks - 1, room + 1))
    if rng.random() < 0.5:
        memory = rng.multinomial(room, np.full(num_tasks, 1 / num_tasks))
    call: tuple[Any, ...] = (vectors, samples, memory, noise, kind)
    if kind == "hybrid":
        distances = np.linalg.norm(vectors[:, None] - vectors[None, :], axis=2)
        options = {"measure": "distance", "threshold": float(np.quantile(distances, 0.6))}
    if kind == "schedule":
        call = (vectors, None, None, noise, _schedule(rng, num_tasks, most))
    return Setting(number, call, options)


def _schedule(rng: np.random.Generator, num_tasks: int, most: int) -> Any:
    """Some fits of some seen tasks, repeated visits included; the new task is in one of them."""
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


def deviations(expected: RehearsalErrors, simulated: SimulatedErrors) -> np.ndarray:
    """(closed form − simulation) / standard error, for F and G."""
    return np.array(
        [
            (expected.forgetting - simulated.forgetting) / simulated.forgetting_se,
            (expected.generalization - simulated.generalization) / simulated.generalization_se,
        ]
    )
