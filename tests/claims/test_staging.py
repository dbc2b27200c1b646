"""Three stages against fewer, and settings that must turn the verdicts."""

import pytest

from motsim.claims.staging import judge
from motsim.results.tables import Tables


def verdicts(findings):
    return {finding.case: finding.verdict for finding in findings}


def test_every_verdict_is_the_recorded_one(run_sweep):
    assert [f.case for f in judge(run_sweep("staging")) if not f.as_expected] == []


@pytest.mark.parametrize("broken", [{"gate_rate": 0.0}, {"shuffle_labels": True}], ids=str)
def test_a_broken_setting_leaves_no_advantage(run_sweep, broken):
    found = verdicts(judge(run_sweep("staging", seeds=3, cases=["cubic"], **broken)))
    assert set(found.values()) & {"holds"} == set()


def test_schedules_exchanged_turn_the_verdict(run_sweep):
    tables = run_sweep("staging")
    swap = {"three_stage": "two_stage", "two_stage": "three_stage"}
    main = tables.main.replace({"schedule": swap})
    found = verdicts(judge(Tables("staging", tables.meta, main, {})))
    assert found["cubic two_stage at 1e-06"] == "holds"


def test_too_little_data_is_inconclusive(run_sweep):
    tables = run_sweep("staging")
    one = tables.main[tables.main["seed"] == 0]
    for main in (one, one.head(1), one.assign(status="diverged"), one.head(0)):
        found = judge(Tables("staging", tables.meta, main, {}))
        assert {f.verdict for f in found} <= {"inconclusive"}
