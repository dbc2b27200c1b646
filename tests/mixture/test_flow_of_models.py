"""Gradient flow of models: the engine's own descent as the step goes to 0, and runs."""

from dataclasses import replace

import numpy as np
import pytest

from motsim.experiments.mixture.run import Settings, prepare, run, stages
from motsim.mixture.flow import disagreement
from motsim.mixture.model import Model, Routing
from motsim.mixture.schedule import FROZEN, Descent, Solver, Stage
from motsim.mixture.training import train
from tests.mixture.problems import SHORT, problem

TIME = 24
RATES = (0.02, 0.1, 0.5)  # FFN, attention, gate


def last_stage(steps, slower=1, dynamics="descent", attention=True, **options):
    ffn, att, gate = (Descent(rate / slower) for rate in RATES)
    routing = Routing(**({"scale": 0.3} | options))
    part = att if attention else FROZEN
    solver = Solver(rtol=1e-9)
    return Stage("last", steps * slower, ffn, part, gate, routing, dynamics, solver)


CASES = {
    "single, linear": (Model("single", 3, "linear"), {}, {}),
    "single, cubic, logistic": (Model("single", 3, "cubic"), {}, {"loss": "logistic"}),
    "mot, all parts": (Model("mot", 4, "cubic"), {}, {}),
    "mot, frozen attention": (Model("mot", 4, "linear"), {}, {"attention": False}),
    "shared, logistic": (Model("shared", 4, "cubic"), {}, {"loss": "logistic"}),
    "moe": (Model("moe", 4, "linear"), {}, {}),
    "similar signals": (Model("mot", 4, "cubic"), {"similarity": 0.4}, {}),
    "noise tokens": (Model("mot", 4, "linear"), {"num_tokens": 5, "noise_std": 0.5}, {}),
    "load balance": (Model("mot", 4, "cubic"), {}, {"load_balance": 0.1}),
}


def end_loss(case, slower, dynamics="descent", **options):
    model, mixture, how = CASES[case]
    how = dict(how)
    loss = how.pop("loss", "squared")
    model, points, start = problem(model, **mixture)
    stage = last_stage(TIME, slower, dynamics, **how, **options)
    return train(model, points, [stage], start, loss=loss).final_loss


@pytest.mark.parametrize("case", CASES)
def test_descent_comes_to_the_flow_in_proportion_to_its_step(case):
    flow = end_loss(case, 1, "flow")
    gaps = np.array([end_loss(case, slower) - flow for slower in (8, 16, 32)])
    np.testing.assert_allclose(gaps[:-1] / gaps[1:], 2.0, rtol=0.06)
    assert np.abs(gaps[-1]) > 1e-7 * flow  # a difference that is seen
    # Negative control: a flow that ends elsewhere is no limit of descent.
    shifted = gaps + 0.3 * gaps[-1]
    assert np.abs(shifted[:-1] / shifted[1:] / 2.0 - 1.0).max() > 0.06


def test_an_odd_model_stays_odd_in_half_the_points():
    settings = Settings(preset="linear", num_experts=8, specialize_steps=300, align_steps=20,
                        converge_steps=40, dynamics="flow", gate_rate=10.0)  # fmt: skip
    points, start = prepare(settings)
    model = Model("mot", 8, "linear")
    half, whole = (
        train(model, points, stages(settings), start, use_mirror=mirror, epsilons=[1e-3])
        for mirror in (True, False)
    )
    assert half.final_loss == pytest.approx(whole.final_loss, rel=1e-5)
    signals = points.signals.class_signals
    assert np.abs(half.parameters.ffn @ signals.T).max() == pytest.approx(0.0, abs=1e-12)


PRESETS = {
    "cubic": ({"preset": "cubic", "specialize_steps": 850}, 1e-6, 0.05),
    "linear": ({"preset": "linear", "num_experts": 32}, 1e-12, 0.03),
    "single": ({"preset": "single", "num_experts": 1, "loss": "logistic", "converge_rate": 0.5,
                "align_rate": 0.5, "converge_steps": 20_000}, 1e-3, 0.02),
}  # fmt: skip


@pytest.mark.parametrize("name", PRESETS)
def test_presets_reach_what_descent_reaches_as_soon(name):
    options, epsilon, within = PRESETS[name]
    options = {**options, "epsilon_min": epsilon, "epsilons_per_decade": 2}
    descent = run(Settings(**options))
    flow = run(Settings(**options, dynamics="flow"))
    assert descent.status == flow.status == "reached"
    one, other = (np.array(r.tables["hits"]["stage_step"]) for r in (descent, flow))
    assert (np.abs(one - other) <= np.maximum(within * one, 2)).all(), (one, other)
    assert len(one) >= 5  # there is something to compare
    assert one.max() > 20
    assert flow.metrics["flow_evaluations"] > 0
    assert "flow_evaluations" not in descent.metrics
    curve = flow.tables["curve"]
    assert curve["step"] == sorted(set(curve["step"]))
    assert curve["loss"][-1] == pytest.approx(epsilon, rel=1e-6)


def test_a_run_is_the_same_twice_and_says_what_it_took():
    model, points, start = problem(Model("single", 3, "cubic"))
    one, other = (
        train(model, points, [last_stage(10**6, dynamics="flow")], start, epsilons=[1e-2, 1e-3],
              snapshot_steps=[0, 5, 10**5])
        for _ in range(2)
    )  # fmt: skip
    np.testing.assert_array_equal(one.trace_losses, other.trace_losses)
    np.testing.assert_array_equal(one.flow_times, other.flow_times)
    np.testing.assert_array_equal(one.parameters.ffn, other.parameters.ffn)
    assert one.flow == other.flow
    assert one.flow.method == "LSODA"
    assert one.flow.evaluations > one.flow.steps > 10
    assert one.hitting_steps.tolist() == np.ceil(one.flow_times).astype(int).tolist()
    assert one.stages[-1].stop == one.num_steps
    assert 5 in one.snapshots
    assert (one.num_steps < 10**5) == (10**5 not in one.snapshots)


def test_the_check_of_errors_takes_runs_of_the_engine():
    model, points, start = problem(Model("single", 3, "cubic"))

    def times(solver):
        stage = replace(last_stage(10**9, dynamics="flow"), solver=solver)
        return train(model, points, [stage], start, epsilons=[1e-1, 1e-2, 1e-4]).flow_times

    assert disagreement(times, Solver()) < 1e-4
    assert disagreement(times, Solver(rtol=1e-2)) > 1e-4  # negative control


def test_descent_before_a_flow_counts_in_the_steps():
    model, points, start = problem()
    schedule = [*SHORT[:2], replace(SHORT[2], dynamics="flow", steps=10**5)]
    plain = train(model, points, SHORT[:2], start)
    trace = train(model, points, schedule, start, epsilons=[0.2, 1e-2])
    assert trace.stages[-1].start == 50
    assert trace.stage_hitting_steps.shape == (3, 2)
    own = trace.stage_hitting_steps[-1]
    assert (trace.hitting_steps == 50 + own)[own > 0].all()
    np.testing.assert_array_equal(trace.snapshots[50].ffn, plain.parameters.ffn)
    assert (np.diff(trace.trace_steps) > 0).all()
    assert len(trace.trace_steps) == len(trace.trace_losses)
