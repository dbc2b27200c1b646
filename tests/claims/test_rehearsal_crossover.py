"""The crossover, on the quick tier, and settings that must turn its verdicts."""

import pytest

from motsim.claims.rehearsal_crossover import judge
from motsim.experiments.rehearsal.settings import Settings, crossover
from motsim.figures import draw
from tests.claims.bounded import BOUNDED
from tests.claims.rehearsal_controls import (
    QUANTITIES,
    assert_judge_copes,
    drop_cross_term,
    swapped,
    verdicts,
    with_main,
)


@pytest.fixture(scope="module")
def tables(run_sweep):
    return run_sweep("rehearsal-crossover")


def test_swapped_strategies_turn_the_verdicts(tables):
    before, after = judge(tables), verdicts(judge(swapped(tables, "concurrent", "sequential")))
    decided = [f for f in before if "phase" not in f.case and f.verdict != "inconclusive"]
    assert len(decided) == 10 - BOUNDED["rehearsal-crossover"].undecided
    for finding in decided:
        turned = {"holds": "fails", "fails": "holds"}[finding.verdict]
        assert after[finding.case] == turned, finding.case


def test_a_dropped_cross_term_turns_the_verdict(tables, monkeypatch):
    """Without the cross term the predicted crossover is far from the simulated one."""
    drop_cross_term(monkeypatch)
    main = tables.main.copy()
    for name in QUANTITIES:
        wrong = crossover(Settings(), name)
        main.loc[main["case"] == "two-tasks", f"{name}_crossover"] = wrong
    found = verdicts(judge(with_main(tables, main)))
    assert {found[f"two-tasks: {name}"] for name in QUANTITIES} == {"fails"}


def test_a_predicted_winner_that_loses_turns_the_phase_diagram(tables):
    main = tables.main.copy()
    for name in QUANTITIES:
        main[f"{name}_predicted"] *= -1
    found = verdicts(judge(with_main(tables, main)))
    assert found["phase-memory: forgetting"] == found["phase-ratio: forgetting"] == "fails"


REPLAYED = """
title = "the crossover of fresh memory, looked for with replayed memory"
kind = "rehearsal"
seeds = 3
[case.two-tasks]
memory = "replayed"
repetitions = 800
[case.two-tasks.grid]
strategy = ["concurrent", "sequential"]
similarity_from = ["forgetting", "generalization"]
similarity = [-0.2, -0.1, 0.0, 0.07]
"""


def test_replayed_memory_is_not_judged_right_by_the_fresh_formula(run_sweep, tmp_path):
    """The crossover of fresh memory is not that of replayed memory."""
    path = tmp_path / "replayed.toml"
    path.write_text(REPLAYED)
    found = verdicts(judge(run_sweep(str(path), seeds=3)))
    assert {found[f"two-tasks: {name}"] for name in QUANTITIES} == {"fails"}


def test_too_few_runs_do_not_place_a_crossover(run_sweep):
    poor = run_sweep("rehearsal-crossover", seeds=3, cases=["four-tasks"], repetitions=20)
    found = verdicts(judge(poor))
    assert {found[f"four-tasks: {name}"] for name in QUANTITIES} == {"inconclusive"}


def test_poor_tables(tables):
    assert_judge_copes(judge, tables)


def test_the_figures_draw(tables, tmp_path):
    assert len(draw("rehearsal-crossover", tables, tmp_path)) == 2
