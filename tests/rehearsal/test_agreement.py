"""Closed form against Monte Carlo, and proof that the comparison can fail."""

from __future__ import annotations

import inspect
import types

import numpy as np
import pytest

from motsim.rehearsal import expected_errors, theory
from tests.rehearsal.settings import SEED, Setting, deviations, make_setting

NUM_SETTINGS = 224  # a multiple of 7 numbers of tasks and 4 kinds of strategy
REPETITIONS = 500
LIMIT = 4.0  # standard errors, for F and G of every setting
MATRIX_LIMIT = 5.5  # for the thousands of single entries E‖w_t − w*_j‖²


@pytest.fixture(scope="module")
def simulated():
    settings = [make_setting(number) for number in range(NUM_SETTINGS)]
    return [(s, s.simulate(REPETITIONS, method="full")) for s in settings]


def all_deviations(simulated, compute=expected_errors):
    return np.array([deviations(compute(s.problem()), mc) for s, mc in simulated])


def test_settings_cover_what_the_claim_needs():
    settings = [make_setting(number) for number in range(NUM_SETTINGS)]
    assert {len(s.call[0]) for s in settings} == set(range(2, 9))
    assert sum(s.call[3] == 0 for s in settings) >= 50
    assert sum(np.ndim(s.call[2]) == 1 and len(set(s.call[2])) > 1 for s in settings) >= 50
    signs = [np.sign(s.call[0][0] @ s.call[0][1]) for s in settings]
    assert min(signs.count(-1), signs.count(1)) >= 40


def test_all_settings_within_four_standard_errors(simulated):
    z = all_deviations(simulated)
    worst = np.abs(z).max(axis=1)
    assert z.shape == (NUM_SETTINGS, 2)
    assert (worst <= LIMIT).all(), [(i, z[i]) for i in np.flatnonzero(worst > LIMIT)]


def test_error_matrices_agree(simulated):
    for setting, mc in simulated:
        difference = expected_errors(setting.problem()).errors - mc.errors
        assert (np.abs(difference) <= MATRIX_LIMIT * mc.errors_se).all(), (SEED, setting.number)


def test_deviations_are_those_of_chance(simulated):
    """No common bias, and a spread of one standard error: far sharper than each setting alone."""
    z = all_deviations(simulated)
    count = len(z)
    assert (np.abs(z.mean(axis=0)) <= 4 / np.sqrt(count)).all(), z.mean(axis=0)
    squares = (z**2).mean(axis=0)
    assert (np.abs(squares - 1) <= 4 * np.sqrt(2 / count)).all(), squares


MUTANTS = {
    "off-by-one in the inverse Wishart": ("dimension - columns - 1", "dimension - columns"),
    "off-by-one, other way": ("dimension - columns - 1", "dimension - columns - 2"),
    "wrong p": ("dimension = tasks.dimension", "dimension = tasks.dimension + 1"),
    "dropped cross term": ("cross / (dimension * spare)", "0 * cross"),
    "sign of the cross term": ("cross / (dimension * spare)", "-cross / (dimension * spare)"),
    "cross term doubled": (".sum(axis=1) / 2", ".sum(axis=1)"),
    "cross term without 1/p": ("cross / (dimension * spare)", "cross / (spare * spare)"),
    "sign of the shrinkage": ("1 - columns / dimension", "1 + columns / dimension"),
    "factor of the shrinkage": ("1 - columns / dimension", "1 - columns / (dimension + 1)"),
    "shrinkage squared": ("1 - columns / dimension", "(1 - columns / dimension) ** 2"),
    "noise not squared": ("noise**2", "noise"),
    "noise over p": ("columns * noise**2 / spare", "columns * noise**2 / dimension"),
    "sign of the noise": ("+ columns * noise**2", "- columns * noise**2"),
    "distance not squared": ("@ tasks.squared_distances", "@ np.sqrt(tasks.squared_distances)"),
    "pull over p - 1": ("pull / dimension", "pull / (dimension - 1)"),
    "fits composed off by one": ("after[1:] @", "after[:-1] @"),
    "start at w* instead of 0": ("= tasks.squared_norms", "= 0 * tasks.squared_norms"),
}


def mutant(old: str, new: str):
    source = inspect.getsource(theory)
    code = source.split('"""', 2)[2]  # not the docstring
    assert code.count(old) == 1, f"{old!r} occurs {code.count(old)} times"
    module = types.ModuleType("mutant")
    exec(compile(code.replace(old, new), "mutant.py", "exec"), module.__dict__)
    return module.expected_errors


@pytest.mark.parametrize("name", MUTANTS)
def test_mutants_are_caught(simulated, name):
    z = all_deviations(simulated, mutant(*MUTANTS[name]))
    assert (np.abs(z) > LIMIT).any(), f"survived: largest deviation {np.abs(z).max():.2f}"


def test_the_mutation_machinery_leaves_the_truth_alone(simulated):
    same = mutant("dimension - columns - 1", "dimension - columns - 1")
    np.testing.assert_array_equal(all_deviations(simulated, same), all_deviations(simulated))


@pytest.mark.slow
def test_all_settings_long_form():
    """Four times the repetitions and three times the settings, so a slightly wider limit."""
    for number in range(3 * NUM_SETTINGS):
        setting: Setting = make_setting(number)
        z = deviations(
            expected_errors(setting.problem()),
            setting.simulate(4 * REPETITIONS, method="full"),
        )
        assert (np.abs(z) <= LIMIT + 0.5).all(), (SEED, number, z)
