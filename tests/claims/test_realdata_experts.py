"""Experts used on real data, and gates that must turn the verdicts."""

import pandas as pd
import pytest

from motsim.claims.realdata_experts import judge
from motsim.results.tables import Tables
from tests.claims.realdata_extra import needs_data

pytestmark = needs_data
SHORT = {"steps": 300, "rates": [0.02], "looks": 2}


def verdicts(findings):
    return {finding.case: finding.verdict for finding in findings}


@pytest.fixture(scope="module")
def tables(run_sweep):
    return run_sweep("realdata-experts")


def test_a_frozen_gate_sends_everything_to_one_expert(run_sweep):
    found = {
        f.case: f for f in judge(run_sweep("realdata-experts", seeds=3, gate_rate=0.0, **SHORT))
    }
    assert found["few at N = 1"].verdict == "holds"
    assert found["more tasks, more experts"].verdict == "fails"
    assert found["load at N = 8"].verdict == "fails"
    for tasks in (2, 4, 8):
        assert found[f"specialized at N = {tasks}"].verdict == "fails"
        assert found[f"specialized at N = {tasks}"].interval.value == pytest.approx(1.0, abs=1e-6)


def test_perfect_routing_would_hold(tables):
    """The threshold can be met: the same table with every expert serving one task."""
    ideal = tables.main.assign(dispatch_entropy=0.0)
    judged = verdicts(judge(Tables("realdata-experts", tables.meta, ideal, {})))
    assert {judged[f"specialized at N = {n}"] for n in (2, 4, 8)} == {"holds"}


def test_labels_without_meaning_turn_the_gain(run_sweep):
    found = judge(run_sweep("realdata-experts", seeds=3, shuffle_labels=True, **SHORT))
    assert verdicts(found)["gain grows"] != "holds"


def test_little_or_no_data_is_inconclusive(tables):
    few = tables.main[tables.main["seed"] < 2]
    for main in (few, tables.main.assign(status="diverged"), pd.DataFrame()):
        judged = judge(Tables("realdata-experts", tables.meta, main, {}))
        assert {f.verdict for f in judged} == {"inconclusive"}
