"""Simple and complex data on the quick tier, and settings that must turn the verdicts."""

import pandas as pd
import pytest

from motsim.claims.simple_data import AMPLITUDES, judge
from motsim.plans.loading import load_sweep
from motsim.results.tables import Tables


def verdicts(findings):
    return {finding.case: finding.verdict for finding in findings}


def test_the_amplitudes_are_those_of_the_sweep():
    for name, case in load_sweep("simple-data").file.case.items():
        assert tuple(case["distractor_amplitude"]) == AMPLITUDES[name.rsplit("-", 1)[1]]


def test_a_frozen_gate_turns_the_division(run_sweep):
    tables = run_sweep(
        "simple-data", seeds=5, cases=["one-strong", "mixture-strong"], gate_rate=0.0
    )
    assert verdicts(judge(tables))["divide-strong"] == "fails"


@pytest.mark.parametrize("broken", [{"shuffle_labels": True}, {"distractor_amplitude": [1.0, 3.0]}])
def test_labels_without_meaning_and_strong_distractors_turn_the_rest(run_sweep, broken):
    tables = run_sweep("simple-data", seeds=5, cases=["one-weak", "one-frozen-weak"], **broken)
    judged = verdicts(judge(tables))
    assert judged["one-suffices-weak"] == "fails"
    assert judged["floor-of-one"] == "fails"


def test_little_or_no_data_is_inconclusive(run_sweep):
    tables = run_sweep("simple-data")
    few = tables.main[tables.main["seed"] < 2]
    nan = few.assign(status="diverged", final_loss=float("nan"))
    for main in (few, few.head(1), pd.DataFrame(), nan):
        judged = judge(Tables("simple-data", tables.meta, main, {}))
        assert {f.verdict for f in judged} == {"inconclusive"}
