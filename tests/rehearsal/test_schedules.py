"""Schedules made by the strategies, and the message of every bad call."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from motsim.rehearsal import (
    Rehearsal,
    clustered_tasks,
    concurrent_schedule,
    equicorrelated_tasks,
    expected_errors,
    geometry_from_gram,
    hybrid_schedule,
    optimal_schedule,
    sequential_schedule,
    simulate_errors,
)
from motsim.rehearsal.schedules import memory_counts

TASKS = equicorrelated_tasks(3, 20, 0.2)


def test_strategies_by_hand():
    first, second = (((0, 5),),), (((1, 5),), ((0, 4),))
    assert sequential_schedule(3, 5, 4) == (first, second, (((2, 5),), ((0, 2),), ((1, 2),)))
    newest = sequential_schedule(3, 5, 4, order="newest")
    assert newest == (first, second, (((2, 5),), ((1, 2),), ((0, 2),)))
    together = (((1, 6), (0, 4)),), (((2, 7), (0, 2), (1, 2)),)
    assert concurrent_schedule(3, (5, 6, 7), 4) == (first, *together)
    tasks = clustered_tasks((0, 1, 0), 20, 0.9, 0.1)
    hybrid = (((1, 5),), ((0, 4),)), (((2, 5), (0, 2)), ((1, 2),))
    assert hybrid_schedule(tasks, 5, 4, threshold=0.5) == (first, *hybrid)
    distance = float(np.linalg.norm(tasks[0] - tasks[1])) - 0.01
    assert hybrid_schedule(tasks, 5, 4, threshold=distance, measure="distance") == (first, *hybrid)


def test_extreme_thresholds_are_the_pure_strategies():
    assert hybrid_schedule(TASKS, 5, 4, threshold=-1.0) == concurrent_schedule(3, 5, 4)
    assert hybrid_schedule(TASKS, 5, 4, threshold=1.0) == sequential_schedule(3, 5, 4)


def test_memory_rounding_and_vectors():
    assert memory_counts(4, 7) == ((), (7,), (4, 3), (3, 2, 2))
    assert memory_counts(3, 0) == ((), (0,), (0, 0))
    assert memory_counts(3, (3, 0, 9)) == ((), (3,), (3, 0))
    assert concurrent_schedule(3, 5, (3, 0, 9))[2] == (((2, 5), (0, 3)),)


@given(tasks=st.integers(2, 12), extra=st.integers(0, 40))
def test_memory_is_used_up_as_evenly_as_possible(tasks, extra):
    size = tasks - 1 + extra
    for counts in memory_counts(tasks, size)[1:]:
        assert sum(counts) == size
        assert max(counts) - min(counts) <= 1
        assert list(counts) == sorted(counts, reverse=True)


def test_a_schedule_is_data():
    schedule = sequential_schedule(3, 5, 4)
    by_name = expected_errors(Rehearsal(TASKS, 5, 4, 0.3, "sequential"))
    as_lists = [[[list(block) for block in fit] for fit in step] for step in schedule]
    by_data = expected_errors(Rehearsal(TASKS, None, None, 0.3, as_lists))
    np.testing.assert_array_equal(by_name.errors, by_data.errors)


RAGGED = [[1.0, 2.0, 3.0], [1.0, 2.0]]
GOOD = {
    "tasks": TASKS,
    "samples_per_task": 5,
    "memory_size": 4,
    "noise_std": 0.1,
    "strategy": "sequential",
}
DATA = {"samples_per_task": None, "memory_size": None}
BAD = [
    ({"samples_per_task": 19}, ValueError, r"step 0, fit 0 uses 19 columns in dimension 20.*18"),
    (
        {"strategy": "concurrent", "samples_per_task": 15},
        ValueError,
        r"step 1, fit 0 uses 19 columns in dimension 20.*at most 18 columns",
    ),
    ({"memory_size": 1}, ValueError, r"memory_size must give each of the 2 earlier.*got 1; use at"),
    ({"memory_size": -1}, ValueError, r"memory_size must be an integer >= 0, got -1"),
    ({"memory_size": 4.0}, TypeError, r"memory_size must be an integer >= 0, got 4.0"),
    ({"memory_size": (4, 4)}, ValueError, r"memory_size must be.*one per task \(3\), got 2"),
    ({"memory_size": (4, -2, 0)}, ValueError, r"memory_size\[1\] must be an integer >= 0, got -2"),
    ({"noise_std": -0.1}, ValueError, r"noise_std must lie in \[0, inf\], got -0.1.*is 0$"),
    ({"noise_std": np.nan}, ValueError, r"noise_std must be finite, got nan"),
    ({"noise_std": "0.1"}, TypeError, r"noise_std must be a real number, got '0.1'"),
    ({"noise_std": True}, TypeError, r"noise_std must be a real number, got True"),
    ({"tasks": RAGGED}, ValueError, r"task_vectors must have equal lengths.*\[3, 2\]"),
    ({"tasks": TASKS[0]}, ValueError, r"task_vectors must have shape.*got shape \(20,\)"),
    ({"tasks": TASKS[:0]}, ValueError, r"task_vectors must have shape.*got shape \(0, 20\)"),
    ({"tasks": "abc"}, TypeError, r"task_vectors must be real numbers"),
    (
        {"tasks": np.add([[0], [np.inf], [0]], TASKS)},
        ValueError,
        r"must be finite, got.*in task 1",
    ),
    ({"samples_per_task": 0}, ValueError, r"samples_per_task must be an integer >= 1, got 0"),
    ({"samples_per_task": (5, 5)}, ValueError, r"samples_per_task must be.*\(3\), got 2 values"),
    ({"samples_per_task": None}, TypeError, r"samples_per_task must be an integer or 3 integers"),
    ({"strategy": "sequentail"}, ValueError, r"got 'sequentail'; did you mean 'sequential'\?"),
    ({"strategy": 3}, TypeError, r"strategy must be one of concurrent.*or a schedule.*got 3"),
    ({"strategy": "hybrid"}, ValueError, r"threshold must be given for strategy 'hybrid'"),
    ({"strategy": "hybrid", "threshold": 2}, ValueError, r"threshold must lie in \[-1, 1\], got 2"),
    (
        {"strategy": "hybrid", "threshold": -1, "measure": "distance"},
        ValueError,
        r"threshold must lie in \[0, inf\], got -1",
    ),
    (
        {"strategy": "hybrid", "threshold": 0.5, "measure": "angle"},
        ValueError,
        r"measure must be one of cosine, distance; got 'angle'",
    ),
    (
        {"strategy": "hybrid", "threshold": 0.5, "tasks": np.diag([1.0, 0, 1])},
        ValueError,
        r"cosine of task 1 is undefined",
    ),
    ({"threshold": 0.5}, ValueError, r"threshold and measure apply to strategy 'hybrid' only"),
    ({"order": "random"}, ValueError, r"order must be one of oldest, newest; got 'random'"),
    ({"strategy": "concurrent", "order": "oldest"}, ValueError, r"order applies to strategies"),
    ({"memory": "stale"}, ValueError, r"memory must be one of fresh, replayed; got 'stale'"),
    ({"strategy": ()}, ValueError, r"samples_per_task must be None when strategy is a schedule"),
    (DATA | {"strategy": ()}, ValueError, r"one step per task \(3\), got 0 steps"),
    (
        DATA | {"strategy": [[[(0, 5)]], [[(1, 5), (2, 1)]], [[(2, 5)]]]},
        ValueError,
        r"step 1, fit 0 revisits task 2, which is not seen yet; tasks 0 to 1 are",
    ),
    (DATA | {"strategy": [[[(0, 5)]], [[(0, 5)]], [[(2, 5)]]]}, ValueError, r"must fit its own"),
    (DATA | {"strategy": [[], [[(1, 5)]], [[(2, 5)]]]}, ValueError, r"step 0 must have at least"),
    (DATA | {"strategy": [[[]], [[(1, 5)]], [[(2, 5)]]]}, ValueError, r"fit 0 must have at least"),
    (DATA | {"strategy": [[[(0, 5)]], [[(1,)]], [[(2, 5)]]]}, ValueError, r"block must be"),
    (DATA | {"strategy": [[[(0, 0)]], [[(1, 5)]], [[(2, 5)]]]}, ValueError, r"samples must be an"),
    (
        DATA | {"strategy": [[[(0, 5), (0, 2)]], [[(1, 5)]], [[(2, 5)]]]},
        ValueError,
        r"names task 0 twice",
    ),
    (DATA | {"strategy": [[[(0, 19)]], [[(1, 5)]], [[(2, 5)]]]}, ValueError, r"19 columns in dim"),
]


@pytest.mark.parametrize(("change", "error", "message"), BAD)
@pytest.mark.parametrize("function", [expected_errors, simulate_errors])
def test_bad_calls_name_the_value_and_the_rule(function, change, error, message):
    with pytest.raises(error, match=message):
        function(Rehearsal(**(GOOD | change)))


@pytest.mark.parametrize("function", [expected_errors, simulate_errors])
def test_the_good_call_is_good(function):
    assert np.isfinite(function(Rehearsal(**GOOD)).generalization)
    edge = GOOD | {"strategy": "concurrent", "samples_per_task": 14}  # 18 = p − 2 columns
    assert np.isfinite(function(Rehearsal(**edge)).generalization)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"repetitions": 1}, r"repetitions must be an integer >= 2, got 1"),
        ({"seed": -1}, r"seed must be an integer >= 0, got -1"),
        ({"method": "fast"}, r"method must be one of full, reduced; got 'fast'"),
        ({"memory": "replayed", "method": "reduced"}, r"method 'reduced' needs memory 'fresh'"),
        (
            {"memory": "replayed", "memory_size": 8},
            r"replays 8 samples of task 0, which has only 5",
        ),
    ],
)
def test_bad_simulations(change, message):
    own = {k: v for k, v in change.items() if k in ("repetitions", "seed", "method")}
    rest = {k: v for k, v in change.items() if k not in own}
    with pytest.raises(ValueError, match=message):
        simulate_errors(Rehearsal(**(GOOD | rest)), **own)


def test_bad_tasks():
    with pytest.raises(ValueError, match=r"cosine must lie in \[-0.5, 1\], got -0.6"):
        equicorrelated_tasks(3, 20, -0.6)
    with pytest.raises(ValueError, match=r"needs a dimension >= 3, got 2"):
        equicorrelated_tasks(3, 2, 0.0)
    with pytest.raises(ValueError, match=r"positive semi-definite, its smallest eigenvalue is -0"):
        clustered_tasks((0, 0, 1), 20, 0.9, -0.99)
    with pytest.raises(ValueError, match=r"gram must have shape"):
        geometry_from_gram([1.0, 2.0], 3)
    with pytest.raises(ValueError, match=r"finite and symmetric"):
        geometry_from_gram([[1.0, 0.5], [0.2, 1.0]], 3)


def test_bad_plans():
    with pytest.raises(ValueError, match=r"objective must be one of forgetting, generalization"):
        optimal_schedule(Rehearsal(TASKS, 5, 4, 0.1), objective="both")
    with pytest.raises(ValueError, match=r"objective 'forgetting' needs at least 2 tasks, got 1"):
        optimal_schedule(Rehearsal(TASKS[:1], 5, 0, 0.1), objective="forgetting")
    with pytest.raises(ValueError, match=r"step 0, fit 0 uses 19 columns"):
        optimal_schedule(Rehearsal(TASKS, 19, 4, 0.1))
    with pytest.raises(ValueError, match=r"a plan needs memory 'fresh', got 'replayed'"):
        optimal_schedule(Rehearsal(TASKS, 5, 4, 0.1, memory="replayed"))
    twice = ((((0, 5),),), (((1, 5), (0, 2)), ((0, 1),)), (((2, 5),),))
    with pytest.raises(ValueError, match=r"step 1 visits task 0 twice"):
        optimal_schedule(Rehearsal(TASKS, None, None, 0.1, twice))
    many = equicorrelated_tasks(8, 60, 0.2)
    with pytest.raises(ValueError, match=r"method 'exact' lists at most 60000 schedules"):
        optimal_schedule(Rehearsal(many, 5, 14, 0.1), objective="forgetting", method="exact")


@pytest.mark.parametrize("cosine", [-0.25, 0.0, 0.7, 1.0])
def test_task_makers_give_the_asked_geometry(cosine):
    vectors = equicorrelated_tasks(5, 9, cosine, norm=2.0)
    gram = vectors @ vectors.T
    np.testing.assert_allclose(gram, 4 * ((1 - cosine) * np.eye(5) + cosine), atol=1e-12)
    clustered = clustered_tasks((0, 1, 0), 3, 0.9, -0.2)
    expected = [[1, -0.2, 0.9], [-0.2, 1, -0.2], [0.9, -0.2, 1]]
    np.testing.assert_allclose(clustered @ clustered.T, expected, atol=1e-12)
    narrow = clustered_tasks((0, 0, 1, 1), 2, 1.0, 0.3)  # rank 2 of 4 tasks fits in R²
    assert narrow.shape == (4, 2)
    np.testing.assert_allclose((narrow @ narrow.T)[0], [1, 1, 0.3, 0.3], atol=1e-12)
