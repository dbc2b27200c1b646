"""Three stages against fewer, and settings that must turn the verdicts."""

import numpy as np
import pandas as pd
import pytest

from motsim.claims.staging import judge, share_difference
from motsim.results.tables import Tables


def verdicts(findings):
    return {finding.case: finding.verdict for finding in findings}


@pytest.mark.parametrize("broken", [{"gate_rate": 0.0}, {"shuffle_labels": True}], ids=str)
def test_a_broken_setting_leaves_no_advantage(run_sweep, broken):
    found = verdicts(judge(run_sweep("staging", seeds=12, cases=["cubic"], **broken)))
    assert set(found.values()) & {"holds"} == set()


def test_schedules_exchanged_turn_the_verdict(run_sweep):
    tables = run_sweep("staging")
    swap = {"three_stage": "two_stage", "two_stage": "three_stage"}
    main = tables.main.replace({"schedule": swap})
    found = verdicts(judge(Tables("staging", tables.meta, main, {})))
    assert found["cubic two_stage at 1e-06"] == "holds"


def lost(main, schedule, seeds):
    """Runs of cubic experts with these seeds end without an expert for one class."""
    here = (main["case"] == "cubic") & (main["schedule"] == schedule) & main["seed"].isin(seeds)
    return main.assign(covered_classes=main["covered_classes"].mask(here, 3.0))


def test_one_lost_run_of_three_stages_turns_nothing(run_sweep):
    tables = run_sweep("staging")
    before, after = (
        judge(Tables("staging", tables.meta, main, {}))
        for main in (tables.main, lost(tables.main, "three_stage", [1]))
    )
    assert [f.verdict for f in after if " at " in f.case] == [
        f.verdict for f in before if " at " in f.case
    ]
    assert all(np.isfinite(f.interval.value) for f in after)


def test_a_schedule_that_loses_runs_is_seen(run_sweep):
    """Negative control of the share: two stages are said to lose 18 of 24 runs."""
    tables = run_sweep("staging")
    main = lost(tables.main, "two_stage", range(18))
    found = verdicts(judge(Tables("staging", tables.meta, main, {})))
    assert found["cubic two_stage share"] == "holds"


REST = (((0.1, 0.1), 24), ((0.3, 0.2), 40))


@pytest.mark.parametrize(
    ("chance", "n"),
    [((0.0, 0.4), 24), *(pytest.param(*more, marks=pytest.mark.slow) for more in REST)],
)
def test_the_difference_of_shares_covers(chance, n):
    """Exact limits: at least 95 %, seed 20. A pair succeeds in one of the two, or alike."""
    rng = np.random.default_rng(20)
    gained, lost_too = chance
    held = 0
    for _ in range(200):
        u = rng.random(n)
        ours = np.where(u < gained, 3.0, 4.0)
        theirs = np.where((u >= gained) & (u < gained + lost_too), 3.0, 4.0)
        a, b = (
            pd.DataFrame({"run": range(n), "seed": range(n), "covered_classes": covered}).assign(
                status="reached", stage_length=1.0, epsilon=1e-3, step=5
            )
            for covered in (theirs, ours)
        )
        held += share_difference(a, b).contains(gained - lost_too)
    assert held >= 190 - 5  # two standard errors below 95 %


def test_too_little_data_is_inconclusive(run_sweep):
    tables = run_sweep("staging")
    one = tables.main[tables.main["seed"] == 0]
    for main in (one, one.head(1), one.assign(status="diverged"), one.head(0)):
        found = judge(Tables("staging", tables.meta, main, {}))
        assert {f.verdict for f in found} <= {"inconclusive"}
