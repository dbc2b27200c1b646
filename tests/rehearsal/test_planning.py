"""Planning against brute force over all schedules, its bounds, and a simulation of the plan."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from motsim.rehearsal import (
    Rehearsal,
    clustered_tasks,
    expected_errors,
    optimal_schedule,
    partitions,
    simulate_errors,
)
from motsim.rehearsal.geometry import geometry
from motsim.rehearsal.partitions import best_step, ordered_partitions

OBJECTIVES = ("generalization", "forgetting")


def random_tasks(seed, num_tasks, dimension=30):
    rng = np.random.default_rng(seed)
    common = rng.normal(size=dimension) * rng.uniform(0, 0.3)
    return common + rng.normal(size=(num_tasks, dimension)) * rng.uniform(0.1, 0.3)


def every_schedule(num_tasks, samples, memory, new_task_first):
    """All schedules of the search space, by plain enumeration."""
    per_step = []
    for t in range(num_tasks):
        blocks = [(t, samples)] + [(i, memory // t + (i < memory % t)) for i in range(t)]
        steps = set()
        for labels in itertools.product(range(t + 1), repeat=t + 1):
            if set(labels) != set(range(max(labels) + 1)):
                continue
            if new_task_first and labels[0] != 0:
                continue
            fits = [
                tuple(b for b, label in zip(blocks, labels, strict=True) if label == f)
                for f in range(max(labels) + 1)
            ]
            steps.add(tuple(fits))
        per_step.append(steps)
    return itertools.product(*per_step)


@pytest.mark.parametrize("new_task_first", [True, False])
@pytest.mark.parametrize("objective", OBJECTIVES)
@pytest.mark.parametrize(("num_tasks", "noise", "seed"), [(2, 0.3, 0), (3, 0.0, 1), (3, 0.5, 2)])
def test_exact_equals_brute_force(objective, num_tasks, noise, seed, new_task_first):
    tasks = random_tasks(seed, num_tasks)
    plan = optimal_schedule(
        Rehearsal(tasks, 6, 7, noise),
        objective=objective,
        new_task_first=new_task_first,
        method="exact",
    )
    schedules = list(every_schedule(num_tasks, 6, 7, new_task_first))
    assert len(schedules) == (
        {2: 2, 3: 12}[num_tasks] if new_task_first else {2: 3, 3: 39}[num_tasks]
    )
    values = [
        getattr(expected_errors(Rehearsal(tasks, None, None, noise, s)), objective)
        for s in schedules
    ]
    assert plan.exact
    assert plan.gap == 0
    assert plan.value == pytest.approx(min(values), rel=1e-12)
    assert max(values) > plan.value + 1e-6  # the choice matters


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_exact_equals_brute_force_on_four_tasks(objective):
    tasks = random_tasks(5, 4)
    plan = optimal_schedule(Rehearsal(tasks, 5, 6, 0.3), objective=objective)
    values = [
        getattr(expected_errors(Rehearsal(tasks, None, None, 0.3, s)), objective)
        for s in every_schedule(4, 5, 6, True)
    ]
    assert len(values) == 2 * 6 * 26
    assert plan.value == pytest.approx(min(values), rel=1e-12)


def test_partition_counts_are_the_ordered_bell_numbers():
    blocks = tuple((i, 1) for i in range(5))
    assert [len(list(ordered_partitions(blocks[:k], None))) for k in range(1, 6)] == [
        1,
        3,
        13,
        75,
        541,
    ]


@pytest.mark.parametrize("objective", OBJECTIVES)
@pytest.mark.parametrize("seed", range(4))
def test_search_reaches_the_exact_optimum_and_respects_bounds(objective, seed):
    tasks = random_tasks(seed, 5, 40)
    exact = optimal_schedule(Rehearsal(tasks, 6, 8, 0.3), objective=objective, method="exact")
    search = optimal_schedule(Rehearsal(tasks, 6, 8, 0.3), objective=objective, method="search")
    assert search.lower_bound <= exact.value + 1e-12 <= search.value + 2e-12
    assert search.value - exact.value <= 0.01 * abs(exact.value) + 1e-12


def test_infeasible_groups_are_left_out():
    """p = 12: the new task and all memories together would need 13 columns."""
    tasks = random_tasks(3, 3, 12)
    plan = optimal_schedule(Rehearsal(tasks, 7, 6, 0.0))
    with pytest.raises(ValueError, match="13 columns"):
        expected_errors(Rehearsal(tasks, 7, 6, 0.0, "concurrent"))
    check = expected_errors(Rehearsal(tasks, None, None, 0.0, plan.schedule))
    assert check.generalization == plan.value


def test_order_of_an_optimal_step_is_by_fixed_point():
    """docs/rehearsal.md §8: the fits of an optimal step decrease in β/(1 − a)."""
    for seed in range(10):
        tasks = geometry(random_tasks(seed, 6, 60))
        weights = np.full(6, 1 / 6)
        blocks = tuple((i, 4 + i) for i in range(6))
        _, step = best_step(blocks, tasks, 0.3, weights, 1.0, None)
        counts = np.zeros((len(step), 6))
        for row, fit in zip(counts, step, strict=True):
            for task, n in fit:
                row[task] = n
        keep, shift = partitions.linear_maps(counts, tasks, 0.3, weights)
        fixed = shift / (1 - keep)
        assert (np.diff(fixed) <= 1e-12).all()


def test_local_search_against_exact(monkeypatch):
    """The search for many blocks, run on few: never better than exact, and within 1 %."""
    gaps = []
    for seed in range(5):
        tasks = random_tasks(seed, 7, 60)
        exact = optimal_schedule(Rehearsal(tasks, 6, 12, 0.3))
        monkeypatch.setattr(partitions, "EXACT_BLOCKS", 1)
        monkeypatch.setattr("motsim.rehearsal.planning.EXACT_BLOCKS", 1)
        local = optimal_schedule(Rehearsal(tasks, 6, 12, 0.3))
        monkeypatch.undo()
        assert exact.exact
        assert not local.exact
        assert local.lower_bound <= exact.value
        gaps.append(local.value / exact.value - 1)
    assert min(gaps) > -1e-12
    assert max(gaps) < 0.01


def test_optimum_beats_the_strategies_and_simulation_agrees():
    tasks = clustered_tasks((0, 0, 1, 0, 1), 60, 0.95, -0.2)
    call = (tasks, 20, 20, 0.1)
    plan = optimal_schedule(Rehearsal(*call))
    others = [
        expected_errors(Rehearsal(*call, "concurrent")).generalization,
        expected_errors(Rehearsal(*call, "sequential")).generalization,
        expected_errors(Rehearsal(*call, "hybrid", threshold=0.5)).generalization,
    ]
    assert plan.value < min(others) - 1e-3
    mc = simulate_errors(Rehearsal(tasks, None, None, 0.1, plan.schedule), repetitions=4000, seed=5)
    assert abs(mc.generalization - plan.value) <= 4 * mc.generalization_se
