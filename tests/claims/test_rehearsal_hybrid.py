"""Hybrid rehearsal, on the quick tier, and settings that must turn its verdicts."""

from dataclasses import replace

import numpy as np
import pytest

from motsim.claims._simulation import QUANTITIES
from motsim.claims.rehearsal_hybrid import judge
from motsim.experiments.rehearsal.settings import Settings, problem
from motsim.figures import draw
from tests.claims.rehearsal_controls import (
    assert_judge_copes,
    drop_cross_term,
    predicted_again,
    swapped,
    verdicts,
)


@pytest.fixture(scope="module")
def tables(run_sweep):
    return run_sweep("rehearsal-hybrid")


@pytest.mark.parametrize("other", ["concurrent", "sequential"])
def test_swapped_strategies_turn_the_verdict(tables, other):
    found = verdicts(judge(swapped(tables, "hybrid", other)))
    assert found["odd-inside: forgetting, beats both"] == "fails"
    assert found["odd-inside: generalization, beats both"] == "fails"


def test_of_random_sets_the_better_strategy_is_counted(tables):
    """Controls: hybrid's errors lowered beat both in every set; sequential's lowered, in none."""
    for strategy, verdict in (("hybrid", "holds"), ("sequential", "fails")):
        main = tables.main.copy()
        chosen = (main["case"] == "random-sets") & (main["strategy"] == strategy)
        for quantity in QUANTITIES:
            # forgetting may be negative: lowered by the same amount, not scaled
            main.loc[chosen, f"{quantity}_predicted"] -= 10.0
        found = verdicts(judge(replace(tables, main=main)))
        for quantity in QUANTITIES:
            assert found[f"random-sets: {quantity}, beats both"] == verdict


def test_random_sets_are_the_same_for_each_strategy():
    drawn = [
        problem(Settings(family="drawn_clusters", num_tasks=6, seed=seed, strategy=strategy))
        for seed in (3, 4)
        for strategy in ("sequential", "hybrid")
    ]
    np.testing.assert_array_equal(drawn[0].tasks.gram, drawn[1].tasks.gram)
    assert not np.array_equal(drawn[1].tasks.gram, drawn[3].tasks.gram)  # control: another seed
    cosines = drawn[1].tasks.cosines
    joined = cosines[~np.eye(6, dtype=bool)] > drawn[1].threshold
    assert joined.any()
    assert not joined.all()


def test_a_dropped_cross_term_turns_the_verdict(tables, monkeypatch):
    drop_cross_term(monkeypatch)
    found = verdicts(judge(predicted_again(tables)))
    assert found["threshold"] == "fails"
    assert found["odd-inside: forgetting, beats concurrent"] == "fails"


def test_a_rule_that_groups_nothing_does_not_beat_sequential(run_sweep):
    broken = run_sweep("rehearsal-hybrid", seeds=3, cases=["odd-inside"], threshold=1.0)
    found = verdicts(judge(broken))
    assert found["odd-inside: forgetting, beats both"] == "inconclusive"
    assert found["odd-inside: generalization, beats both"] == "inconclusive"


def test_poor_tables(tables):
    assert_judge_copes(judge, tables)


def test_the_figure_draws(tables, tmp_path):
    assert draw("rehearsal-hybrid", tables, tmp_path)
