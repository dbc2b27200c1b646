"""The law of every model, loss and optimizer, and settings that must turn it."""

import pytest

from motsim.claims.rate_matrix import judge
from motsim.results.tables import Tables

GATED = ("mot", "moe", "shared")


def verdicts(findings):
    return {finding.case: finding.verdict for finding in findings}


@pytest.mark.parametrize("broken", [{"gate_rate": 0.0}, {"shuffle_labels": True}], ids=str)
def test_a_broken_setting_turns_the_log_law(run_sweep, broken):
    cases = [f"{model}-squared-gd" for model in GATED]
    found = verdicts(judge(run_sweep("rate-matrix", seeds=3, cases=cases, **broken)))
    assert set(found.values()) & {"holds"} == set()


def test_columns_exchanged_turn_the_verdicts(run_sweep):
    """Data of the logistic column under the name of the squared one."""
    tables = run_sweep("rate-matrix")
    rows = tables.main[tables.main["case"] == "mot-logistic-gd"]
    main = rows.assign(case="mot-squared-gd")
    found = verdicts(judge(Tables("rate-matrix", tables.meta, main, {})))
    assert found == {"mot-squared-gd": "fails"}


def test_too_little_data_is_inconclusive(run_sweep):
    tables = run_sweep("rate-matrix")
    one = tables.main[tables.main["seed"] == 0]
    for main in (one, one.head(1), one.assign(status="diverged"), one.head(0)):
        found = judge(Tables("rate-matrix", tables.meta, main, {}))
        assert {f.verdict for f in found} <= {"inconclusive"}
