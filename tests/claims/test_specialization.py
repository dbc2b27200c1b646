"""Specialization on the quick tier, and settings that must turn its verdicts."""

import pandas as pd
import pytest

from motsim.claims.specialization import judge
from motsim.results.tables import Tables


def verdicts(findings):
    return {finding.case: finding.verdict for finding in findings}


@pytest.mark.parametrize(
    ("case", "broken"),
    [
        ("cubic", {"gate_rate": 0.0}),
        ("cubic", {"activation": "linear"}),
        ("linear-noise-apart", {"noise_support": "isotropic"}),
        ("linear-noise-apart", {"orthogonal_start": False}),
    ],
)
def test_broken_settings_turn_the_verdict(run_sweep, case, broken):
    short = {"align_steps": 0, "converge_steps": 0}
    tables = run_sweep("specialization", seeds=5, cases=[case], **short, **broken)
    assert verdicts(judge(tables))[case] == "fails"


def test_little_or_no_data_is_inconclusive(run_sweep):
    tables = run_sweep("specialization")
    first = {name: table[table["seed"] < 2] for name, table in tables.others.items()}
    few = tables.main[tables.main["seed"] < 2]
    nan = few.assign(status="diverged", dispatch_entropy=float("nan"))
    for main, others in ((few, first), (few.head(1), first), (pd.DataFrame(), {}), (nan, first)):
        judged = judge(Tables("specialization", tables.meta, main, others))
        assert {f.verdict for f in judged} == {"inconclusive"}
