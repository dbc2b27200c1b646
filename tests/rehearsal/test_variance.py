"""Variances: the exact one of a single task against Monte Carlo, and the interval's coverage."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from motsim.rehearsal import (
    Rehearsal,
    concurrent_schedule,
    equicorrelated_tasks,
    expected_variances,
    sequential_schedule,
    simulate_errors,
    single_task_variance,
    variance_interval,
)
from tests.rehearsal.settings import SEED


@pytest.mark.parametrize(
    ("norm", "samples", "noise"), [(1.0, 10, 0.0), (0.0, 8, 1.0), (2.0, 15, 1.5), (1.0, 1, 0.5)]
)
def test_single_task_distribution_and_variance(norm, samples, noise):
    p = 40
    tasks = equicorrelated_tasks(1, p, 0.0, norm)
    for method in ("full", "reduced"):
        mc = simulate_errors(
            Rehearsal(tasks, samples, 0, noise, "concurrent"),
            repetitions=8000,
            seed=11,
            method=method,
        )
        estimate = variance_interval(mc.generalization_samples)
        exact = single_task_variance(norm, samples, p, noise)
        assert abs(estimate.variance - exact) <= 4 * estimate.standard_error
        rng = np.random.default_rng(12)
        drawn = norm**2 * rng.beta((p - samples) / 2, samples / 2, 20000)
        drawn += noise**2 * rng.chisquare(samples, 20000) / rng.chisquare(p - samples + 1, 20000)
        assert stats.ks_2samp(mc.generalization_samples, drawn).pvalue > 1e-4


def test_single_task_variance_refuses_the_infinite():
    with pytest.raises(ValueError, match=r"samples <= dimension - 4, got 17 in dimension 20.*16"):
        single_task_variance(1.0, 17, 20, 0.1)
    assert single_task_variance(1.0, 17, 20, 0.0) > 0


def test_interval_covers_at_its_level():
    """1,000 normal samples of 200: the 95 % interval covers the variance in 93 to 97 %."""
    rng = np.random.default_rng(2)
    covered = [
        (e := variance_interval(rng.normal(scale=3, size=200))).low <= 9 <= e.high
        for _ in range(1000)
    ]
    assert 0.92 < np.mean(covered) < 0.975
    narrow = variance_interval(rng.normal(size=200), level=0.5)
    assert narrow.low < narrow.variance < narrow.high


def test_interval_bad_input():
    with pytest.raises(ValueError, match=r"at least 4, got shape \(3,\)"):
        variance_interval([1.0, 2.0, 3.0])
    with pytest.raises(ValueError, match="samples must be finite"):
        variance_interval([1.0, 2.0, 3.0, np.nan])
    assert variance_interval(np.ones(5)).variance == 0


def variance_setting(number):
    rng = np.random.default_rng([SEED, 3, number])
    num_tasks, p = 1 + number % 5, int(rng.integers(30, 50))
    tasks = rng.normal(size=(num_tasks, p)) * rng.uniform(0.1, 0.4)
    tasks += rng.uniform(-0.3, 0.3) * rng.normal(size=p)
    noise = 0.0 if number % 3 == 0 else float(rng.uniform(0.2, 1.5))
    samples = rng.integers(1, p - 16, size=num_tasks)  # eighth moments need p − K − 1 > 7
    return tasks, samples, int(rng.integers(num_tasks, 20)), noise


@pytest.fixture(scope="module")
def variance_runs():
    return [
        simulate_errors(
            Rehearsal(*variance_setting(number), "sequential"),
            repetitions=4000,
            seed=number,
            method="full",
        )
        for number in range(40)
    ]


def variance_deviations(runs, noise_factor=1.0):
    z = []
    for number, mc in enumerate(runs):
        tasks, samples, memory, noise = variance_setting(number)
        exact = expected_variances(Rehearsal(tasks, samples, memory, noise_factor * noise))
        for name in ("forgetting", "generalization"):
            if len(tasks) > 1 or name == "generalization":
                estimate = variance_interval(getattr(mc, f"{name}_samples"))
                z.append((getattr(exact, name) - estimate.variance) / estimate.standard_error)
    return np.array(z)


def test_exact_variances_within_four_standard_errors(variance_runs):
    z = variance_deviations(variance_runs)
    assert len(z) == 72
    assert (np.abs(z) <= 4).all(), z
    assert abs(z.mean()) < 4 / np.sqrt(len(z))
    assert np.abs(variance_deviations(variance_runs, noise_factor=1.15)).max() > 4  # control


def test_variance_of_every_error(variance_runs):
    for number, mc in enumerate(variance_runs):
        exact = expected_variances(Rehearsal(*variance_setting(number))).errors
        measured = mc.errors_se**2 * mc.repetitions
        np.testing.assert_allclose(exact, measured, rtol=0.35)


def test_exact_variances_by_hand():
    tasks = equicorrelated_tasks(1, 30, 0.0, 1.5)
    exact = expected_variances(Rehearsal(tasks, 9, 0, 0.7))
    assert exact.generalization == pytest.approx(single_task_variance(1.5, 9, 30, 0.7), rel=1e-12)
    assert np.isnan(exact.forgetting)
    same = equicorrelated_tasks(3, 30, 1.0)  # without noise ‖w − w*‖² is a product of Betas
    schedule = sequential_schedule(3, 4, 5)
    first, second = 1.0, 1.0
    for step in schedule:
        for ((_, n),) in step:
            first *= (30 - n) / 30
            second *= (30 - n) * (32 - n) / (30 * 32)
    exact = expected_variances(Rehearsal(same, None, None, 0.0, schedule))
    assert exact.generalization == pytest.approx(second - first**2, rel=1e-9)


def test_exact_variances_bad_input():
    tasks = equicorrelated_tasks(2, 30, 0.0)
    with pytest.raises(ValueError, match="known for fresh memory only, got 'replayed'"):
        expected_variances(Rehearsal(tasks, 9, 4, 0.7, memory="replayed"))
    with pytest.raises(
        ValueError, match=r"step 1, fit 0 has 2 blocks; .* as in strategy 'sequential'"
    ):
        expected_variances(Rehearsal(tasks, 9, 4, 0.7, "concurrent"))
    with pytest.raises(ValueError, match="step 1, fit 0 has 2 blocks"):
        expected_variances(Rehearsal(tasks, None, None, 0.7, concurrent_schedule(2, 9, 4)))
    with pytest.raises(ValueError, match=r"step 0, fit 0 uses 27 columns in dimension 30.*26"):
        expected_variances(Rehearsal(tasks, 27, 4, 0.7))
