"""The closed form against hand calculations, quadrature, symmetries and a slow obvious twin."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as limits
from hypothesis import strategies as st
from scipy import integrate, stats

from motsim.rehearsal import (
    Rehearsal,
    concurrent_schedule,
    equicorrelated_tasks,
    expected_errors,
    geometry_from_gram,
    sequential_schedule,
)
from motsim.rehearsal.geometry import geometry
from tests.rehearsal.settings import make_setting


def obvious_errors(vectors, schedule, noise):
    """The expectation block by block, as derived: quadratic form of δ_i = w*_i − w*_j, plain loops.

    E[δᵀX_i A_ii X_iᵀδ] = (n_i/p)(1 + (K − n_i)/(p − K − 1)) ‖δ‖² and
    E[δ_iᵀX_i A_ik X_kᵀδ_k] = −n_i n_k/(p(p − K − 1)) δ_i·δ_k: inner products, not distances.
    """
    num, p = vectors.shape
    errors = np.empty((num, num))
    for j in range(num):
        e = float(vectors[j] @ vectors[j])
        for t, step in enumerate(schedule):
            for fit in step:
                columns = sum(n for _, n in fit)
                total = (1 - columns / p) * e + noise**2 * columns / (p - columns - 1)
                for i, n in fit:
                    delta = vectors[i] - vectors[j]
                    total += n / p * (1 + (columns - n) / (p - columns - 1)) * (delta @ delta)
                    for k, m in fit:
                        if k != i:
                            other = vectors[k] - vectors[j]
                            total -= n * m / (p * (p - columns - 1)) * (delta @ other)
                e = total
            errors[t, j] = e
    return errors


@pytest.mark.parametrize("number", range(3, 60, 4))
def test_equals_obvious_twin_on_any_schedule(number):
    vectors, _, _, noise, schedule = make_setting(number).call
    result = expected_errors(Rehearsal(vectors, None, None, noise, schedule))
    np.testing.assert_allclose(result.errors, obvious_errors(vectors, schedule, noise), rtol=1e-10)


def test_equals_obvious_twin_on_degenerate_input():
    equal = np.ones((3, 12))
    schedule = concurrent_schedule(3, 4, 4)
    result = expected_errors(Rehearsal(equal, None, None, 0.0, schedule))
    np.testing.assert_allclose(result.errors, obvious_errors(equal, schedule, 0.0), rtol=1e-12)
    zero = expected_errors(Rehearsal(0 * equal, None, None, 0.0, schedule))
    assert (zero.errors == 0).all()


@pytest.mark.parametrize("samples", [1, 7, 18])
def test_one_task_by_hand(samples):
    vector, p, noise = np.array([[3.0, 4.0] + [0.0] * 18]), 20, 0.5
    result = expected_errors(Rehearsal(vector, samples, 0, noise, "concurrent"))
    by_hand = (1 - samples / p) * 25 + samples * noise**2 / (p - samples - 1)
    np.testing.assert_allclose(result.errors, [[by_hand]], rtol=1e-14)
    assert result.generalization == result.errors[0, 0]
    assert np.isnan(result.forgetting)


def test_edge_columns_p_minus_2_by_hand():
    """K = p − 2: p − K − 1 = 1, the label noise counts in full, the cross term n_i n_k / p."""
    p, noise = 10, 0.5
    vectors = np.zeros((2, p))
    vectors[0, 0], vectors[1, 1] = 1.0, 2.0  # squared distance 5
    one = expected_errors(Rehearsal(vectors[:1], p - 2, 0, noise, "concurrent"))
    np.testing.assert_allclose(one.errors, [[2 / p + (p - 2) * noise**2]], rtol=1e-14)
    both = expected_errors(Rehearsal(vectors, (5, 5), 3, noise, "concurrent"))
    first = np.array([0.5 * 1, 0.5 * 4 + 0.5 * 5]) + 5 * noise**2 / 4
    second = 0.2 * first + np.array([5 / 10, 3 / 10]) * 5 + 15 / 10 * 5 + 8 * noise**2
    np.testing.assert_allclose(both.errors, [first, second], rtol=1e-14)


@pytest.mark.parametrize("dimension", [3, 4, 7])
def test_one_column_by_quadrature(dimension):
    """n = 1: the noise term is E[1/χ²_p]; at p = 3 this is the edge n = p − 2."""
    chi = stats.chi2(dimension)
    inverse = integrate.quad(lambda x: chi.pdf(x) / x, 0, np.inf)[0]
    vector = np.zeros((1, dimension))
    result = expected_errors(Rehearsal(vector, 1, 0, 1.0, "concurrent"))
    np.testing.assert_allclose(result.generalization, inverse, rtol=1e-7)


@pytest.mark.parametrize("dimension", [4, 5, 9])
def test_two_columns_by_quadrature(dimension):
    """Two tasks, one column each; at p = 4 this is the edge K = p − 2.

    With c the cosine of the two columns, c² ~ Beta(1/2, (p − 1)/2), the Gram inverse of two unit
    columns gives E tr(A₁₂ x₂ᵀx₁) = −E[c²/(1 − c²)], the coefficient of the cross term times −p.
    """
    p = dimension
    log_norm = stats.beta(0.5, (p - 1) / 2)
    ratio = integrate.quad(  # substitution c² = sin² keeps both ends integrable
        lambda a: log_norm.pdf(np.sin(a) ** 2) * 2 * np.sin(a) * np.cos(a) * np.tan(a) ** 2,
        1e-12,
        np.pi / 2 - 1e-12,
        limit=500,
    )[0]
    distance = 2.0
    vectors = np.zeros((2, p))
    vectors[0, 0] = vectors[1, 1] = 1.0
    result = expected_errors(Rehearsal(vectors, 1, 1, 0.0, "concurrent")).errors
    start = (1 - 1 / p) + np.array([0, 1]) * distance / p
    np.testing.assert_allclose(result[0], start, rtol=1e-14)
    cross = result[1] - (1 - 2 / p) * start - distance / p
    np.testing.assert_allclose(cross, distance * ratio / p, rtol=1e-6)


def test_reference_values_of_the_design():
    """theory.md §6, T = 2, p = 100, n = 30, m = 24, σ = 0.1 (rounded to three digits there)."""
    table = {
        (0.0, "concurrent"): (0.552, 1.334),
        (0.0, "sequential"): (0.133, 1.009),
        (0.9, "concurrent"): (-0.276, 0.436),
        (0.9, "sequential"): (-0.278, 0.444),
    }
    for (cosine, strategy), values in table.items():
        result = expected_errors(
            Rehearsal(equicorrelated_tasks(2, 100, cosine), 30, 24, 0.1, strategy)
        )
        measured = (result.forgetting, result.generalization)
        np.testing.assert_allclose(measured, values, atol=5.001e-4)


@limits(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    scale=st.floats(0.1, 30),
    strategy=st.sampled_from(["concurrent", "sequential"]),
)
def test_symmetries(seed, scale, strategy):
    """Rotations change nothing; scaling the tasks and σ by s scales all errors by s²."""
    rng = np.random.default_rng(seed)
    vectors = rng.normal(size=(4, 15))
    rotation = stats.ortho_group.rvs(15, random_state=rng)
    base = expected_errors(Rehearsal(vectors, 4, 5, 0.7, strategy)).errors
    turned = expected_errors(Rehearsal(vectors @ rotation, 4, 5, 0.7, strategy)).errors
    np.testing.assert_allclose(turned, base, rtol=1e-9)
    scaled = expected_errors(Rehearsal(scale * vectors, 4, 5, scale * 0.7, strategy)).errors
    np.testing.assert_allclose(scaled, scale**2 * base, rtol=1e-9)
    tasks = geometry_from_gram(vectors @ vectors.T, 15)
    np.testing.assert_allclose(
        expected_errors(Rehearsal(tasks, 4, 5, 0.7, strategy)).errors, base, rtol=1e-9
    )


def test_equal_tasks_do_not_care_about_grouping_without_noise():
    """One fit of K columns keeps 1 − K/p; two fits keep the product. Nothing else differs."""
    vectors = equicorrelated_tasks(2, 50, 1.0)
    together = expected_errors(Rehearsal(vectors, 10, 5, 0.0, "concurrent")).generalization
    apart = expected_errors(Rehearsal(vectors, 10, 5, 0.0, "sequential")).generalization
    np.testing.assert_allclose([together, apart], [0.8 * 0.7, 0.8 * 0.8 * 0.9], rtol=1e-12)


def test_distances_keep_digits_far_from_the_origin():
    vectors = np.array([[1e8, 0, 0], [1e8, 1, 0], [1e8, 0, 2]])
    expected = [[0, 1, 4], [1, 0, 5], [4, 5, 0]]
    np.testing.assert_allclose(geometry(vectors).squared_distances, expected, rtol=1e-7)


def test_theory_does_not_import_numba():
    code = (
        "import sys, motsim.rehearsal.theory, motsim.rehearsal; "
        "sys.exit(any(name in sys.modules for name in ('numba', 'pandas')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("make", [concurrent_schedule, sequential_schedule])
@pytest.mark.parametrize("dimension", [200, 4000])
def test_fifty_tasks_by_name_are_those_of_their_schedule(make, dimension):
    vectors = np.random.default_rng(0).normal(size=(50, dimension))
    strategy = "concurrent" if make is concurrent_schedule else "sequential"
    result = expected_errors(Rehearsal(vectors, 5, 100, 0.1, strategy))
    direct = expected_errors(Rehearsal(vectors, None, None, 0.1, make(50, 5, 100)))
    assert result.generalization == direct.generalization
