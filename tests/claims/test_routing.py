"""Routing on the quick tier, and settings that must turn its verdicts."""

import pandas as pd
import pytest

from motsim.claims.routing import accuracy_course, judge
from motsim.results.tables import Tables


def verdicts(findings):
    return {finding.case: finding.verdict for finding in findings}


def test_the_course_ends_at_the_measured_accuracy(run_sweep):
    """Accuracy from the stored tables equals the one that the run computed itself."""
    tables = run_sweep("routing")
    last = accuracy_course(tables).groupby(["case", "seed"])["accuracy"].last()
    stored = tables.runs.set_index(["case", "seed"])["routing_accuracy"]
    assert last.to_numpy() == pytest.approx(stored.loc[last.index].to_numpy(), abs=1e-12)


@pytest.mark.parametrize(
    ("case", "broken"),
    [("cubic", {"gate_rate": 0.0}), ("cubic", {"shuffle_labels": True}),
     ("linear", {"orthogonal_start": False}), ("cubic-correlated", {"class_correlation": 0.7}),
     ("cubic-slow-gate", {"class_correlation": 0.7}), ("cubic-four-neurons", {"gate_rate": 0.0}),
     ("cubic-top-2", {"distractor_amplitude": [1.0, 3.0]})],
)  # fmt: skip
def test_broken_settings_turn_the_verdict(run_sweep, case, broken):
    short = {"align_steps": 0, "converge_steps": 0}
    tables = run_sweep("routing", seeds=5, cases=[case], **short, **broken)
    assert verdicts(judge(tables))[case] == "fails"


def test_a_trained_gate_turns_the_verdict_of_the_frozen_one(run_sweep):
    tables = run_sweep("routing", seeds=5, cases=["frozen-gate"], gate_rate=10.0)
    assert verdicts(judge(tables))["frozen-gate"] == "holds"


def test_linear_experts_need_the_other_sign_of_the_correlation(run_sweep):
    """Orthogonal class signals are too little for six of them, and all that 32 need."""
    tables = run_sweep("routing", cases=["linear-anticorrelated"], class_correlation=0.0)
    assert verdicts(judge(tables))["linear-anticorrelated"] != "holds"
    tables = run_sweep("routing", cases=["linear-correlated"], class_correlation=0.0)
    assert verdicts(judge(tables))["linear-correlated"] == "holds"


def test_little_or_no_data_is_inconclusive(run_sweep):
    tables = run_sweep("routing")
    few = tables.main[tables.main["seed"] < 2]
    nan = few.assign(status="diverged", routing_accuracy=float("nan"))
    for main in (few, few.head(1), pd.DataFrame(), nan):
        judged = judge(Tables("routing", tables.meta, main, {}))
        assert {f.verdict for f in judged} == {"inconclusive"}
