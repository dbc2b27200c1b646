"""The Monte Carlo kernels against a slow obvious twin on the same draws, and their law."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from scipy import stats

from motsim.rehearsal import (
    Rehearsal,
    concurrent_schedule,
    equicorrelated_tasks,
    expected_errors,
    kernels,
    sequential_schedule,
    simulate_errors,
)
from motsim.rehearsal.geometry import geometry
from motsim.rehearsal.layout import sample_layout
from motsim.rehearsal.schedules import stored_samples
from motsim.rehearsal.simulation import task_coordinates

HYBRID = ((((0, 4),),), (((1, 5), (0, 2)),), (((2, 4), (0, 1)), ((1, 3),)))
ONE = ((((0, 1),),),)


def obvious_run(samples, noise, truths, schedule, stored):
    """One repetition with lstsq, rows taken in the order of the schedule."""
    w = np.zeros(samples.shape[1])
    padded = np.zeros((len(truths), samples.shape[1]))
    padded[:, : truths.shape[1]] = truths
    errors, used, home = [], 0, []
    for t, step in enumerate(schedule):
        if stored is not None:
            home.append(used)
            used += stored[t]
        for fit in step:
            rows, labels = [], []
            for task, count in fit:
                first = used if stored is None else home[task]
                used += count if stored is None else 0
                rows.append(samples[first : first + count])
                labels.append(rows[-1] @ padded[task] + noise[first : first + count])
            x, y = np.vstack(rows), np.concatenate(labels)
            w = w + np.linalg.lstsq(x, y - x @ w)[0]
        errors.append(((padded - w) ** 2).sum(axis=1))
    return np.array(errors)


@pytest.mark.parametrize("sigma", [0.0, 0.7])
@pytest.mark.parametrize("replayed", [False, True])
@pytest.mark.parametrize(
    "schedule", [HYBRID, ONE, concurrent_schedule(4, 7, 6), sequential_schedule(4, 7, 6)]
)
def test_full_kernel_equals_obvious_twin(schedule, replayed, sigma):
    rng = np.random.default_rng(5)
    num, p = len(schedule), 15
    truths = rng.normal(size=(num, num))
    truths[-1] = truths[0]  # two equal tasks
    stored = None
    if replayed:
        stored = stored_samples(schedule)
    layout = sample_layout(schedule, stored)
    samples = rng.normal(size=(2, layout.rows, p))
    noise = sigma * rng.normal(size=(2, layout.rows))
    errors = np.empty((2, num, num))
    kernels.run_full(samples, noise, truths, layout, errors)
    for rep in range(2):
        twin = obvious_run(samples[rep], noise[rep], truths, schedule, stored)
        np.testing.assert_allclose(errors[rep], twin, rtol=1e-9, atol=1e-12)


def test_reduced_kernel_equals_obvious_twin():
    """In each fit the drawn triangle is a full matrix in a basis that starts with tasks and w."""
    rng = np.random.default_rng(6)
    schedule, p, rank = HYBRID, 16, 3
    truths = rng.normal(size=(3, rank))
    layout = sample_layout(schedule, None)
    head = rank + 1
    total = int(sum(k * head + k * (k - 1) // 2 for k in layout.columns))
    normals, noise = rng.normal(size=(1, total)), rng.normal(size=(1, layout.rows))
    lengths = rng.uniform(1, 4, size=(1, layout.rows))
    errors = np.empty((1, 3, 3))
    kernels.run_reduced(kernels.Draws(normals, lengths, noise), truths, layout, p, errors)

    draws = iter(normals[0])
    w, row, twin = np.zeros(p), 0, []
    padded = np.hstack([truths, np.zeros((3, p - rank))])
    for step in schedule:
        for fit in step:
            owners = [task for task, n in fit for _ in range(n)]
            x = np.zeros((len(owners), p))
            for i in range(len(owners)):
                x[i, : head + i] = [next(draws) for _ in range(head + i)]
                x[i, head + i] = lengths[0, row + i]
            rest = np.linalg.norm(w[rank:])  # turn the rest of w into the coordinate after tasks
            w = np.concatenate([w[:rank], [rest], np.zeros(p - head)])
            y = (x * padded[owners]).sum(axis=1) + noise[0, row : row + len(owners)]
            w = w + np.linalg.lstsq(x, y - x @ w)[0]
            row += len(owners)
        twin.append(((padded - w) ** 2).sum(axis=1))
    np.testing.assert_allclose(errors[0], twin, rtol=1e-9)
    assert next(draws, None) is None


@pytest.mark.parametrize("strategy", ["concurrent", "sequential"])
@pytest.mark.parametrize(("dimension", "cosine"), [(40, 0.3), (14, -0.4)])
def test_reduced_and_full_have_the_same_law(strategy, dimension, cosine):
    """p = 14 with 3 tasks leaves fewer free dimensions than columns in the concurrent fit."""
    vectors = equicorrelated_tasks(3, dimension, cosine)
    samples, memory = (10, 8) if dimension == 40 else (5, 6)
    results = [
        simulate_errors(
            Rehearsal(vectors, samples, memory, 0.3, strategy),
            repetitions=3000,
            seed=seed,
            method=method,
        )
        for seed, method in ((1, "full"), (2, "reduced"))
    ]
    for name in ("forgetting_samples", "generalization_samples"):
        assert stats.ks_2samp(*(getattr(r, name) for r in results)).pvalue > 1e-4
    se = np.hypot(*(r.errors_se for r in results))
    assert (np.abs(results[0].errors - results[1].errors) <= 4.5 * se).all()


def test_the_law_test_can_fail():
    vectors = equicorrelated_tasks(3, 40, 0.3)
    a = simulate_errors(Rehearsal(vectors, 10, 8, 0.3, "concurrent"), repetitions=3000, seed=1)
    b = simulate_errors(Rehearsal(vectors, 10, 8, 0.36, "concurrent"), repetitions=3000, seed=2)
    assert stats.ks_2samp(a.generalization_samples, b.generalization_samples).pvalue < 1e-4


@pytest.mark.parametrize("dimension", [3, 4, 6])
def test_reduced_with_no_room_beside_the_tasks(dimension):
    """p smaller than the number of tasks + 1: nothing can be left out."""
    vectors = np.random.default_rng(3).normal(size=(4, dimension))
    result = simulate_errors(Rehearsal(vectors, 1, 0, 0.0, "sequential"), repetitions=4000, seed=3)
    expected = expected_errors(Rehearsal(vectors, 1, 0, 0.0, "sequential"))
    assert (np.abs(result.errors - expected.errors) <= 4.5 * result.errors_se + 1e-12).all()


@pytest.mark.parametrize(
    ("method", "memory"), [("full", "fresh"), ("reduced", "fresh"), ("full", "replayed")]
)
def test_more_repetitions_continue_the_stream(monkeypatch, method, memory):
    vectors = equicorrelated_tasks(3, 30, 0.2)

    def samples(repetitions, seed=7):
        return simulate_errors(
            Rehearsal(vectors, 8, 6, 0.2, "concurrent", memory=memory),
            method=method,
            repetitions=repetitions,
            seed=seed,
        ).generalization_samples

    many = samples(50)
    np.testing.assert_allclose(samples(13), many[:13], rtol=1e-10)
    monkeypatch.setattr("motsim.rehearsal.simulation.CHUNK_BYTES", 1)  # one repetition a chunk
    np.testing.assert_allclose(samples(50), many, rtol=1e-10)
    assert np.abs(samples(13, seed=8) - many[:13]).min() > 0
    assert len(set(many)) == 50


def test_standard_errors_are_those_of_independent_runs():
    vectors = equicorrelated_tasks(2, 30, 0.0)
    result = simulate_errors(Rehearsal(vectors, 8, 6, 0.2, "concurrent"), repetitions=400)
    assert result.repetitions == 400
    np.testing.assert_allclose(
        result.forgetting_se, result.forgetting_samples.std(ddof=1) / 20, rtol=1e-12
    )
    assert result.forgetting == pytest.approx(result.errors[1, 0] - result.errors[0, 0])
    means = [
        simulate_errors(
            Rehearsal(vectors, 8, 6, 0.2, "concurrent"), repetitions=400, seed=s
        ).generalization
        for s in range(60)
    ]
    assert 0.7 < np.std(means, ddof=1) / result.generalization_se < 1.35  # 60 seeds: ±9 % each


def test_replayed_columns_are_already_interpolated_without_an_intervening_fit():
    """Refitting the same data changes nothing; fresh data of the same task would."""
    vectors = equicorrelated_tasks(1, 20, 1.0)
    again = ((((0, 6),), ((0, 4),)),)
    once = ((((0, 6),),),)
    common = {"repetitions": 50, "seed": 4, "method": "full"}
    twice = simulate_errors(Rehearsal(vectors, None, None, 0.5, again, memory="replayed"), **common)
    first = simulate_errors(Rehearsal(vectors, None, None, 0.5, once, memory="replayed"), **common)
    fresh = simulate_errors(Rehearsal(vectors, None, None, 0.5, again, memory="fresh"), **common)
    np.testing.assert_allclose(twice.errors, first.errors, rtol=1e-9)
    assert abs(fresh.errors - first.errors).max() > 0.05


def test_interpolation_is_stable_near_the_edge():
    """K = p − 2 columns: the residual after the step stays at round-off."""
    rng = np.random.default_rng(8)
    worst = 0.0
    for _ in range(50):
        x, w = rng.normal(size=(198, 200)), rng.normal(size=200)
        y = rng.normal(size=198)
        kernels.interpolate(x, y - x @ w, w)
        worst = max(worst, float(np.abs(x @ w - y).max() / np.linalg.norm(w)))
    assert worst < 1e-7


@pytest.mark.slow
@pytest.mark.parametrize("method", ["full", "reduced"])
def test_large_dimension(method):
    """p = 4,000 with 1,900 columns in the last fit."""
    vectors = equicorrelated_tasks(3, 4000, 0.5)
    call = (vectors, 1500, 400, 0.3, "concurrent")
    result = simulate_errors(Rehearsal(*call), repetitions=12, method=method)
    expected = expected_errors(Rehearsal(*call))
    z = (result.errors - expected.errors) / result.errors_se
    assert (np.abs(z) < stats.t(11).isf(1e-4)).all(), z
    np.testing.assert_allclose(result.errors, expected.errors, rtol=0.05)


def test_coordinates_have_the_geometry_of_the_tasks():
    vectors = np.random.default_rng(9).normal(size=(5, 3))
    short = task_coordinates(geometry(vectors))
    assert short.shape == (5, 3)
    np.testing.assert_allclose(short @ short.T, vectors @ vectors.T, atol=1e-12)


def test_coordinates_are_the_same_on_every_machine():
    """Rounding in the geometry moves them by rounding, also where eigenvectors are any basis."""
    tasks = geometry(equicorrelated_tasks(4, 9, 0.5))  # three equal eigenvalues
    short = task_coordinates(tasks)
    assert (np.diag(short) > 0).all()
    assert (np.triu(short, 1) == 0).all()
    noise = np.random.default_rng(3).normal(size=(4, 4)) * 1e-16
    gram = tasks.gram + noise + noise.T
    moved = task_coordinates(SimpleNamespace(gram=gram, num_tasks=4, dimension=9))
    np.testing.assert_allclose(moved, short, atol=1e-14)
    turned = np.linalg.eigh(gram)[1] - np.linalg.eigh(tasks.gram)[1]
    assert np.abs(turned).max() > 0.01  # control: eigenvectors, which gave the basis before


@pytest.mark.parametrize(("dim", "rank"), [(1, 1), (2, 2), (9, 3)])
def test_coordinates_of_tasks_that_depend_on_each_other(dim, rank):
    vectors = np.random.default_rng(4).normal(size=(3, dim))
    vectors = np.vstack([vectors, vectors[0], vectors[1] - vectors[2]])
    short = task_coordinates(geometry(vectors))
    assert short.shape == (5, rank)
    np.testing.assert_allclose(short @ short.T, vectors @ vectors.T, atol=1e-12)
