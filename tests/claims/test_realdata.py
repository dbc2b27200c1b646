"""Real data on the quick tier, and settings that must turn its verdicts."""

import pandas as pd
import pytest

from motsim.claims.realdata import RIVALS, judge
from motsim.results.tables import Tables
from tests.claims.realdata_extra import needs_data

pytestmark = needs_data
SHORT = {"steps": 400, "rates": [0.02], "looks": 2}


def verdicts(findings):
    return {finding.case: finding.verdict for finding in findings}


@pytest.fixture(scope="module")
def tables(run_sweep):
    return run_sweep("realdata")


def test_models_are_equally_large_or_of_equal_work(tables):
    runs = tables.runs[tables.runs["case"] != "complex-large-batches"]
    rows = runs.set_index(["case", "seed", "model"])
    wide = rows["parameters"].unstack("model")
    for rival in set(RIVALS) - {"one"}:
        assert ((wide[rival] / wide["mot"] - 1).abs() < 0.02).all()
    work = rows["work"].unstack("model")
    assert ((work["one"] / work["mot"] - 1).abs() < 0.06).all()  # the gate is the difference
    assert (rows["num_steps"] == 1000).all()


@pytest.mark.slow
def test_the_setting_of_the_controls_holds_as_it_stands(run_sweep):
    found = judge(run_sweep("realdata", seeds=3, cases=["complex"], **SHORT))
    assert verdicts(found)["complex one"] == "holds"


@pytest.mark.parametrize("broken", [{"gate_rate": 0.0}, {"shuffle_labels": True}], ids=str)
def test_a_frozen_gate_and_labels_without_meaning_turn_the_gain(run_sweep, broken):
    found = judge(run_sweep("realdata", seeds=3, cases=["complex"], **SHORT, **broken))
    assert verdicts(found)["complex one"] != "holds"


@pytest.mark.slow
def test_complex_tasks_in_the_place_of_simple_ones_turn_the_verdict(run_sweep):
    tables = run_sweep("realdata", cases="all")
    rows = tables.main[tables.main["case"] == "complex"].assign(case="simple")
    assert verdicts(judge(Tables("realdata", tables.meta, rows, {}))) == {"simple one": "fails"}


def test_little_or_no_data_is_inconclusive(tables):
    few = tables.main[tables.main["seed"] < 2]
    diverged = tables.main.assign(status="diverged")
    for main in (few, diverged, few.head(1), pd.DataFrame(), few.drop(columns="test_error")):
        judged = judge(Tables("realdata", tables.meta, main, {}))
        assert {f.verdict for f in judged} == {"inconclusive"}
