"""Schedules of stages, routing in training, and the settings that are refused."""

import re
from dataclasses import replace

import numpy as np
import pytest

import motsim.mixture.engine.parts
import motsim.mixture.training
from motsim.experiments.mixture.run import (
    Settings,
    epsilon_grid,
    stages,
)
from motsim.mixture.evaluation import evaluate, loss_and_gradients
from motsim.mixture.model import Model, Routing, initial_parameters
from motsim.mixture.schedule import FROZEN, Descent, Stage
from motsim.mixture.training import train
from tests.mixture import numpy_reference as reference
from tests.mixture.problems import SEEDS, SHORT, full_curve, plain_training, problem

# --- schedules ------------------------------------------------------------------------------------

TINY = {
    "num_classes": 2, "dim": 6, "num_experts": 3, "num_nodes": 2, "specialize_steps": 6,
    "specialize_rate": 0.02, "align_steps": 4, "align_rate": 0.3, "converge_steps": 5,
    "converge_rate": 0.1, "gate_rate": 1.5, "converge_routing_scale": 0.3, "init_std": 0.4,
    "attention_scale": 0.5,
}  # fmt: skip
#: steps, ffn rate, normalized, attention rate, gate rate, routing scale
AS_REFERENCE = {
    "three_stage": [
        (6, 0.02, True, 0.0, 1.5, 1.0),
        (4, 0.0, False, 0.3, 1.5, 1.0),
        (5, 0.1, False, 0.0, 1.5, 0.3),
    ],
    "two_stage": [(6, 0.02, True, 0.0, 1.5, 1.0), (9, 0.1, False, 0.3, 1.5, 0.3)],
    "end_to_end": [(15, 0.1, False, 0.3, 1.5, 0.3)],
}


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("schedule", AS_REFERENCE)
def test_schedules_are_what_they_say(schedule, seed):
    settings = Settings(schedule=schedule, **TINY)
    model, points, start = problem(Model("mot", 3, "cubic"), seed)
    curve, _ = full_curve(model, points, stages(settings), start)
    want, _ = plain_training(model, points, start, AS_REFERENCE[schedule])
    np.testing.assert_allclose(curve, want, rtol=1e-10)
    other = AS_REFERENCE["end_to_end" if schedule != "end_to_end" else "two_stage"]
    wrong, _ = plain_training(model, points, start, other)
    assert np.abs(wrong / curve - 1).max() > 1e-4


def test_epsilon_grid():
    settings = Settings(epsilon_max=0.1, epsilon_min=1e-3, epsilons_per_decade=2, **TINY)
    want = 10.0 ** -np.array([1.0, 1.5, 2.0, 2.5, 3.0])
    np.testing.assert_allclose(epsilon_grid(settings), want, rtol=1e-14)


@pytest.mark.parametrize("start", [0.1, 0.3, 0.5, 0.95, 0.1000001])
@pytest.mark.parametrize("fine", [1, 3, 4, 20])
def test_decades_are_on_every_grid_as_they_are_written(start, fine):
    """To the bit: 10.0 ** -5 is 9.999999999999999e-06 with some libraries."""
    settings = Settings(epsilon_max=start, epsilon_min=1e-20, epsilons_per_decade=fine, **TINY)
    grid = epsilon_grid(settings).tolist()
    assert {float(f"1e-{decade}") for decade in range(1, 21)} <= set(grid)
    assert 9.999999999999999e-06 not in grid  # control: the neighbor is told apart
    assert grid[0] == start
    assert grid == sorted(set(grid), reverse=True)
    between = np.diff(-np.log10(grid[1:]))
    np.testing.assert_allclose(between, 1 / fine, rtol=1e-9)
    from_start = start * 10.0 ** (-np.arange(20 * fine) / fine)  # control: what it was before
    assert (start == 0.1) == bool(np.isclose(from_start, 1e-2, rtol=1e-12, atol=0).any())


def test_a_frozen_gate_stays():
    model, points, start = problem()
    schedule = [replace(stage, gate=FROZEN) for stage in SHORT]
    end = train(model, points, schedule, start).parameters
    np.testing.assert_array_equal(end.gate, start.gate)
    assert np.abs(train(model, points, SHORT, start).parameters.gate).max() > 0.01


# --- sampled routing ------------------------------------------------------------------------------


def sampled_stage(**options):
    routing = Routing("sampled", **options)
    return [Stage("sampled", 40, Descent(0.05), Descent(0.02), Descent(0.5), routing)]


@pytest.mark.parametrize("noise", ["gumbel", "uniform"])
@pytest.mark.parametrize("seed", SEEDS)
def test_sampled_routing_is_the_seeds(seed, noise):
    model, points, start = problem()
    schedule = sampled_stage(noise=noise)
    a, b, other = (
        full_curve(model, points, schedule, start, seed=s)[0] for s in (seed, seed, seed + 1)
    )
    np.testing.assert_array_equal(a, b)
    assert np.abs(a - other).max() > 1e-4


@pytest.mark.parametrize("steps", [1, 7, 4096])
@pytest.mark.parametrize("numbers", [1, 500, 4_000_000])
def test_chunks_change_nothing(steps, numbers, monkeypatch):
    model, points, start = problem()
    schedule = [*SHORT, *sampled_stage()]
    options = {"seed": 5, "epsilons": [0.2, 1e-9]}
    whole, want = full_curve(model, points, schedule, start, **options)
    monkeypatch.setattr(motsim.mixture.training, "CHUNK_STEPS", steps)
    monkeypatch.setattr(motsim.mixture.training, "CHUNK_NOISE", numbers)
    curve, trace = full_curve(model, points, schedule, start, snapshot_steps=[111], **options)
    np.testing.assert_array_equal(curve, whole)
    np.testing.assert_array_equal(trace.hitting_steps, want.hitting_steps)


def test_sampled_steps_average_to_the_expected_step():
    """Top-1 with Gumbel noise: the mean first step over draws is the closed form's."""
    model, points, start = problem(Model("mot", 3, "linear"), 1)
    gate = 0.5 * np.random.default_rng(1).standard_normal(start.gate.shape)
    start = replace(start, gate=gate)

    def step(routing, seed):
        schedule = [Stage("one", 1, Descent(1.0), FROZEN, Descent(1.0), routing)]
        end = train(model, points, schedule, start, seed=seed).parameters
        return np.concatenate([(end.ffn - start.ffn).ravel(), (end.gate - start.gate).ravel()])

    draws = np.array([step(Routing("sampled", scale=0.7), seed) for seed in range(1500)])
    error = draws.std(axis=0) / np.sqrt(len(draws)) + 1e-15
    near = np.abs(draws.mean(axis=0) - step(Routing(scale=0.7), 0)) / error
    far = np.abs(draws.mean(axis=0) - step(Routing(scale=1.4), 0)) / error
    assert near.max() < 4.5  # 36 numbers
    assert far.max() > 10  # negative control: another scale


@pytest.mark.parametrize("top_k", [1, 2, 3])
def test_top_k_trains_and_is_evaluated_with_k_experts(top_k):
    model, points, start = problem(Model("mot", 3, "linear", top_k=top_k))
    curve, trace = full_curve(model, points, sampled_stage(), start)
    assert curve[-1] < 0.9 * curve[0]
    p = trace.parameters
    data = (points.tokens, points.labels, points.weights)
    for k in (1, 2, 3):
        want = reference.expected_loss(p.gate, p.ffn, p.attention, data, "linear", "squared", k)
        assert (want == pytest.approx(curve[-1], rel=1e-11)) == (k == top_k)


def test_load_balance_spreads_the_gate():
    """Its gradient alone (zero experts): equal gates are a fixed point, others move to them."""
    model, points, start = problem(Model("mot", 3, "linear"))
    nothing = replace(start, ffn=np.zeros_like(start.ffn))
    tilt = points.signals.class_signals.sum(axis=0) * np.array([[2.0], [0.0], [0.0]])
    tilted = replace(nothing, gate=start.gate + tilt)
    schedule = [Stage("gate", 300, gate=Descent(0.5), routing=Routing(load_balance=1.0))]
    before, after = (
        evaluate(model, p, points).gates.mean(axis=0)
        for p in (tilted, train(model, points, schedule, tilted).parameters)
    )
    assert np.ptp(before) > 0.5
    assert np.ptp(after) < 0.2
    without = [replace(schedule[0], routing=Routing())]
    np.testing.assert_allclose(
        train(model, points, without, tilted).parameters.gate, tilted.gate, atol=1e-15
    )


def test_load_balance_is_not_part_of_the_recorded_loss():
    model, points, start = problem()
    stage = Stage("a", 9, Descent(0.1), gate=Descent(1.0))
    with_it, without = (
        full_curve(model, points, [replace(stage, routing=routing)], start)[0]
        for routing in (Routing(load_balance=2.0), Routing())
    )
    assert with_it[0] == without[0]
    assert np.abs(with_it - without).max() > 1e-9


# --- refusals -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: Descent(-0.1), ValueError, "step size must be finite and >= 0; got -0.1"),
        (lambda: Descent(np.inf), ValueError, "step size must be finite and >= 0; got inf"),
        (
            lambda: Descent(0.1, "sgd"),
            ValueError,
            "optimizer must be one of gd, normalized_gd, momentum, adam; got 'sgd'",
        ),
        (lambda: Stage("a", -1), ValueError, "steps of stage 'a' must be >= 0; got -1"),
        (lambda: Stage("a", 1.5), TypeError, "steps of stage 'a' must be an integer; got 1.5"),
        (
            lambda: Model("moa"),
            ValueError,
            "model must be one of mot, single, moe, shared; got 'moa'",
        ),
        (lambda: Model("mot", 0), ValueError, "num_experts must be >= 1; got 0"),
        (lambda: Model("mot", 2.5), TypeError, "num_experts must be an integer; got 2.5"),
        (
            lambda: Model("mot", 2, "relu"),
            ValueError,
            "activation must be one of cubic, linear; got 'relu'",
        ),
        (lambda: Model("mot", 2, "cubic", 0), ValueError, "num_neurons must be >= 1; got 0"),
        (lambda: Model("mot", 2, top_k=3), ValueError, "top_k must be <= num_experts = 2; got 3"),
        (lambda: Model("mot", 2, top_k=0), ValueError, "top_k must be >= 1; got 0"),
        (
            lambda: Routing("soft"),
            ValueError,
            "routing must be one of expected, sampled; got 'soft'",
        ),
        (lambda: Routing("expected", "uniform"), ValueError, "closed form for 'gumbel' noise only"),
        (
            lambda: Routing("sampled", "normal"),
            ValueError,
            "routing_noise must be one of gumbel, uniform",
        ),
        (lambda: Routing(scale=0.0), ValueError, "routing_scale must be finite and > 0; got 0.0"),
        (
            lambda: Routing(load_balance=-1.0),
            ValueError,
            "load_balance must be finite and >= 0; got -1.0",
        ),
        (
            lambda: train(*problem()[:2], SHORT, problem()[2], epsilons=[0.1, 0.0]),
            ValueError,
            "epsilons must be finite and > 0; got [0.1, 0.0]",
        ),
        (
            lambda: train(*problem()[:2], SHORT, problem()[2], epsilons=[np.nan]),
            ValueError,
            "epsilons must be finite",
        ),
        (
            lambda: train(*problem(Model("mot", 4, top_k=2))[:2], SHORT, problem()[2]),
            ValueError,
            "needs top_k = 1; got top_k = 2",
        ),
        (
            lambda: train(*problem()[:2], SHORT, problem()[2], loss="hinge"),
            ValueError,
            "loss must be one of squared, logistic; got 'hinge'",
        ),
        (
            lambda: initial_parameters(Model(), 4, init_std=0.0, attention_scale=1.0),
            ValueError,
            "init_std must be finite and > 0; got 0.0",
        ),
        (
            lambda: initial_parameters(Model(), 4, init_std=1.0, attention_scale=-1.0),
            ValueError,
            "attention_scale must be finite and >= 0; got -1.0",
        ),
    ],
    ids=lambda v: re.sub(r"[^a-z_0-9-]+", " ", v)[:50] if isinstance(v, str) else "",
)
def test_bad_values_are_refused(make, error, message):
    with pytest.raises(error, match=re.escape(message)):
        make()


def test_sampled_gradients_need_their_noise():
    model, points, start = problem()
    with pytest.raises(ValueError, match=r"needs routing_noise of shape \(P, M\)"):
        loss_and_gradients(model, start, points, routing=Routing("sampled"))
