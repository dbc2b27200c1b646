"""Ratios of steps to fair baselines, and settings that must turn the verdicts."""

import pandas as pd
import pytest

from motsim.claims.fair_baselines import judge
from motsim.results.tables import Tables


def verdicts(findings):
    return {finding.case: finding.verdict for finding in findings}


def test_every_verdict_is_the_recorded_one(run_sweep):
    assert [f.case for f in judge(run_sweep("fair-baselines")) if not f.as_expected] == []


@pytest.mark.parametrize("broken", [{"gate_rate": 0.0}, {"shuffle_labels": True}], ids=str)
def test_a_broken_mixture_has_no_advantage(run_sweep, broken):
    """The mixture is broken, the baselines are the sound ones."""
    bad = run_sweep("fair-baselines", seeds=5, cases=["mot"], **broken)
    tables = run_sweep("fair-baselines")
    main = tables.main[tables.main["case"] != "mot"]
    main = pd.concat([main, bad.main], ignore_index=True)
    found = verdicts(judge(Tables("fair-baselines", tables.meta, main, {})))
    assert set(found.values()) & {"holds"} == set()


def test_roles_exchanged_turn_the_verdict(run_sweep):
    tables = run_sweep("fair-baselines")
    main = tables.main.replace({"case": {"mot": "single-16", "single-16": "mot"}})
    found = verdicts(judge(Tables("fair-baselines", tables.meta, main, {})))
    assert found["single-16 at 1e-04"] == "fails"
    assert found["single-16 at 1e-02"] == "holds"


def test_too_little_data_is_inconclusive(run_sweep):
    tables = run_sweep("fair-baselines")
    one = tables.main[tables.main["seed"] == 0]
    for main in (one, one.head(1), one.assign(status="diverged"), one.head(0)):
        found = judge(Tables("fair-baselines", tables.meta, main, {}))
        assert {f.verdict for f in found} <= {"inconclusive"}
