"""Replayed memory: the closed form for two tasks against Monte Carlo, and its limits."""

from __future__ import annotations

import numpy as np
import pytest

from motsim.rehearsal import Rehearsal, equicorrelated_tasks, expected_errors, simulate_errors
from motsim.rehearsal.replay import haar_moments
from tests.rehearsal.settings import SEED, deviations

NUM_SETTINGS = 48


def setting(number):
    rng = np.random.default_rng([SEED, 2, number])
    p = int(rng.integers(24, 50))
    vectors = rng.normal(size=(2, p)) * rng.uniform(0.1, 0.4, size=(2, 1))
    vectors += rng.uniform(-0.3, 0.3) * rng.normal(size=p)
    n1, n2 = (int(n) for n in rng.integers(1, (p - 9) // 2, size=2))
    memory = int(rng.integers(1, n1 + 1))
    noise = 0.0 if number % 3 == 0 else float(rng.uniform(0.2, 2))
    strategy = ("sequential", "concurrent")[number % 2]
    return (vectors, (n1, n2), memory, noise, strategy)


def all_deviations(memory):
    z = []
    for number in range(NUM_SETTINGS):
        call = setting(number)
        mc = simulate_errors(
            Rehearsal(*call, memory="replayed"), repetitions=2000, seed=SEED + number, method="full"
        )
        z.append(deviations(expected_errors(Rehearsal(*call, memory=memory)), mc))
    return np.array(z)


def test_closed_form_within_four_standard_errors():
    z = all_deviations("replayed")
    assert (np.abs(z) <= 4).all(), z
    assert (np.abs((z**2).mean(axis=0) - 1) <= 4 * np.sqrt(2 / NUM_SETTINGS)).all()


def test_fresh_formula_is_rejected_on_replayed_memory():
    z = all_deviations("fresh")
    assert (np.abs(z).max(axis=1) > 4).sum() > NUM_SETTINGS / 2


def test_reference_values_of_the_design():
    """theory.md §6: F = 0.66 concurrent, 0.29 sequential from 600 repetitions, so ± 0.02."""
    tasks = equicorrelated_tasks(2, 100, 0.0)
    for strategy, value in (("concurrent", 0.66), ("sequential", 0.29)):
        exact = expected_errors(Rehearsal(tasks, 30, 24, 0.1, strategy, memory="replayed"))
        assert exact.forgetting == pytest.approx(value, abs=0.02)


def test_without_memory_replay_is_fresh():
    tasks = equicorrelated_tasks(2, 40, 0.3)
    fresh, replayed = (
        expected_errors(Rehearsal(tasks, 9, 0, 0.4, "sequential", memory=m)).errors
        for m in ("fresh", "replayed")
    )
    np.testing.assert_allclose(replayed, fresh, rtol=1e-12)
    one = [
        expected_errors(Rehearsal(tasks[:1], 9, 0, 0.4, "sequential", memory=m)).errors
        for m in ("fresh", "replayed")
    ]
    np.testing.assert_array_equal(*one)


def test_haar_moments():
    """Trace identities, exactly, and the moments of drawn projections."""
    p, n = 7, 3
    pair, swap = haar_moments(n, p)
    assert p * pair + 2 * swap == pytest.approx(n * n / p)  # E[tr P · P] = n² I / p
    assert pair + (p + 1) * swap == pytest.approx(n / p)  # E[P²] = E[P]
    rng = np.random.default_rng(1)
    corner = []
    for _ in range(4000):
        q = np.linalg.qr(rng.normal(size=(p, n)))[0]
        corner.append(((q @ q.T)[0, 0] ** 2, (q @ q.T)[0, 1] ** 2))
    corner = np.array(corner)
    se = corner.std(axis=0, ddof=1) / np.sqrt(len(corner))
    assert (np.abs(corner.mean(axis=0) - [pair + 2 * swap, swap]) <= 4 * se).all()


def test_limits_are_said():
    tasks = equicorrelated_tasks(3, 40, 0.3)
    with pytest.raises(ValueError, match=r"needs at most 2 tasks, got 3; use simulate_errors"):
        expected_errors(Rehearsal(tasks, 9, 4, 0.4, "sequential", memory="replayed"))
    two_visits = ((((0, 9),),), (((1, 9),), ((0, 3),), ((0, 3),)))
    with pytest.raises(ValueError, match="covers one fit on task 1"):
        expected_errors(Rehearsal(tasks[:2], None, None, 0.4, two_visits, memory="replayed"))
    twice = ((((0, 9),), ((0, 9),)), (((1, 9),),))
    with pytest.raises(ValueError, match="needs a first step of one fit on task 0"):
        expected_errors(Rehearsal(tasks[:2], None, None, 0.4, twice, memory="replayed"))
    with pytest.raises(ValueError, match="replays 12 samples of task 0, which has only 9"):
        expected_errors(Rehearsal(tasks[:2], 9, 12, 0.4, "sequential", memory="replayed"))


@pytest.mark.parametrize("strategy", ["concurrent", "sequential"])
def test_replay_forgets_more_with_more_tasks_too(strategy):
    """Measured, not proven: for T = 5 the fresh-memory formula is too optimistic by far."""
    call = (equicorrelated_tasks(5, 60, 0.0), 12, 12, 0.1, strategy)
    measured = simulate_errors(Rehearsal(*call, memory="replayed"), repetitions=1500, seed=3)
    assert (
        measured.forgetting - expected_errors(Rehearsal(*call)).forgetting
        > 8 * measured.forgetting_se
    )
