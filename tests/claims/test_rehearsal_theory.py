"""Closed forms against simulation, and broken closed forms that must be rejected."""

import numpy as np
import pytest

from motsim.claims._simulation import agreement
from motsim.claims.rehearsal_theory import judge
from motsim.figures import draw
from motsim.plans.loading import load_sweep
from tests.claims.rehearsal_controls import (
    assert_judge_copes,
    drop_cross_term,
    predicted_again,
    verdicts,
    with_main,
    wrong_dimension,
)


@pytest.fixture(scope="module")
def tables(run_sweep):
    return run_sweep("rehearsal-theory")


def test_settings_enough_are_drawn():
    assert len(load_sweep("rehearsal-theory").cells()) >= 200


def test_predicting_again_changes_nothing(tables):
    assert verdicts(judge(predicted_again(tables))) == verdicts(judge(tables))


def test_a_dropped_cross_term_turns_the_verdict(tables, monkeypatch):
    """Sequential fits have one block each, hence no cross term to drop."""
    drop_cross_term(monkeypatch)
    found = verdicts(judge(predicted_again(tables)))
    assert {found[case] for case in ("concurrent", "hybrid", "random")} == {"fails"}
    assert found["sequential"] == "holds"


def test_a_wrong_dimension_turns_the_verdict(run_sweep, monkeypatch):
    """By the runs that are shipped; fewer leave one case open."""
    tables = run_sweep("rehearsal-theory", cases="all")
    wrong_dimension(monkeypatch)
    found = verdicts(judge(predicted_again(tables)))
    for case in ("concurrent", "sequential", "hybrid", "random"):
        assert found[case] == "fails"


def test_a_simulation_too_coarse_to_tell_is_inconclusive(tables):
    """With ten times the noise of the simulation p + 1 for p is no longer rejected."""
    rng = np.random.default_rng(0)
    main = tables.main.copy()
    for name in ("forgetting", "generalization"):
        main[f"{name}_se"] *= 10
        noise = rng.standard_normal(len(main)) * main[f"{name}_se"]
        main[name] = main[f"{name}_predicted"] + noise
    found = verdicts(judge(with_main(tables, main)))
    for case in ("concurrent", "sequential", "hybrid", "random"):
        assert found[case] == "inconclusive"


def test_wrong_variances_turn_the_verdict(tables):
    main = tables.main.copy()
    for name in ("forgetting", "generalization"):
        main[f"{name}_variance_predicted"] *= 1.15
    assert verdicts(judge(with_main(tables, main)))["sequential-variance"] == "fails"


def test_poor_tables(tables):
    assert_judge_copes(judge, tables)


def test_the_figure_draws(tables, tmp_path):
    assert draw("rehearsal-theory", tables, tmp_path)


def test_two_errors_of_a_run_are_not_two_independent_values():
    """Six runs whose two errors agree: chance is that of six values, not of twelve."""
    rng = np.random.default_rng(0)
    z = rng.standard_normal((20_000, 6))
    twice = np.concatenate([z, z], axis=1)
    zero, one, far = np.zeros(12), np.ones(12), np.full(12, 30.0)
    held = {
        n: np.mean([agreement(row, one, zero, far, n).verdict == "holds" for row in twice])
        for n in (6, 12)
    }
    assert held[6] > 0.99
    assert 1 - held[12] > 2 * (1 - held[6])  # control: as if all were independent
    wide = [agreement(row, one, zero, far, 6).verdict == "fails" for row in 5.0 * twice[:500]]
    assert np.mean(wide) > 0.9  # control: it can fail


@pytest.mark.parametrize(("z", "verdict"), [(3.9, "holds"), (4.1, "inconclusive"), (5.1, "fails")])
def test_what_chance_may_do_once_in_a_while_refutes_nothing(z, verdict):
    """One value of 112 beyond four standard errors: once in 140 sweeps; beyond five, in 16,000."""
    values = np.random.default_rng(1).standard_normal(112).clip(-3, 3)
    values[0] = z
    found = agreement(values, np.ones(112), np.zeros(112), np.full(112, 30.0), 56)
    assert found.verdict == verdict


def test_a_rival_is_told_apart_along_the_way_to_it():
    """Two formulas 0.9 standard errors apart at each of 56 values: 6.7 standard errors in all."""
    z = np.random.default_rng(2).standard_normal((500, 56))
    zero, one, rival = np.zeros(56), np.ones(56), np.tile([0.9, -0.9], 28)
    right = [agreement(row, one, zero, rival) for row in z]
    assert np.mean([found.verdict == "holds" for found in right]) > 0.97
    old = [((row - rival) ** 2).mean() > 1 + 4 * np.sqrt(2 / 56) for row in z]
    assert np.mean(old) < 0.9  # what the mean of squares told
    wrong = [agreement(row + rival, one, zero, rival).verdict for row in z]  # control
    assert "holds" not in wrong
    near = [agreement(row, one, zero, rival / 4) for row in z]  # control: 2 standard errors
    assert np.mean([found.verdict == "holds" for found in near]) < 0.1
    assert "do not reject the rival" in near[0].against("the rival")
    assert "same data reject the rival" in right[0].against("the rival")


def test_a_value_that_is_missing_or_cannot_be_is_not_left_out():
    values = np.random.default_rng(3).standard_normal(48)
    zero, one, far = np.zeros(48), np.ones(48), np.full(48, 30.0)
    assert agreement(values, one, zero, far).verdict == "holds"
    sure = np.where(np.arange(48) < 4, 0.0, values)  # known by construction, and so predicted
    assert agreement(sure, np.where(np.arange(48) < 4, 0.0, 1.0), zero, far).verdict == "holds"
    lost = np.where(np.arange(48) < 4, np.nan, values)
    assert agreement(lost, one, zero, far).verdict == "inconclusive"
    off = np.where(np.arange(48) < 4, 100.0, values)  # with nothing that varies
    assert agreement(off, np.where(np.arange(48) < 4, 0.0, 1.0), zero, far).verdict == "fails"
