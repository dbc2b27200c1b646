"""Searches over schedules: exact ones, coordinate descent, and bounds (docs/rehearsal.md §8)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import comb
from typing import TypeAlias

import numpy as np

from motsim.rehearsal.arguments import FloatArray
from motsim.rehearsal.geometry import TaskGeometry
from motsim.rehearsal.partitions import (
    EXACT_BLOCKS,
    best_step,
    linear_maps,
    ordered_partitions,
    step_search,
)
from motsim.rehearsal.records import expected_record
from motsim.rehearsal.schedules import Block, Schedule, Step
from motsim.rehearsal.theory import count_matrix, expected_fresh, fit_maps

MAX_STATES = 60_000  # schedules of the first T − 1 steps that the exact forgetting search lists

Blocks: TypeAlias = tuple[tuple[Block, ...], ...]


@dataclass(frozen=True, eq=False)
class Search:
    """The search space of `optimal_schedule` and the ways through it."""

    tasks: TaskGeometry
    noise: float
    blocks: Blocks
    new_task_first: bool

    def step(self, t: int, weights: FloatArray, start: float) -> tuple[float, Step]:
        """Least Σ ω_j e_j after step t from `start` before it, and that step."""
        new = t if self.new_task_first else None
        return best_step(self.blocks[t], self.tasks, self.noise, weights, start, new)

    def greedy(self, weights: FloatArray, steps: int) -> tuple[float, Schedule]:
        """Least Σ ω_j e_j after the first `steps` steps: best of each step in turn is optimal."""
        value = float(self.tasks.squared_norms @ weights)
        chosen: list[Step] = []
        for t in range(steps):
            value, step = self.step(t, weights, value)
            chosen.append(step)
        return value, tuple(chosen)

    def step_map(self, step: Step) -> tuple[float, FloatArray]:
        """Scalar A and vector B (T,) of a step: e ← A e + B."""
        keep, shift = fit_maps(count_matrix((step,), len(self.blocks)), self.tasks, self.noise)
        total, moved = 1.0, np.zeros(self.tasks.num_tasks)
        for a, b in zip(keep, shift, strict=True):
            total, moved = a * total, a * moved + b
        return total, moved

    def feasible(self, t: int) -> Iterator[Step]:
        """All ordered partitions of step t whose fits have at most p − 2 columns."""
        limit = self.tasks.dimension - 2
        for step in ordered_partitions(self.blocks[t], t if self.new_task_first else None):
            if all(sum(n for _, n in fit) <= limit for fit in step):
                yield step

    def num_prefixes(self) -> int:
        """Ordered partitions of the first T − 1 steps, multiplied (infeasible ones included)."""
        total = 1
        for blocks in self.blocks[:-1]:
            total *= _count(len(blocks), self.new_task_first)
        return total

    def list_all(self) -> Schedule:
        """Least forgetting over all schedules: every prefix, then the best last step."""
        num = self.tasks.num_tasks
        errors = self.tasks.squared_norms[None, :]
        learned = np.zeros(1)  # Σ_i e_i(i) so far
        choices: list[list[Step]] = []
        parents: list[FloatArray] = []
        for t in range(num - 1):
            steps = list(self.feasible(t))
            maps = [self.step_map(step) for step in steps]
            keep, shift = np.array([m[0] for m in maps]), np.array([m[1] for m in maps])
            errors = (keep[None, :, None] * errors[:, None, :] + shift).reshape(-1, num)
            learned = np.repeat(learned, len(steps)) + errors[:, t]
            choices.append(steps)
            parents.append(np.tile(np.arange(len(steps)), len(errors) // len(steps)))
        past = np.append(np.ones(num - 1), 0.0)
        starts = errors @ past
        # The best last step depends on the start only; it is monotone, so bound before solving
        best, winner = np.inf, -1
        last: Step = ()
        new = num - 1 if self.new_task_first else None
        finish = step_search(self.blocks[-1], self.tasks, self.noise, past, new)
        floor = finish(float(starts.min()))[0]
        for state in np.argsort(-learned):
            if floor - learned[state] >= best:
                break
            value, step = finish(float(starts[state]))
            if value - learned[state] < best:
                best, winner, last = value - float(learned[state]), int(state), step
        chosen: list[Step] = [last]
        for steps, which in zip(reversed(choices), reversed(parents), strict=True):
            chosen.append(steps[int(which[winner])])
            winner //= len(steps)
        return tuple(reversed(chosen))

    def descend(self) -> Schedule:
        """Coordinate descent on forgetting: each step in turn replaced by its exact best."""
        num = self.tasks.num_tasks
        past = np.append(np.ones(num - 1), 0.0)
        starts = [
            self.greedy(np.ones(num), num)[1],
            self.greedy(past, num)[1],
            tuple(self.step(t, -np.eye(num)[t], 0.0)[1] for t in range(num)),
        ]
        results = [self._descend_from(start) for start in starts]
        return min(results, key=self._forgetting)

    def _forgetting(self, schedule: Schedule) -> float:
        return expected_record(expected_fresh(self.tasks, schedule, self.noise)).forgetting

    def _descend_from(self, schedule: Schedule) -> Schedule:
        num = self.tasks.num_tasks
        value = self._forgetting(schedule)
        for _ in range(20):
            for t in reversed(range(num)):
                weights = self._future(schedule, t)
                before = self.tasks.squared_norms
                if t:
                    before = expected_fresh(self.tasks, schedule, self.noise)[t - 1]
                step = self.step(t, weights, float(before @ weights))[1]
                trial = (*schedule[:t], step, *schedule[t + 1 :])
                if self._forgetting(trial) < value - 1e-13 * abs(value):
                    schedule = trial
            improved = self._forgetting(schedule)
            if improved >= value - 1e-12 * abs(value):
                break
            value = improved
        return schedule

    def _future(self, schedule: Schedule, t: int) -> FloatArray:
        """Weights λ_t with F = λ_t · e_t + terms that step t does not change."""
        num = self.tasks.num_tasks
        weights = np.append(np.ones(num - 1), 0.0)
        for s in reversed(range(t, num - 1)):
            weights = self.step_map(schedule[s + 1])[0] * weights
            weights[s] -= 1
        return weights / (num - 1)

    def forgetting_bound(self) -> float:
        """Least Σ_{i<T} e_T(i) minus the largest e_i(i) of each task, all over T − 1."""
        num = self.tasks.num_tasks
        if max(map(len, self.blocks)) > EXACT_BLOCKS:
            return float("nan")
        past = np.append(np.ones(num - 1), 0.0)
        final = self.greedy(past, num)[0]
        learned = sum(-self.greedy(-np.eye(num)[i], i + 1)[0] for i in range(num - 1))
        return float((final - learned) / (num - 1))

    def relaxed_bound(self, weights: FloatArray) -> float:
        """Bound Σ ω_j e_j from below, ω >= 0: no cross terms, least label noise, most shrinkage."""
        value = float(self.tasks.squared_norms @ weights)
        p = self.tasks.dimension
        for blocks in self.blocks:
            counts = np.zeros((len(blocks), self.tasks.num_tasks))
            for row, (task, samples) in zip(counts, blocks, strict=True):
                row[task] = samples
            shift = linear_maps(counts, self.tasks, self.noise, weights)[1]
            columns = counts.sum(axis=1)
            later = np.maximum(1 - (columns.sum() - columns) / p, 0.0)
            value = max(1 - columns.sum() / p, 0.0) * value + float(shift @ later)
        return value


def _count(blocks: int, first_fixed: bool) -> int:
    """Ordered partitions of a set of blocks; with one named block in the first part."""
    bell = [1]
    for n in range(1, blocks + 1):
        bell.append(sum(comb(n, k) * bell[n - k] for k in range(1, n + 1)))
    if not first_fixed:
        return bell[blocks]
    return sum(comb(blocks - 1, k) * bell[blocks - 1 - k] for k in range(blocks))
