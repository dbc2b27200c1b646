"""Gradient flow: closed forms, the engine's own descent as the step goes to 0, and refusals."""

import math
from dataclasses import replace

import numpy as np
import pytest
from scipy.optimize import brentq
from training_cases import SHORT, problem

from motsim.experiments.mixture.run import Settings, prepare, run, stages
from motsim.mixture.flow import disagreement, integrate
from motsim.mixture.model import Model, Routing
from motsim.mixture.schedule import FROZEN, Descent, Solver, Stage
from motsim.mixture.training import train
from motsim.plans.loading import load_sweep
from motsim.plans.plan import SweepError

METHODS = ["LSODA", "BDF", "Radau"]
DECADES = 10.0 ** -np.arange(1.0, 25.0)

# --- fields with known answers --------------------------------------------------------------------

CURVATURES = np.array([1.0, 1e-6])
AMPLITUDES = np.array([1.0, 1e-3])


def quadratic(end):
    """Two modes of curvatures 1 and 1e-6 around a minimum that need not be 0."""

    def velocity(p):
        return 0.5 * float(CURVATURES @ (p - end) ** 2), -CURVATURES * (p - end)

    return velocity, AMPLITUDES + end


def staircase(epsilon, curvatures=CURVATURES):
    """T(epsilon) of the two modes: two logarithms, and a stop between them."""

    def above(t):
        with np.errstate(under="ignore"):
            loss = 0.5 * float(curvatures @ (AMPLITUDES * np.exp(-curvatures * t)) ** 2)
        return math.log(max(loss, 1e-300) / epsilon)

    return brentq(above, 0.0, 1e9, xtol=1e-12, rtol=1e-14)


@pytest.mark.parametrize("end", [0.0, 1.0])
@pytest.mark.parametrize("method", METHODS)
def test_two_curvatures_give_two_logarithms_and_a_stop(method, end):
    velocity, start = quadratic(end)
    times = integrate(velocity, start, 1e12, DECADES, solver=Solver(method)).hitting_times
    want = np.array([staircase(epsilon) for epsilon in DECADES])
    assert want[12] / want[11] > 1e4  # the stop
    assert np.abs(times / want - 1).max() < 1e-4
    # Negative control: a curvature that is one per cent off.
    wrong = np.array([staircase(epsilon, 1.01 * CURVATURES) for epsilon in DECADES])
    assert np.abs(times / wrong - 1).min() > 1e-3


@pytest.mark.parametrize("method", METHODS)
def test_an_exponential_loss_takes_one_over_epsilon_exactly(method):
    def velocity(p):
        return math.exp(-p[0]), np.exp(-p)

    targets = 10.0 ** -np.arange(1.0, 13.0)
    found = integrate(velocity, np.zeros(1), 1e13, targets, solver=Solver(method))
    np.testing.assert_allclose(found.hitting_times, 1.0 / targets - 1.0, rtol=1e-5)
    assert np.abs(found.hitting_times / (1.0 / targets) - 1.0).max() > 0.01  # the constant is seen
    assert found.status == "reached"
    assert found.loss == pytest.approx(1e-12, rel=1e-9)


@pytest.mark.parametrize("method", METHODS)
def test_a_flat_direction_takes_the_power_two_thirds(method):
    def velocity(u):
        return float(u[0] ** 6), -(u**5)

    targets = 10.0 ** -np.arange(1.0, 19.0)
    times = integrate(velocity, np.ones(1), 1e16, targets, solver=Solver(method)).hitting_times
    np.testing.assert_allclose(times, (targets ** (-2 / 3) - 1.0) / 4.0, rtol=1e-4)
    wrong = (targets ** (-0.65) - 1.0) / 4.0
    assert np.abs(times / wrong - 1)[-1] > 0.1


def test_a_smaller_tolerance_is_closer_and_the_check_tells():
    velocity, start = quadratic(1.0)
    want = np.array([staircase(epsilon) for epsilon in DECADES[:14]])

    def times(solver):
        return integrate(velocity, start, 1e12, DECADES[:14], solver=solver).hitting_times

    errors = [np.abs(times(Solver(rtol=r)) / want - 1).max() for r in (1e-2, 1e-4, 1e-8)]
    assert errors[0] > 10 * errors[1] > 100 * errors[2]
    assert disagreement(times, Solver()) < 1e-4
    assert disagreement(times, Solver(rtol=1e-2)) > 1e-4  # negative control
    # A run that stops in between reaches other targets.
    assert (
        disagreement(lambda s: times(s) if s.rtol < 1e-6 else np.full(14, math.inf), Solver())
        == math.inf
    )


@pytest.mark.parametrize("method", METHODS)
def test_a_wrong_jacobian_costs_evaluations_and_changes_no_time(method):
    velocity, start = quadratic(1.0)
    exact = np.diag(-CURVATURES)
    skew = exact + 0.2 * np.array([[0.0, 1e-4], [-1e-6, 0.0]])
    runs = [
        integrate(
            velocity, start, 1e12, DECADES[:18], solver=Solver(method), jacobian=lambda _, j=j: j
        )
        for j in (exact, 0.7 * exact, skew)
    ]
    for other in runs[1:]:
        np.testing.assert_allclose(other.hitting_times, runs[0].hitting_times, rtol=1e-4)
    assert runs[1].cost.evaluations > runs[0].cost.evaluations


def test_a_jump_of_the_loss_is_hit_where_it_is():
    """Routing changes class: the loss jumps though the parameters do not."""

    def velocity(p):
        return (1.0 if p[0] < 2.0 else 1e-3) * math.exp(-p[0]), np.ones(1)

    found = integrate(velocity, np.zeros(1), 100.0, [0.05, 0.01, 1e-5])
    np.testing.assert_allclose(found.hitting_times, [2.0, 2.0, math.log(100.0)], rtol=1e-6)


def test_a_dip_back_above_counts_from_its_first_time():
    def velocity(p):
        return 1.0 - p[0], np.array([math.cos(p[1]), 1.0])

    found = integrate(velocity, np.zeros(2), 20.0, [0.5, 0.1])
    np.testing.assert_allclose(found.hitting_times, np.arcsin([0.5, 0.9]), rtol=1e-4)


def test_never_is_infinite_and_the_end_is_kept():
    velocity, start = quadratic(0.0)
    found = integrate(velocity, start, 50.0, [1e-3, 1e-30], keep=[0.0, 1.0, 50.0, 60.0])
    assert found.status == "max_steps"
    assert found.time == pytest.approx(50.0)
    assert found.hitting_times[1] == math.inf
    assert found.hitting_steps.tolist() == [math.ceil(found.hitting_times[0]), -1]
    assert sorted(found.kept) == [0.0, 1.0, 50.0]
    np.testing.assert_allclose(found.kept[1.0][1], AMPLITUDES * np.exp(-CURVATURES), rtol=1e-5)


def test_a_loss_that_is_not_finite_is_divergence():
    def velocity(p):
        with np.errstate(over="ignore"):
            return float(np.exp(p[0])), p**2

    assert integrate(velocity, np.ones(1), 2.0, [1e-3]).status == "diverged"


@pytest.mark.parametrize("method", METHODS)
def test_where_rounding_alone_moves_the_flow_ends(method):
    """A floor, and noise of 1e-17 of the velocity, as of a sum: times t, it is all there is."""
    rng = np.random.default_rng(0)

    def velocity(p, noise):
        slope = p - 1.0
        return 1e-14 + 0.5 * float(slope @ slope), -slope + noise * rng.standard_normal(2)

    ends = [
        integrate(
            lambda p, n=n: velocity(p, n), np.zeros(2), 1e16, [1e-3, 1e-20], solver=Solver(method)
        )
        for n in (1e-17, 0.0)
    ]
    for found in ends:
        assert found.status == "max_steps"
        assert found.hitting_times[0] == pytest.approx(math.log(1e3) / 2.0, rel=1e-4)
        assert found.loss == pytest.approx(1e-14, rel=1e-3)
    assert not ends[1].cost.ended_by_rounding
    assert ends[1].time == pytest.approx(1e16, rel=1e-9)


@pytest.mark.parametrize("t_end", [0.0, -1.0, math.inf, math.nan])
def test_an_end_that_is_not_positive_is_refused(t_end):
    with pytest.raises(ValueError, match="t_end must be finite and > 0; got"):
        integrate(quadratic(0.0)[0], AMPLITUDES, t_end)


# --- the engine's own field -----------------------------------------------------------------------

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


# --- what is refused ------------------------------------------------------------------------------

FLOW = {"preset": "cubic", "dynamics": "flow"}
TWO = [replace(SHORT[1], dynamics="flow"), SHORT[2]]
CONVERGE = "dynamics 'flow' of stage 'converge' needs "
#: What is asked for -> the whole message: the rule, the value, and the nearest that is possible.
REFUSED = {
    "normalized descent": (
        {"converge_optimizer": "normalized_gd"},
        CONVERGE + "optimizer 'gd'; got 'normalized_gd' for ffn: use 'gd', or dynamics 'descent'",
    ),
    "adam": (
        {"converge_optimizer": "adam", "schedule": "two_stage"},
        "dynamics 'flow' of stage 'joint' needs optimizer 'gd'; got 'adam' for ffn: use 'gd', or"
        " dynamics 'descent'",
    ),
    "sampled routing": (
        {"routing": "sampled"},
        CONVERGE + "routing 'expected'; got 'sampled': use 'expected', or dynamics 'descent'",
    ),
    "two experts at a time": (
        {"top_k": 2, "routing": "sampled"},
        CONVERGE + "top_k 1; got 2: use 1, or dynamics 'descent' with routing 'sampled'",
    ),
    "nothing that trains": (
        {"converge_rate": 0.0, "gate_rate": 0.0},
        CONVERGE + "a step size > 0; got 0 for ffn, attention, gate: use one > 0 for ffn, or"
        " dynamics 'descent'",
    ),
    "no time": ({"converge_steps": 0}, CONVERGE + "0 < steps <= 1e16; got 0: use 1"),
    "more time than floats count": (
        {"converge_steps": 10**17}, CONVERGE + f"0 < steps <= 1e16; got {10**17}: use 1e+16",
    ),
    "half a step": ({"converge_steps": 1.5}, "must be a whole number; got 1.5: use 2"),
    "a large tolerance": (
        {"flow_rtol": 0.5}, "flow_rtol must be between 1e-13 and 0.01; got 0.5: use 0.01",
    ),
    "a small tolerance": (
        {"flow_rtol": 1e-15}, "flow_rtol must be between 1e-13 and 0.01; got 1e-15: use 1e-13",
    ),
    "no error": ({"flow_atol": 0.0}, "flow_atol must be > 0 and <= 0.01; got 0.0: use 3e-14"),
    "any error": ({"flow_atol": 1.0}, "flow_atol must be > 0 and <= 0.01; got 1.0: use 0.01"),
    "new samples": (
        {"new_samples": 8},
        "new_samples needs dynamics 'descent'; got 'flow': use 'descent', or new_samples 0",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_a_refusal_names_the_rule_the_value_and_what_is_possible(name):
    asked, message = REFUSED[name]
    with pytest.raises(ValueError, match="Value error") as refused:
        Settings(**{**FLOW, **asked})
    assert refused.value.errors()[0]["msg"] == f"Value error, {message}"


#: What is refused and what its message offers instead, which must pass.
OFFERED = {
    "sampled routing": {"routing": "expected"},
    "two experts at a time": {"top_k": 1, "routing": "expected"},
    "normalized descent": {"converge_optimizer": "gd"},
    "nothing that trains": {"converge_rate": 0.1},
    "no time": {"converge_steps": 1},
    "more time than floats count": {"converge_steps": 1e16},
    "half a step": {"converge_steps": 2},
    "a small tolerance": {"flow_rtol": 1e-13},
    "a large tolerance": {"flow_rtol": 0.01},
    "no error": {"flow_atol": 3e-14},
    "any error": {"flow_atol": 0.01},
    "new samples": {"new_samples": 0},
}


@pytest.mark.parametrize("name", OFFERED)
def test_what_a_refusal_offers_is_taken(name):
    settings = Settings(**{**FLOW, **REFUSED[name][0], **OFFERED[name]})
    assert stages(settings)[-1].dynamics == "flow"


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ('dynamics = "flo"', "Input should be 'descent' or 'flow'; did you mean 'flow'?"),
        ('flow_method = "RADAU"', "'LSODA', 'BDF' or 'Radau'; did you mean 'Radau'?"),
        ('flow_method = "RK45"', "flow_method = 'RK45': Input should be 'LSODA', 'BDF' or 'Radau'"),
    ],
)
def test_a_sweep_file_is_told_the_nearest_word(tmp_path, asked, message):
    path = tmp_path / "deep.toml"
    path.write_text(f'title = "deep"\nkind = "mixture"\nseeds = 2\n[fixed]\n{asked}\n')
    with pytest.raises(SweepError) as refused:
        load_sweep(str(path)).cells()
    assert str(refused.value).endswith(message)


def test_only_the_last_stage_flows():
    model, points, start = problem()
    with pytest.raises(ValueError, match="needs the last stage; got stage 1 of 2: use 'converge'"):
        train(model, points, TWO, start)
    with pytest.raises(ValueError, match="dynamics must be one of descent, flow; got 'flo'; did"):
        replace(SHORT[1], dynamics="flo")


@pytest.mark.parametrize("options", [{}, {"routing": "sampled", "preset": "single"}])
def test_what_a_flow_can_do_is_not_refused(options):
    """Routing means nothing without a gate, normalized descent nothing before the last stage."""
    settings = Settings(**{**FLOW, **options})
    assert stages(settings)[-1].dynamics == "flow"
    assert stages(settings)[-1].solver == Solver()


# --- settings -------------------------------------------------------------------------------------


def test_steps_of_a_flow_may_be_written_as_a_power_of_ten():
    assert Settings(**FLOW, converge_steps=1e16).converge_steps == 10**16
    assert stages(Settings(**FLOW, converge_steps=1e12))[-1].steps == 10**12


def test_defaults_are_left_out_of_keys():
    """Runs that were stored before there were flows have the settings that they had."""
    later = {"dynamics", "flow_method", "flow_rtol", "flow_atol"}
    assert not later & Settings().model_dump().keys()
    assert Settings(**FLOW).model_dump().keys() & later == {"dynamics"}
    again = Settings(**Settings(**FLOW, flow_rtol=1e-8).model_dump())
    assert again == Settings(**FLOW, flow_rtol=1e-8)


def test_a_sweep_file_can_say_flow(tmp_path):
    path = tmp_path / "deep.toml"
    path.write_text(
        'title = "deep"\nkind = "mixture"\nseeds = 2\n[fixed]\npreset = "cubic"\n'
        '[case.descent]\n[case.flow]\ndynamics = "flow"\nconverge_steps = 1e16\n'
    )
    descent, _, flow, _ = load_sweep(str(path)).cells()
    assert flow.settings.converge_steps == 10**16
    assert stages(flow.settings)[-1].dynamics == "flow"
    assert flow.key != descent.key
    assert flow.cost < 3600  # not that of as many steps
    path.write_text(path.read_text() + 'routing = "sampled"\n')
    with pytest.raises(SweepError, match="'converge' needs routing 'expected'; got 'sampled'"):
        load_sweep(str(path)).cells()
