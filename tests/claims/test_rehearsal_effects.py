"""Effects of the settings, on the quick tier, and broken ones that must turn the verdicts."""

import pytest

from motsim.claims.rehearsal_effects import judge
from motsim.figures import draw
from tests.claims.bounded import BOUNDED
from tests.claims.rehearsal_controls import (
    assert_judge_copes,
    drop_cross_term,
    predicted_again,
    swapped,
    verdicts,
    with_main,
    wrong_dimension,
)

CURVES = ("memory", "noise", "dimension", "tasks")


@pytest.fixture(scope="module")
def tables(run_sweep):
    return run_sweep("rehearsal-effects")


@pytest.mark.parametrize("break_it", [drop_cross_term, wrong_dimension])
def test_a_broken_closed_form_turns_the_curves(tables, monkeypatch, break_it):
    break_it(monkeypatch)
    curves = [case for case in CURVES if case not in BOUNDED["rehearsal-effects"].without]
    found = verdicts(judge(predicted_again(tables, curves)))
    assert {found[f"{case}: curve"] for case in curves} == {"fails"}


def test_swapped_strategies_turn_the_effect_of_memory(tables):
    found = verdicts(judge(swapped(tables, "concurrent", "sequential")))
    assert found["memory: more memory forgets less, sequential"] == "fails"
    assert found["memory: more memory forgets less, concurrent"] == "holds"


def test_a_reversed_axis_turns_the_effect_of_noise(tables):
    main = tables.main.copy()
    main["noise_std"] = main["noise_std"].max() - main["noise_std"]
    found = verdicts(judge(with_main(tables, main)))
    assert found["noise: noise raises the error, sequential"] == "fails"


def test_without_two_kinds_the_order_does_not_matter(run_sweep):
    cases = ["order-minority-late", "order-minority-early"]
    broken = run_sweep("rehearsal-effects", seeds=3, cases=cases, between=0.95)
    found = verdicts(judge(broken))
    for case in cases:
        assert found[f"{case}: end on the central kind, G"] == "inconclusive"


def test_poor_tables(tables):
    assert_judge_copes(judge, tables)


def test_the_figure_draws(tables, tmp_path):
    assert draw("rehearsal-effects", tables, tmp_path)
