"""Last stages on the quick tier, and settings that must turn the verdicts."""

from dataclasses import replace

import numpy as np
import pytest

from motsim.claims._plateau import predicted_plateau
from motsim.claims._rates import depth_finding
from motsim.claims.last_stage import judge, plateau_finding, plateaus, total_steps
from motsim.plans.loading import load_sweep

STOP = ["linear-aligned-20", "linear-aligned-200", "linear-together", "cubic-aligned", "cubic-none"]


def verdicts(findings):
    return {finding.case: finding.verdict for finding in findings}


def case_settings(case, **changes):
    cells = load_sweep("last-stage").cells("quick", changes, 1)
    return next(cell.settings for cell in cells if cell.labels["case"] == case)


@pytest.mark.parametrize("case", STOP)
def test_the_end_of_a_logarithm_is_seen_only_below_it(run_sweep, case):
    """Control: the same runs, looked at no further than a decade above it, keep theirs."""
    main = run_sweep("last-stage").main
    rows = main[main["case"] == case]
    found = depth_finding(case, rows)
    assert found.verdict == "fails"
    above = rows[rows["epsilon"] > 20 * found.interval.high]
    assert depth_finding(case, above).verdict == "holds"


@pytest.mark.parametrize("broken", [{"shuffle_labels": True}, {"gate_rate": 0.0}])
def test_labels_or_a_gate_without_meaning_turn_the_verdict(run_sweep, broken):
    tables = run_sweep("last-stage", seeds=6, cases=["linear-untrained"], **broken)
    found = {f.case: f for f in judge(tables)}
    assert found["linear-untrained"].verdict != "holds"
    assert "0 of 6 runs specialize" in found["linear-untrained"].evidence


def test_attention_trained_after_all_turns_the_verdict(run_sweep):
    tables = run_sweep("last-stage", seeds=6, cases=["linear-untrained"], align_steps=200)
    assert verdicts(judge(tables))["linear-untrained"] == "fails"


@pytest.mark.parametrize("kind", ["linear", "cubic"])
def test_the_plateau_of_another_seed_is_not_this_ones(run_sweep, kind):
    rows = plateaus(run_sweep("last-stage"), kind)
    assert plateau_finding(f"{kind} plateau", rows).verdict == "holds"
    for turn in (1, 2, 3, 4, 5):
        other = rows.assign(
            predicted=rows.groupby("case")["predicted"].transform(
                lambda column, turn=turn: np.roll(column, turn)
            )
        )
        assert plateau_finding(f"{kind} plateau", other).verdict != "holds"


def test_the_plateau_follows_what_attention_learnt():
    """None where it was never trained; more of it after 200 steps than after 20."""
    zero, some, more = (
        predicted_plateau(case_settings(f"linear-{case}"))
        for case in ("untrained", "aligned-20", "aligned-200")
    )
    assert zero < 1e-25
    assert 1e-17 < some < more / 10


def test_the_cubic_plateau_is_of_sixth_order_in_the_start(run_sweep):
    """Of the prediction alone: a start five times as large leaves about 5^6 times as much."""
    usual, large = (
        predicted_plateau(case_settings("cubic-none", init_std=std)) for std in (0.003, 0.015)
    )
    assert 5**5 < large / usual < 5**7


def test_costs_count_all_steps_and_say_where_it_is_never(run_sweep):
    tables = run_sweep("last-stage")
    main = tables.main
    untrained = total_steps(main[main["case"] == "linear-untrained"])
    assert (untrained > 1500).all()
    assert np.isfinite(untrained).all()
    assert np.isinf(total_steps(main[main["case"] == "cubic-aligned"])).all()
    swap = {"linear-untrained": "linear-aligned-200", "linear-aligned-200": "linear-untrained"}
    exchanged = replace(tables, main=main.assign(case=main["case"].replace(swap)))
    assert verdicts(judge(exchanged))["cost"] == "fails"
