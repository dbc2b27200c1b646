"""`Rehearsal`: checked once, frozen, and made anew with a change."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, replace

import numpy as np
import pytest

from motsim.rehearsal import (
    Rehearsal,
    TaskGeometry,
    equicorrelated_tasks,
    expected_errors,
    hybrid_schedule,
    sequential_schedule,
)

TASKS = equicorrelated_tasks(3, 30, 0.6)


def test_vectors_become_their_geometry_and_a_strategy_its_schedule():
    problem = Rehearsal(TASKS, 5, 4, 0.3)
    assert isinstance(problem.tasks, TaskGeometry)
    assert problem.schedule == sequential_schedule(3, 5, 4)
    assert Rehearsal(problem.tasks, 5, 4, 0.3).tasks is problem.tasks
    with pytest.raises(FrozenInstanceError):
        problem.noise_std = 1.0


def test_a_change_is_checked_and_changes_the_schedule():
    problem = Rehearsal(TASKS, 5, 4, 0.3)
    assert replace(problem, memory_size=6).schedule == sequential_schedule(3, 5, 6)
    with pytest.raises(ValueError, match="uses 29 columns in dimension 30"):
        replace(problem, samples_per_task=29)
    with pytest.raises(ValueError, match="must lie in"):
        replace(problem, noise_std=-1.0)
    with pytest.raises(ValueError, match="which has only 5"):
        replace(problem, memory="replayed", memory_size=12)


def test_another_strategy_keeps_the_rest_and_forgets_options():
    hybrid = Rehearsal(TASKS, 5, 4, 0.3, "hybrid", threshold=0.5, order="newest")
    assert hybrid.schedule == hybrid_schedule(TASKS, 5, 4, threshold=0.5, order="newest")
    assert hybrid.using("sequential").schedule == sequential_schedule(3, 5, 4)
    newest = hybrid.using("sequential", order="newest")
    assert newest.schedule == sequential_schedule(3, 5, 4, order="newest")
    assert newest.schedule != hybrid.using("sequential").schedule
    data = hybrid.using(newest.schedule)
    np.testing.assert_array_equal(expected_errors(data).errors, expected_errors(newest).errors)
    with pytest.raises(ValueError, match="threshold must be given"):
        hybrid.using("hybrid")


def test_five_arguments_are_one_problem_now():
    with pytest.raises(TypeError, match="positional argument"):
        expected_errors(TASKS, 5, 4, 0.3, "concurrent")
