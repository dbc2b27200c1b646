"""Stages on real data, and tables and settings that must turn the verdicts."""

import pandas as pd
import pytest

from motsim.claims.realdata_staging import judge
from motsim.results.tables import Tables
from tests.claims.realdata_extra import needs_data

pytestmark = needs_data
SHORT = {"steps": 200, "rates": [0.02], "looks": 2}


@pytest.fixture(scope="module")
def tables(run_sweep):
    return run_sweep("realdata-staging")


def test_a_stage_of_no_length_is_end_to_end_training_to_the_bit(run_sweep):
    found = judge(
        run_sweep("realdata-staging", seeds=3, cases=["cubic"], specialize_share=0.0, **SHORT)
    )
    two = [f for f in found if "two_stage" in f.case]
    assert [(f.interval.value, f.verdict) for f in two] == [(0.0, "inconclusive")] * 2


def test_exchanged_schedules_turn_every_decided_verdict(tables):
    swapped = tables.main.replace(
        {"schedule": {"end_to_end": "three_stage", "three_stage": "end_to_end"}}
    )
    before = {f.case: f.verdict for f in judge(tables) if "three_stage" in f.case}
    after = {f.case: f.verdict for f in judge(Tables("x", tables.meta, swapped, {}))}
    other = {"holds": "fails", "fails": "holds", "inconclusive": "inconclusive"}
    assert {case: after[case] for case in before} == {c: other[v] for c, v in before.items()}
    assert set(before.values()) != {"inconclusive"}


def test_little_or_no_data_is_inconclusive(tables):
    few = tables.main[tables.main["seed"] < 2]
    for main in (few, tables.main.assign(status="diverged"), pd.DataFrame()):
        judged = judge(Tables("realdata-staging", tables.meta, main, {}))
        assert {f.verdict for f in judged} == {"inconclusive"}
