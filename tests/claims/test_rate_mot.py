"""Law and derived constant of the mixture, on the quick tier, and settings that must turn them."""

import numpy as np
import pytest

from motsim.claims.rate_mot import judge, one_number
from motsim.results.tables import Tables


def verdicts(findings):
    return {finding.case: finding.verdict for finding in findings}


@pytest.mark.parametrize(
    "broken", [{"gate_rate": 0.0}, {"shuffle_labels": True}, {"activation": "linear"}], ids=str
)
def test_a_broken_setting_turns_law_and_constant(run_sweep, broken):
    """Gate frozen; labels shuffled; linear experts from a generic start: no expert a class."""
    found = verdicts(judge(run_sweep("rate-mot", seeds=3, cases=["classes"], **broken)))
    assert set(found.values()) & {"holds"} == set()


def test_the_neighboring_step_size_is_refused(run_sweep):
    """Runs at one step size presented as another: the constant fails, the law still holds."""
    tables = run_sweep("rate-mot")
    main = tables.main.replace({"converge_rate": {0.01: 0.0125}})
    found = verdicts(judge(Tables("rate-mot", tables.meta, main, {})))
    assert found["cubic N=4 eta=0.0125 constant"] == "fails"
    assert found["cubic N=4 eta=0.0125"] == "holds"


def test_the_other_laws_data_turn_the_verdict(run_sweep):
    tables = run_sweep("rate-mot")
    main = tables.main[tables.main["case"] == "logistic"].assign(case="cubic")
    found = verdicts(judge(Tables("rate-mot", tables.meta, main, {})))
    assert set(found.values()) == {"fails"}


def test_too_little_data_is_inconclusive(run_sweep):
    tables = run_sweep("rate-mot")
    one = tables.main[tables.main["seed"] == 0]
    for main in (one, one.head(1), one.assign(status="diverged"), one.head(0)):
        found = judge(Tables("rate-mot", tables.meta, main, {}))
        assert {f.verdict for f in found} <= {"inconclusive"}


def test_derived_steps_near_the_minimum_have_the_rate_of_the_curvature():
    e = np.geomspace(1e-6, 1e-9, 4)
    steps = one_number("cubic", 4, 0.01, e)
    assert np.diff(steps) == pytest.approx(np.log(10) / (-2 * np.log(1 - 0.0225)), rel=2e-3)
