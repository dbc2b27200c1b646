"""Last stages on the quick tier, and settings that must turn the verdicts."""

from dataclasses import replace

import numpy as np
import pytest

from motsim.claims._plateau import predicted_plateau
from motsim.claims._rates import depth_finding
from motsim.claims.last_stage import (
    judge,
    kappa_plateau,
    plateau_finding,
    plateaus,
    since_converging,
    total_steps,
)
from motsim.experiments.mixture.run import build_model, epsilon_grid, prepare, stages
from motsim.mixture.schedule import Descent
from motsim.mixture.training import train
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


def test_attention_near_the_identity_stops_where_the_least_distractor_says(run_sweep):
    main = run_sweep("last-stage").main
    ends = main[main["case"] == "linear-kappa-8"].groupby("run")["final_loss"].first()
    derived = kappa_plateau(case_settings("linear-kappa-8"))
    np.testing.assert_allclose(ends, derived, rtol=0.01)
    # Controls: of another kappa, and of nodes that lie elsewhere.
    for changes in ({"attention_scale": 8.1}, {"num_nodes": 5}):
        other = kappa_plateau(case_settings("linear-kappa-8", **changes))
        assert not 0.8 < other / derived < 1.25
    assert kappa_plateau(case_settings("linear-kappa-32")) < 1e-20


def test_stages_in_turns_go_on_below_the_plateau_of_one_and_are_no_logarithm(run_sweep):
    """Rounds count from the first stage III on; the control is one round."""
    tables = run_sweep("last-stage")
    rows = tables.main[tables.main["case"] == "linear-alternating"]
    counted = since_converging(tables, "linear-alternating", rows)
    assert (counted["stage_step"] <= rows["step"]).all()
    assert (counted["stage_step"] > rows["stage_step"]).any()
    assert np.isfinite(rows.loc[rows["epsilon"] < 1e-14, "step"].where(lambda s: s >= 0)).all()
    one = tables.main[tables.main["case"] == "linear-aligned-200"]
    assert (one.loc[one["epsilon"] < 1e-14, "step"] < 0).all()
    assert since_converging(tables, "linear-aligned-200", one) is one


def test_a_step_size_that_decays_is_another_clock():
    """At rate / (1 + t / slower) steps T become slower (exp(T / slower) - 1): a power, as deep."""
    settings = case_settings("linear-untrained").model_copy(update={"seed": 520000})
    points, start = prepare(settings)
    *before, last = stages(settings)
    slower, piece = 300.0, 10
    pieces = [
        replace(last, steps=piece, ffn=Descent(last.ffn.rate / (1.0 + (t + piece / 2) / slower)))
        for t in range(0, 1200, piece)
    ]
    plain, decaying = (
        train(
            build_model(settings), points, [*before, *end], start,
            epsilons=epsilon_grid(settings), seed=settings.seed,
        )
        for end in ([last], pieces)
    )  # fmt: skip
    assert decaying.status == plain.status == "reached"
    began = sum(stage.steps for stage in before)
    deep = plain.epsilons < 1e-9
    taken, slowed = (trace.hitting_steps[deep] - began for trace in (plain, decaying))
    np.testing.assert_allclose(slowed, slower * np.expm1(taken / slower), rtol=0.02)
    # Controls: no other clock, and one that decays later.
    assert slowed[-1] > 1.5 * taken[-1]
    assert abs(slowed[-1] / (400.0 * np.expm1(taken[-1] / 400.0)) - 1.0) > 0.1
