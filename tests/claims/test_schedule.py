"""Lengths of stages I and II, and settings that must turn the verdicts."""

import pandas as pd
import pytest

from motsim.claims.schedule import judge
from motsim.results.tables import Tables


def verdicts(findings):
    return {finding.case: finding.verdict for finding in findings}


SEEDS = {"cubic": 6, "leaky": 12}  # enough to tell a share from a half, and a median from a third


@pytest.mark.parametrize(
    "broken", [{"gate_rate": 0.0}, {"shuffle_labels": True}, {"align_rate": 0.0}], ids=str
)
def test_a_broken_setting_turns_the_verdicts(run_sweep, broken):
    """No gate or no labels: no threshold. No step in stage II: no effect of T2."""
    case = "leaky" if "align_rate" in broken else "cubic"
    name = "T2 helps, kappa = 4" if case == "leaky" else "threshold in T1"
    sound = verdicts(judge(run_sweep("schedule", seeds=SEEDS[case], cases=[case])))
    assert sound[name] == "holds"
    found = verdicts(judge(run_sweep("schedule", seeds=SEEDS[case], cases=[case], **broken)))
    # a quarter of the leaky runs gain 0.7 decades in stage II by the gate alone
    assert found[name] in ({"fails", "inconclusive"} if case == "leaky" else {"fails"})
    assert "holds" not in found.values()


def test_a_threshold_that_ignores_the_gate_is_refused(run_sweep):
    """The runs of one step size of the gate presented as those of all."""
    tables = run_sweep("schedule")
    gate = tables.main[tables.main["case"] == "gate"]
    same = gate[gate["gate_rate"] == 20.0]
    fake = [same.assign(gate_rate=rate) for rate in (2.5, 20.0, 160.0)]
    main = pd.concat(fake, ignore_index=True)
    main["run"] = main["run"] + main["gate_rate"].astype(str)
    found = verdicts(judge(Tables("schedule", tables.meta, main, {})))
    assert found["threshold against the gate's step"] == "fails"


def test_too_little_data_is_inconclusive(run_sweep):
    tables = run_sweep("schedule")
    one = tables.main[tables.main["seed"] == 0]
    for main in (one, one.head(1), one.assign(status="diverged"), one.head(0)):
        found = judge(Tables("schedule", tables.meta, main, {}))
        assert {f.verdict for f in found} <= {"inconclusive"}
