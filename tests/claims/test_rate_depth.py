"""Predicted staircases on the quick tier; predictions that are wrong on purpose must be refused."""

from dataclasses import replace

import numpy as np
import pytest

from motsim.claims._crossing import crossing
from motsim.claims._spectrum import Spectrum, linearized, residual_jacobian
from motsim.claims._staircase import Staircase, factor_apart
from motsim.claims.rate_depth import (
    COMPARED,
    DEEP,
    DERIVED,
    TOLERANCE,
    WRONG,
    at_finite_epsilon,
    distances,
    exponent_constants,
    judge,
)
from motsim.experiments.mixture.run import Settings, build_model, epsilon_grid, prepare, stages
from motsim.mixture.data import Mixture, make_signals
from motsim.mixture.evaluation import evaluate, loss_and_gradients
from motsim.mixture.model import ModelParameters, Routing
from motsim.mixture.points import population
from motsim.mixture.schedule import Descent, Stage
from motsim.mixture.training import train

STEADY = [pair for pair in COMPARED if pair not in WRONG]


@pytest.mark.parametrize(("case", "way"), STEADY)
def test_another_seeds_start_and_other_rates_are_refused(run_sweep, case, way):
    """Rates times 1.2 for the spectrum, times 3 where the factor is 1.5."""
    tables = run_sweep("rate-depth")
    factor = COMPARED[case, way][0]
    pace = 1.2 if way == "spectrum" else 3.0
    own = distances(tables, case, way)
    for wrong in (
        distances(tables, case, way, other=True),
        distances(tables, case, way, pace=pace),
    ):
        assert wrong.notna().any()
        assert (wrong <= factor).mean() < 0.5 < (own <= factor).mean()


def test_the_rules_are_closer_than_rates_twenty_percent_off(run_sweep):
    tables = run_sweep("rate-depth")
    own, faster = (distances(tables, "cubic-aligned", "rules", pace=p) for p in (1.0, 1.2))
    assert own.median() < 1.1 < faster.median()


def test_labels_without_meaning_leave_nothing_to_compare(run_sweep):
    tables = run_sweep("rate-depth", seeds=3, cases=["linear-untrained"], shuffle_labels=True)
    found = {f.case: f for f in judge(tables)}["linear-untrained spectrum"]
    assert found.verdict == "inconclusive"
    assert "0 of 3 runs specialize" in found.evidence


def test_the_constant_of_the_other_activation_is_refused(run_sweep):
    main = run_sweep("rate-depth").main
    for case, other in (("head-linear", "head-cubic"), ("head-cubic", "head-linear")):
        constants = exponent_constants(main[main["case"] == case])
        assert abs(np.median(constants) - DERIVED[case]) < TOLERANCE
        assert (np.abs(constants - DERIVED[other]) > TOLERANCE).mean() > 0.8


def test_a_constant_is_larger_at_finite_epsilon():
    """That of dm/dt = m^(4/3) eps with eps = log(1 + e^-m) / 4, by its integral."""
    m = np.linspace(5.0, 40.0, 200_001)
    steps = (m[1] - m[0]) * np.cumsum((1.0 + np.exp(m)) / m ** (4 / 3))
    x = -np.log(np.log1p(np.exp(-m)) / 4.0)
    used = (x > -np.log(DEEP)) & (x < -np.log(1e-15))
    seen = -np.polyfit(np.log(x[used]), np.log(steps[used]) - x[used], 1)[0]
    assert at_finite_epsilon(4 / 3, 1e-15) == pytest.approx(seen, rel=0.02)
    assert abs(seen - 4 / 3) > 0.1  # control
    assert at_finite_epsilon(0.0, 1e-15) == 0.0


def test_constants_of_a_law_that_has_them(run_sweep):
    """T = log(1/eps)^-c / eps put in place of the measured times gives c back."""
    rows = run_sweep("rate-depth").main
    rows = rows[rows["case"] == "head-cubic"]
    for c in (0.0, 0.7, 4.0 / 3.0):
        x = np.log(1.0 / rows["epsilon"].astype(float))
        law = rows.assign(stage_step=np.ceil(1e3 * np.exp(x) * x**-c).astype(np.int64))
        assert exponent_constants(law) == pytest.approx(c, abs=1e-4)


# --- the Jacobian -----------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["mot", "moe"])
@pytest.mark.parametrize("activation", ["linear", "cubic"])
def test_jacobian_against_the_engines_gradient(kind, activation):
    """J^T W r is minus the gradient of the loss, where routing is all but certain."""
    settings = Settings(preset="linear", activation=activation, model=kind, num_experts=3)
    model = build_model(settings)
    data = Mixture(num_classes=2, dim=6, num_tokens=4, noise_std=0.5)
    signals = make_signals(data, 3)
    points = population(data, signals, num_nodes=2, noise_replicates=2, seed=3)
    rng = np.random.default_rng(5)
    gate = np.zeros((3, 6))
    gate[:2] = 4.0 * signals.class_signals
    at = ModelParameters(
        rng.standard_normal((3, 1, 6)),
        0.5 * rng.standard_normal((model.num_attentions, 6, 6)),
        gate + 0.1 * rng.standard_normal((3, 6)),
    )
    stage = Stage("joint", 1, Descent(0.1), Descent(0.3), Descent(2.0), Routing(scale=1e-3))
    residual, jacobian = residual_jacobian(model, at, points, stage)
    found = evaluate(model, at, points)
    assert residual == pytest.approx(1.0 - points.labels * found.prediction)
    _, g = loss_and_gradients(model, at, points, routing=stage.routing)
    # lengths are those in any orthonormal coordinates: of D^1/2 grad, all trained parts together
    expected = 0.1 * (g.ffn**2).sum() + 0.3 * (g.attention**2).sum() + 2.0 * (g.gate**2).sum()
    used = np.unique(found.routed)
    assert set(used) >= {0, 1}
    assert ((jacobian.T @ (points.weights * residual)) ** 2).sum() == pytest.approx(expected)


def test_the_spectrum_follows_descent_of_a_frozen_linear_expert():
    """Small steps of the engine's own descent, stage III alone, against L(t)."""
    settings = Settings(
        preset="linear", num_experts=16, align_steps=200, converge_rate=0.001, converge_steps=4000,
        seed=530000,
    )  # fmt: skip
    points, start = prepare(settings)
    model, schedule = build_model(settings), stages(settings)
    before = train(model, points, schedule[:-1], start, seed=settings.seed).parameters
    spectrum = linearized(model, before, points, schedule[-1])
    trace = train(model, points, schedule[-1:], before, seed=settings.seed)
    steps = trace.trace_steps.astype(float)
    assert trace.trace_losses == pytest.approx(spectrum.loss(steps), rel=2e-3)
    faster = replace(spectrum, values=1.2 * spectrum.values)
    assert trace.trace_losses != pytest.approx(faster.loss(steps), rel=2e-3)


def test_attention_trained_together_is_met_from_later_on():
    """What the start does not hold is of second order in the residual."""
    settings = Settings(
        preset="linear", num_experts=16, schedule="two_stage", dynamics="flow", epsilon_min=1e-20,
        converge_steps=10**5, seed=530000,
    )  # fmt: skip
    points, start = prepare(settings)
    model, (first, joint) = build_model(settings), stages(settings)
    at = train(model, points, [first], start, seed=settings.seed).parameters
    eps = epsilon_grid(settings)
    times = train(model, points, [joint], at, epsilons=eps.tolist()).flow_times
    apart = []
    for begin in (0, 30, 60):
        if begin:
            part = replace(joint, steps=begin)
            later = train(model, points, [part], at, epsilons=[1e-25]).parameters
        curve = Staircase.of(linearized(model, later if begin else at, points, joint).loss)
        left = times > begin + 1
        apart.append(factor_apart(curve, eps[left], np.ceil(times[left] - begin), 1e5) - 1.0)
    assert apart[0] > 0.5
    assert apart[2] < 0.03
    assert apart[2] < apart[1] / 5 < apart[0] / 25


# --- distance ---------------------------------------------------------------------------------

GRID = 10.0 ** -np.arange(1.0, 13.0, 0.25)
STAIRS = Spectrum(np.array([0.1, 1e-6]), np.array([1.0, 1e-3]), 1e-11)


def test_a_staircase_gives_its_own_times_back():
    """Two logarithms, a stop between them, and a floor, in closed form."""
    curve = Staircase.of(STAIRS.loss)
    early, late = np.log(0.5 / 1e-3) / 0.2, np.log(0.5e-6 / 1e-9) / 2e-6
    assert curve.times([1e-3, 1e-9, 1e-12]) == pytest.approx([early, late, np.inf], rel=0.02, abs=0)
    hits = np.where(np.isfinite(curve.times(GRID)), np.ceil(curve.times(GRID)), -1)
    assert factor_apart(curve, GRID, hits, 1e12) == pytest.approx(1.0, abs=1e-5)


@pytest.mark.parametrize(
    "wrong",
    [
        replace(STAIRS, values=1.2 * STAIRS.values),
        replace(STAIRS, components=np.array([1.0, 2e-3])),
        replace(STAIRS, floor=2e-11),
        replace(STAIRS, floor=0.0),
    ],
    ids=["rates", "plateau", "floor", "no floor"],
)
def test_a_wrong_staircase_is_apart(wrong):
    times = Staircase.of(wrong.loss).times(GRID)
    hits = np.where(times < 1e12, np.ceil(np.minimum(times, 1e12)), -1)
    assert factor_apart(Staircase.of(STAIRS.loss), GRID, hits, 1e12) > 1.15


def test_a_plateau_one_percent_off_is_one_percent_apart():
    """T there differs by more than a factor ten."""
    near = replace(STAIRS, components=np.array([1.0, 1e-3 * np.sqrt(1.01)]))
    eps = np.array([0.5e-6 * 1.005])
    one, other = (Staircase.of(s.loss).times(eps)[0] for s in (STAIRS, near))
    assert other > 20 * one
    apart = factor_apart(Staircase.of(STAIRS.loss), eps, np.ceil([other]), 1e12)
    assert apart == pytest.approx(1.01, abs=0.006)


def test_nothing_to_compare_is_infinitely_far():
    assert factor_apart(Staircase.of(STAIRS.loss), GRID, np.zeros(len(GRID)), 1e3) == np.inf


# --- cubic experts ----------------------------------------------------------------------------


def cubic_start(leaky, across):
    """Settings, model, points, stage III and specialized parameters with given components."""
    settings = Settings(preset="cubic", model="mot" if leaky else "moe", num_experts=4)
    model, stage = build_model(settings), stages(settings)[-1]
    points, start = prepare(settings)
    v, c = points.signals.classification_signals, points.signals.class_signals
    ffn = v + across * (v.sum(0) - v)
    at = replace(start, ffn=ffn[:, None, :], gate=40.0 * c)
    return model, at, points, stage


def test_small_components_die_by_the_leak_and_large_ones_by_a_power():
    model, at, points, stage = cubic_start(True, 1e-4)
    late = np.array([1e9, 2e9])
    leak = evaluate(model, at, points).attention[0][2, 1, points.classes == 0].mean()
    squares = np.average(np.linalg.norm(points.tokens[:, 2], axis=1) ** 2, weights=points.weights)
    rate = 9.0 * leak**2 * squares * stage.ffn.rate / 12
    slope = np.diff(np.log(crossing(model, at, points, stage).loss(late)))[0] / 1e9
    assert slope == pytest.approx(-2.0 * rate, rel=0.02)

    model, at, points, stage = cubic_start(False, 1e-2)
    first, last = crossing(model, at, points, stage).loss(np.array([1e13, 1e15]))
    assert np.log(first / last) / np.log(100.0) == pytest.approx(1.5, abs=0.02)


def test_the_rules_follow_descent_along_v():
    """Only the component along v_n: descent with small steps against L(t)."""
    model, at, points, stage = cubic_start(False, 0.0)
    at = replace(at, ffn=0.8 * at.ffn)
    stage = replace(stage, steps=20000, ffn=Descent(0.0005))
    trace = train(model, points, [stage], at)
    rules = crossing(model, at, points, stage).loss(trace.trace_steps.astype(float))
    seen = trace.trace_losses > 1e-12
    assert seen.sum() > 20
    assert trace.trace_losses[seen] == pytest.approx(rules[seen], rel=0.05)
