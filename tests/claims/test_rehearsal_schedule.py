"""Planned schedules, on the quick tier, and plans that must not pass."""

import pytest

from motsim.claims.rehearsal_schedule import judge
from motsim.figures import draw
from tests.claims.bounded import BOUNDED
from tests.claims.rehearsal_controls import assert_judge_copes, swapped, verdicts, with_main

ALL = ("odd-inside", "visit", "alternating", "drifting")
SETS = [case for case in ALL if case not in BOUNDED["rehearsal-schedule"].without]


@pytest.fixture(scope="module")
def tables(run_sweep):
    return run_sweep("rehearsal-schedule")


def test_a_plan_for_the_other_error_does_not_pass(tables):
    found = verdicts(judge(swapped(tables, "least_generalization", "least_forgetting")))
    assert found["visit: planned for generalization"] == "fails"


def test_a_named_strategy_does_not_pass_as_a_plan(tables):
    found = verdicts(judge(swapped(tables, "least_generalization", "sequential")))
    assert found["visit: planned for generalization"] == "fails"
    found = verdicts(judge(swapped(tables, "least_forgetting", "concurrent")))
    assert {found[f"{case}: planned for forgetting"] for case in SETS} == {"fails"}


def test_a_simulation_that_misses_the_closed_form_does_not_pass(tables):
    main = tables.main.copy()
    main.loc[main["strategy"] == "least_generalization", "generalization_predicted"] *= 0.9
    found = verdicts(judge(with_main(tables, main)))
    assert {found[f"{case}: planned for generalization"] for case in SETS} == {"fails"}


def test_without_memory_there_is_nothing_to_plan(run_sweep):
    broken = run_sweep("rehearsal-schedule", seeds=3, cases=["odd-inside"], memory_size=0)
    found = verdicts(judge(broken))
    assert found["odd-inside: planned for generalization"] == "fails"
    assert found["odd-inside: planned for forgetting"] == "inconclusive"


def test_poor_tables(tables):
    assert_judge_copes(judge, tables)


def test_the_figure_draws(tables, tmp_path):
    assert draw("rehearsal-schedule", tables, tmp_path)
