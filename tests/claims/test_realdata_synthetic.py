"""The published synthetic setting on the quick tier, and settings that must turn its verdicts."""

import pandas as pd
import pytest

from motsim.claims.realdata_synthetic import PUBLISHED, judge
from motsim.plans.loading import load_sweep
from motsim.results.tables import Tables
from tests.claims.realdata_extra import needs_data

pytestmark = needs_data
MIXTURE = ["mixture-cubic"]


def verdicts(findings):
    return {finding.case: finding.verdict for finding in findings}


@pytest.fixture(scope="module")
def tables(run_sweep):
    return run_sweep("realdata-synthetic")


def test_the_setting_is_the_published_one(tables):
    rows = tables.runs
    assert (rows["train_samples"] == 16000).all()
    assert set(PUBLISHED) < {
        cell.labels["case"] for cell in load_sweep("realdata-synthetic").cells()
    }


def test_a_frozen_gate_turns_the_entropy(run_sweep):
    found = judge(run_sweep("realdata-synthetic", seeds=3, cases=MIXTURE, gate_rate=0.0))
    assert verdicts(found)["mixture-cubic entropy"] == "fails"


def test_labels_without_meaning_turn_the_accuracy(run_sweep):
    found = judge(
        run_sweep("realdata-synthetic", seeds=3, cases=MIXTURE, shuffle_labels=True, steps=100)
    )
    assert verdicts(found)["mixture-cubic accuracy"] == "fails"


def test_exchanged_experts_turn_every_published_mean(tables):
    swapped = tables.main.replace(
        {"case": {"mixture-cubic": "single-linear", "single-linear": "mixture-cubic"}}
    )
    judged = verdicts(judge(Tables("x", tables.meta, swapped, {})))
    assert judged["mixture-cubic accuracy"] == judged["single-linear accuracy"] == "fails"
    assert judged["mixture-linear over single-linear"] == "fails"


def test_little_or_no_data_is_inconclusive(tables):
    few = tables.main[tables.main["seed"] < 2]
    for main in (few, tables.main.assign(status="diverged"), pd.DataFrame()):
        judged = judge(Tables("realdata-synthetic", tables.meta, main, {}))
        assert {f.verdict for f in judged} == {"inconclusive"}
