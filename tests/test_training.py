"""Staged descent: what is recorded, when it stops, and that the presets specialise."""

import re
from dataclasses import replace

import numpy as np
import numpy_reference as reference
import pytest

import motsim.parts
import motsim.training
from motsim.data import Mixture, make_signals
from motsim.evaluation import evaluate, loss_and_gradients
from motsim.experiments.mixture import (
    Settings,
    build_model,
    epsilon_grid,
    fresh_points,
    prepare,
    run,
    stages,
)
from motsim.model import Model, ModelParameters, Routing, initial_parameters
from motsim.parts import in_parts
from motsim.points import population, sample
from motsim.schedule import FROZEN, Descent, Stage
from motsim.training import train

SEEDS = [0, 1, 2]
ALL = 10**6  # trace points that keep every step
SHORT = [
    Stage("specialise", 30, Descent(0.02, "normalized_gd"), FROZEN, Descent(1.0)),
    Stage("align", 20, FROZEN, Descent(0.3), Descent(1.0)),
    Stage("converge", 60, Descent(0.05), FROZEN, Descent(1.0), Routing(scale=0.05)),
]


def problem(model=None, seed=0, init_std=0.3, **mixture):
    model = model or Model("mot", 4, "linear")
    data = Mixture(2, 6, **mixture)
    points = population(data, make_signals(data, seed), num_nodes=2, seed=seed)
    start = initial_parameters(model, 6, init_std=init_std, attention_scale=1.0, seed=seed)
    return model, points, start


def full_curve(model, points, schedule, start, **options):
    trace = train(model, points, schedule, start, trace_points=ALL, **options)
    np.testing.assert_array_equal(trace.trace_steps, np.arange(trace.num_steps + 1))
    return trace.trace_losses, trace


def brute_hits(curve, epsilons):
    """First index with curve <= epsilon, by a loop; -1 if none."""
    return [next((t for t, x in enumerate(curve) if x <= eps), -1) for eps in epsilons]


# --- hitting times and status ---------------------------------------------------------------------


@pytest.mark.parametrize("loss", ["squared", "logistic"])
@pytest.mark.parametrize("seed", SEEDS)
def test_hitting_steps_are_those_of_the_full_curve(seed, loss):
    model, points, start = problem(seed=seed)
    curve, _ = full_curve(model, points, SHORT, start, loss=loss)
    between = np.quantile(curve, [0.9, 0.7, 0.5, 0.3, 0.1, 0.02])
    epsilons = [*between, curve[40], 1e-9]  # one is hit exactly, one never; not in order
    trace = train(model, points, SHORT, start, loss=loss, epsilons=epsilons)
    assert trace.hitting_steps.tolist() == brute_hits(curve, epsilons)
    assert trace.status == "max_steps"
    assert trace.hitting_steps[-1] == -1
    assert (trace.hitting_steps[:-1] >= 0).all()
    for stage, row in zip(trace.stages, trace.stage_hitting_steps, strict=True):
        assert row.tolist() == brute_hits(curve[stage.start : stage.stop + 1], epsilons)


def test_hitting_steps_of_a_curve_that_goes_up_again():
    model, points, start = problem()
    bouncing = [Stage("big steps", 40, Descent(0.6, "normalized_gd"), FROZEN, Descent(1.0))]
    curve, _ = full_curve(model, points, bouncing, start)
    assert (np.diff(curve) > 0).sum() > 5
    epsilons = np.quantile(curve, [0.8, 0.5, 0.2, 0.05]).tolist()
    trace = train(model, points, bouncing, start, epsilons=[*epsilons, 1e-9])
    assert trace.hitting_steps.tolist() == [*brute_hits(curve, epsilons), -1]


@pytest.mark.parametrize("seed", SEEDS)
def test_reached_stops_at_the_first_hit(seed):
    model, points, start = problem(seed=seed)
    curve, _ = full_curve(model, points, SHORT, start)
    target = 0.5 * (curve[:80].min() + curve.min())
    first = brute_hits(curve, [target])[0]
    trace = train(model, points, SHORT, start, epsilons=[0.3, target])
    assert (trace.status, trace.num_steps, trace.hitting_steps[1]) == ("reached", first, first)
    assert trace.final_loss == curve[first] <= target
    assert trace.stages[-1].stop == first < 110
    assert evaluate(model, trace.parameters, points).loss == pytest.approx(curve[first], rel=1e-12)


@pytest.mark.parametrize("budget", [-1, 0, 1])
def test_a_hit_at_the_last_step_counts(budget):
    model, points, start = problem()
    descent = Stage("all", 50, Descent(0.05), FROZEN, FROZEN)
    curve, _ = full_curve(model, points, [descent], start)
    assert (np.diff(curve) < 0).all()
    steps = 20 + budget
    trace = train(model, points, [replace(descent, steps=steps)], start, epsilons=[curve[20]])
    assert trace.status == ("max_steps" if budget < 0 else "reached")
    assert trace.hitting_steps[0] == (-1 if budget < 0 else 20)
    assert trace.num_steps == min(steps, 20)


def test_a_start_below_epsilon_takes_no_step():
    model, points, start = problem()
    trace = train(model, points, SHORT, start, epsilons=[10.0])
    assert (trace.status, trace.num_steps, trace.hitting_steps[0]) == ("reached", 0, 0)


@pytest.mark.parametrize("rate", [1e3, 1e200])
@pytest.mark.parametrize("activation", ["linear", "cubic"])
@pytest.mark.parametrize("part", ["ffn", "attention"])
def test_a_huge_step_diverges_and_is_recorded(part, activation, rate):
    model, points, start = problem(Model("mot", 4, activation))
    parts = {"ffn": FROZEN, "attention": FROZEN, part: Descent(rate)}
    schedule = [*SHORT[:1], Stage("too far", 500, gate=FROZEN, **parts)]
    curve, trace = full_curve(model, points, schedule, start, epsilons=[0.49, 1e-9])
    if part == "attention" and trace.status == "max_steps":
        return  # a saturated attention stays finite
    assert trace.status == "diverged"
    assert trace.num_steps > 30
    assert np.isfinite(curve[:-1]).all()
    assert not np.isfinite(curve[-1])
    assert not np.isfinite(trace.final_loss)
    assert trace.hitting_steps.tolist() == brute_hits(curve, [0.49, 1e-9])
    assert trace.stages[-1].stop == trace.num_steps


@pytest.mark.parametrize("bad", [np.nan, np.inf, 1e200])
def test_a_start_that_is_not_finite_diverges_at_once(bad):
    model, points, start = problem(Model("mot", 4, "cubic"))
    ffn = start.ffn.copy()
    ffn[0, 0] = bad * points.signals.class_signals[0] if bad == 1e200 else bad
    trace = train(model, points, SHORT, replace(start, ffn=ffn), epsilons=[0.4])
    assert (trace.status, trace.num_steps, trace.hitting_steps.tolist()) == ("diverged", 0, [-1])
    assert len(trace.stages) == 1


def test_a_loss_that_overflows_after_the_last_step_is_not_max_steps():
    model, points, start = problem(Model("single", 2, "cubic"))
    schedule = [Stage("one", 1, Descent(1e200))]
    trace = train(model, points, schedule, start, epsilons=[1e-3])
    assert (trace.status, trace.num_steps) == ("diverged", 1)


# --- what is kept ---------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [0, 2, 10, 50, 400])
def test_the_thinned_curve_holds_exact_losses(count):
    model, points, start = problem()
    curve, _ = full_curve(model, points, SHORT, start)
    trace = train(model, points, SHORT, start, trace_points=count)
    np.testing.assert_array_equal(trace.trace_losses, curve[trace.trace_steps])
    assert trace.trace_steps[0] == 0
    assert trace.trace_steps[-1] == trace.num_steps == 110
    assert len(trace.trace_steps) <= 3 * count + 2
    assert (np.diff(trace.trace_steps) > 0).all()
    if count >= 10:
        assert {0, 30, 50, 110} <= set(trace.trace_steps.tolist())


def test_losses_are_those_of_the_parameters():
    """Each snapshot, evaluated anew, has the loss the curve says."""
    model, points, start = problem()
    wanted = [0, 1, 29, 30, 31, 50, 77, 110, 5000]
    curve, trace = full_curve(model, points, SHORT, start, snapshot_steps=wanted)
    assert sorted(trace.snapshots) == wanted[:-1]
    for step, parameters in trace.snapshots.items():
        found = evaluate(model, parameters, points).loss
        assert found == pytest.approx(curve[step], rel=1e-12), step
    assert found != pytest.approx(curve[-2], rel=1e-9)  # negative control: a step off is seen


def test_snapshots_change_nothing_and_are_copies():
    model, points, start = problem()
    plain, a = full_curve(model, points, SHORT, start)
    with_them, b = full_curve(model, points, SHORT, start, snapshot_steps=range(0, 110, 7))
    np.testing.assert_array_equal(plain, with_them)
    np.testing.assert_array_equal(a.parameters.ffn, b.parameters.ffn)
    assert np.abs(b.snapshots[7].ffn - b.snapshots[14].ffn).max() > 1e-3


def test_stage_bounds():
    model, points, start = problem()
    schedule = [SHORT[0], Stage("nothing", 0), *SHORT[1:]]
    trace = train(model, points, schedule, start)
    bounds = [(s.name, s.start, s.stop) for s in trace.stages]
    assert bounds == [
        ("specialise", 0, 30),
        ("nothing", 30, 30),
        ("align", 30, 50),
        ("converge", 50, 110),
    ]
    assert set(trace.snapshots) == {0, 30, 50}
    assert trace.stage_hitting_steps.shape == (4, 0)


def test_the_end_of_one_stage_is_the_start_of_the_next():
    """A stage cut in two is the same training."""
    model, points, start = problem()
    whole, _ = full_curve(model, points, SHORT, start)
    cut = [*SHORT[:2], replace(SHORT[2], steps=13), replace(SHORT[2], steps=47)]
    np.testing.assert_allclose(full_curve(model, points, cut, start)[0], whole, rtol=1e-12)


def test_training_leaves_its_arguments_alone():
    model, points, start = problem()
    before = [a.copy() for a in (start.ffn, start.attention, start.gate, points.tokens)]
    train(model, points, SHORT, start)
    for a, b in zip(before, (start.ffn, start.attention, start.gate, points.tokens), strict=True):
        np.testing.assert_array_equal(a, b)


# --- steps ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("kind", ["mot", "single", "moe", "shared"])
def test_one_plain_step_is_minus_rate_times_gradient(kind, seed):
    model, points, start = problem(Model(kind, 3, "cubic", 2), seed)
    _, gradient = loss_and_gradients(model, start, points, loss="logistic")
    one = [Stage("one", 1, Descent(0.3), Descent(0.07), Descent(2.0))]
    end = train(model, points, one, start, loss="logistic").parameters
    for part, rate in (("ffn", 0.3), ("attention", 0.07), ("gate", 2.0)):
        moved = getattr(end, part) - getattr(start, part)
        np.testing.assert_allclose(moved, -rate * getattr(gradient, part), atol=1e-14)
        if moved.size:
            assert np.abs(moved).max() > 1e-5, part


@pytest.mark.parametrize("seed", SEEDS)
def test_one_normalised_step_has_length_rate_for_each_expert(seed):
    model, points, start = problem(Model("mot", 3, "cubic", 2), seed)
    _, gradient = loss_and_gradients(model, start, points)
    unit = "normalized_gd"
    one = [Stage("one", 1, Descent(0.02, unit), Descent(0.05, unit), Descent(0.4, unit))]
    end = train(model, points, one, start).parameters
    for part, rate, axes in (("ffn", 0.02, (1, 2)), ("attention", 0.05, (1, 2))):
        moved = getattr(end, part) - getattr(start, part)
        np.testing.assert_allclose(np.sqrt((moved**2).sum(axis=axes)), rate, rtol=1e-12)
        along = (moved * getattr(gradient, part)).sum(axis=axes)
        norms = np.sqrt((getattr(gradient, part) ** 2).sum(axis=axes))
        np.testing.assert_allclose(along, -rate * norms, rtol=1e-12)
        assert norms.max() / norms.min() > 1.05  # the experts' own norms, not a common one
    assert np.linalg.norm(end.gate - start.gate) == pytest.approx(0.4, rel=1e-12)


def test_a_zero_gradient_moves_nothing():
    model, points, start = problem(Model("mot", 3, "cubic"))
    ffn = start.ffn.copy()
    ffn[1] = 0.0  # phi'(0) = 0: no gradient for this expert, in either part
    start = replace(start, ffn=ffn)
    unit = Descent(0.02, "normalized_gd")
    end = train(model, points, [Stage("one", 5, unit, unit)], start).parameters
    np.testing.assert_array_equal(end.ffn[1], 0.0)
    np.testing.assert_array_equal(end.attention[1], start.attention[1])
    assert np.abs(end.ffn - start.ffn).max(axis=(1, 2)).tolist() > [0.01, -1, 0.01]


# Two tokens rows equal: cached attention, the averaged input, and recomputing every step.
@pytest.mark.parametrize("equal", [True, False], ids=["equal-attentions", "own-attentions"])
@pytest.mark.parametrize("kind", ["mot", "single", "shared"])
@pytest.mark.parametrize("seed", SEEDS)
def test_frozen_attention_is_that_recomputed_at_every_step(kind, seed, equal):
    model, points, start = problem(Model(kind, 3, "cubic"), seed)
    if not equal:
        rng = np.random.default_rng(seed)
        bent = start.attention + rng.standard_normal(start.attention.shape)
        start = replace(start, attention=bent)
    frozen = Stage("frozen", 40, Descent(0.02), FROZEN, Descent(0.5))
    recomputed = replace(frozen, attention=Descent(1e-300))  # too small to move a number
    a, one = full_curve(model, points, [frozen], start)
    b, two = full_curve(model, points, [recomputed], start)
    np.testing.assert_allclose(a, b, rtol=1e-11)
    np.testing.assert_allclose(one.parameters.ffn, two.parameters.ffn, rtol=1e-9, atol=1e-12)
    np.testing.assert_array_equal(two.parameters.attention, start.attention)
    np.testing.assert_array_equal(one.parameters.attention, start.attention)
    # Negative control: attention that does move is seen.
    c, _ = full_curve(model, points, [replace(frozen, attention=Descent(0.1))], start)
    assert np.abs(c / a - 1).max() > 1e-7


def test_cached_attention_is_refreshed_after_it_trained():
    """Stage III uses the attention of the end of stage II, not of the start."""
    model, points, start = problem()
    trace = train(model, points, SHORT, start, snapshot_steps=[50])
    middle = trace.snapshots[50]
    again, _ = full_curve(model, points, SHORT[2:], middle)
    curve, _ = full_curve(model, points, SHORT, start)
    np.testing.assert_allclose(curve[50:], again, rtol=1e-11)
    stale, _ = full_curve(model, points, SHORT[2:], replace(middle, attention=start.attention))
    assert np.abs(stale / again - 1).max() > 1e-4


# --- schedules ------------------------------------------------------------------------------------

TINY = {
    "num_classes": 2, "dim": 6, "num_experts": 3, "num_nodes": 2, "specialise_steps": 6,
    "specialise_rate": 0.02, "align_steps": 4, "align_rate": 0.3, "converge_steps": 5,
    "converge_rate": 0.1, "gate_rate": 1.5, "converge_routing_scale": 0.3, "init_std": 0.4,
    "attention_scale": 0.5,
}  # fmt: skip
#: steps, ffn rate, normalised, attention rate, gate rate, routing scale
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
    want, _ = reference.descend(
        start.gate, start.ffn, start.attention, (points.tokens, points.labels, points.weights),
        "cubic", "squared", AS_REFERENCE[schedule],
    )  # fmt: skip
    np.testing.assert_allclose(curve, want, rtol=1e-10)
    other = AS_REFERENCE["end_to_end" if schedule != "end_to_end" else "two_stage"]
    wrong, _ = reference.descend(
        start.gate, start.ffn, start.attention, (points.tokens, points.labels, points.weights),
        "cubic", "squared", other,
    )  # fmt: skip
    assert np.abs(wrong / curve - 1).max() > 1e-4


def test_epsilon_grid():
    settings = Settings(epsilon_max=0.1, epsilon_min=1e-3, epsilons_per_decade=2, **TINY)
    want = 10.0 ** -np.array([1.0, 1.5, 2.0, 2.5, 3.0])
    np.testing.assert_allclose(epsilon_grid(settings), want, rtol=1e-14)


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
    monkeypatch.setattr(motsim.training, "CHUNK_STEPS", steps)
    monkeypatch.setattr(motsim.training, "CHUNK_NOISE", numbers)
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
            lambda: Descent(0.1, "adam"),
            ValueError,
            "optimizer must be one of gd, normalized_gd; got 'adam'",
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


# --- start ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("kind", ["mot", "single", "moe", "shared"])
def test_start(kind, seed):
    model = Model(kind, 6, "cubic", 5)
    c = make_signals(Mixture(4, 40), seed).class_signals
    options = {"init_std": 0.2, "attention_scale": 3.0, "seed": seed}
    p = initial_parameters(model, 40, **options)
    assert isinstance(p, ModelParameters)
    count = {"mot": 6, "single": 6, "moe": 0, "shared": 1}[kind]
    np.testing.assert_array_equal(p.attention, np.tile(3.0 * np.eye(40), (count, 1, 1)))
    np.testing.assert_array_equal(p.gate, np.zeros((0 if kind == "single" else 6, 40)))
    assert p.ffn.shape == (6, 5, 40)
    assert abs((p.ffn**2).mean() / 0.04 - 1) < 4 * np.sqrt(2 / p.ffn.size)
    odd = initial_parameters(model, 40, orthogonal_to=c, **options)
    assert np.abs(odd.ffn @ c.T).max() < 1e-15
    np.testing.assert_allclose(odd.ffn, p.ffn - (p.ffn @ c.T) @ c, atol=1e-15)


# --- presets --------------------------------------------------------------------------------------


def preset_run(seed, **changes):
    result = run(Settings(seed=seed, epsilon_min=1e-9, **changes))
    hits = result.tables["hits"]
    epsilons, steps = np.array(hits["epsilon"]), np.array(hits["stage_step"])
    return result, epsilons, steps


@pytest.mark.parametrize("seed", range(5))
def test_cubic_preset_specialises_and_converges_at_a_fixed_rate(seed):
    result, epsilons, steps = preset_run(seed)
    assert result.status == "reached"
    assert result.metrics["dispatch_entropy"] < 1e-12
    assert result.metrics["routing_accuracy"] == pytest.approx(1.0, abs=1e-12)
    assert result.metrics["covered_classes"] == 4
    use = (epsilons < 1e-4) & (epsilons > 0.9e-9)
    slope, _ = np.polyfit(-np.log10(epsilons[use]), steps[use], 1)
    assert slope == pytest.approx(53, abs=3)


@pytest.mark.parametrize("change", [{"gate_rate": 0.0}, {"shuffle_labels": True}], ids=str)
@pytest.mark.parametrize("seed", range(5))
def test_without_gate_or_labels_it_does_not_specialise(seed, change):
    """Negative control of the test above."""
    result, _, steps = preset_run(seed, converge_steps=500, **change)
    assert result.status == "max_steps"
    assert result.metrics["dispatch_entropy"] > 0.5
    assert result.metrics["routing_accuracy"] < 0.6
    assert (steps == -1).all()


@pytest.mark.parametrize("seed", range(3))
def test_linear_preset_specialises_from_its_odd_start_only(seed):
    options = {"preset": "linear", "num_experts": 32}
    good = run(Settings(seed=seed, **options))
    assert good.status == "reached"
    assert good.metrics["dispatch_entropy"] < 1e-12
    assert good.metrics["routing_accuracy"] == pytest.approx(1.0, abs=1e-12)
    generic = run(Settings(seed=seed, orthogonal_start=False, **options))
    assert generic.metrics["dispatch_entropy"] > 0.3


@pytest.mark.parametrize("seed", range(3))
def test_a_diverging_run_has_a_result(seed):
    result = run(Settings(preset="single", num_experts=2, converge_rate=1e9, seed=seed))
    assert result.status == "diverged"
    assert not np.isfinite(result.metrics["final_loss"])
    assert result.tables["curve"]["step"][-1] == result.metrics["num_steps"]


# --- evaluation on unseen points ------------------------------------------------------------------


@pytest.mark.parametrize("seed", SEEDS)
def test_fresh_points_share_signals_but_no_noise_with_training(seed):
    settings = Settings(num_tokens=5, noise_std=0.5, noise_replicates=2, seed=seed)
    (seen, _), fresh = prepare(settings), fresh_points(settings)
    np.testing.assert_array_equal(fresh.tokens[:, :3], seen.tokens[:, :3])
    assert np.intersect1d(fresh.tokens[:, 3:], seen.tokens[:, 3:]).size == 0
    assert fresh.tokens[:, 3:].std() == pytest.approx(seen.tokens[:, 3:].std(), rel=0.1)


def test_fresh_points_of_a_sample_are_the_population_and_of_a_population_none():
    exact = fresh_points(Settings(sample_size=40))
    np.testing.assert_array_equal(exact.tokens, prepare(Settings())[0].tokens)
    assert fresh_points(Settings()) is None


def test_the_fresh_loss_of_a_small_sample_is_the_larger_one():
    short = {"specialise_steps": 400, "align_steps": 0, "converge_steps": 400}
    metrics = run(Settings(sample_size=24, num_experts=4, **short)).metrics
    assert metrics["fresh_loss"] > 1.2 * metrics["final_loss"]
    assert "fresh_loss" not in run(Settings(num_experts=4, **short)).metrics


# --- experts out of use ---------------------------------------------------------------------------


def sharp_run(monkeypatch, negligible):
    """The cubic preset with a fast gate: in stage III most experts are never routed to."""
    monkeypatch.setattr(motsim.training, "NEGLIGIBLE", negligible)
    settings = Settings(gate_rate=40.0, converge_steps=400, epsilon_min=1e-12)
    points, start = prepare(settings)
    return motsim.training.train(
        build_model(settings), points, stages(settings), start, epsilons=[1e-2, 1e-4, 1e-6]
    )


def test_passing_over_unrouted_experts_changes_rounding_only(monkeypatch):
    skipping, full = (sharp_run(monkeypatch, n) for n in (1e-40, 0.0))
    np.testing.assert_array_equal(skipping.hitting_steps, full.hitting_steps)
    np.testing.assert_allclose(skipping.trace_losses, full.trace_losses, rtol=1e-7)
    np.testing.assert_allclose(skipping.parameters.ffn, full.parameters.ffn, rtol=0, atol=1e-12)


def test_passing_over_routed_experts_would_show(monkeypatch):
    """Negative control: a limit that also stops experts in use."""
    greedy, full = (sharp_run(monkeypatch, n) for n in (1.1, 0.0))
    assert greedy.final_loss > 10 * full.final_loss


# --- attention weights that would take too much memory --------------------------------------------


@pytest.mark.parametrize("activation", ["cubic", "linear"])
def test_attention_that_is_not_kept_trains_the_same(monkeypatch, activation):
    model, points, start = problem(Model("mot", 4, activation))
    kept, _ = full_curve(model, points, SHORT, start)
    monkeypatch.setattr(motsim.training, "MAX_KEPT", 0)
    monkeypatch.setattr(motsim.kernels, "refresh_moments", None)  # would fail if it were called
    anew, _ = full_curve(model, points, SHORT, start)
    np.testing.assert_allclose(anew, kept, rtol=1e-9)


def test_noise_tokens_off_the_axes_keep_their_attention(monkeypatch):
    """Only points of three signal tokens can do without."""
    model, points, start = problem(num_tokens=5, noise_std=0.3)
    kept, _ = full_curve(model, points, SHORT, start)
    monkeypatch.setattr(motsim.training, "MAX_KEPT", 0)
    np.testing.assert_array_equal(full_curve(model, points, SHORT, start)[0], kept)


@pytest.mark.parametrize("kind", ["mot", "shared", "single"])
def test_linear_experts_that_share_attention_see_one_mixed_token(monkeypatch, kind):
    model = Model(kind, 4, "linear", 2)
    data = Mixture(4, 9, num_tokens=4, noise_std=0.2)
    points = sample(data, make_signals(data, 0), 24)  # too few for blocks of equal axes
    start = initial_parameters(model, 9, init_std=0.3, attention_scale=1.0)
    ffn = Stage("ffn", 20, Descent(0.1, "normalized_gd"), FROZEN, Descent(1.0))
    rest = Stage("rest", 20, Descent(0.05), FROZEN, Descent(1.0), Routing(scale=0.05))
    seen = []
    mixed = motsim.parts.mixed_batch

    def watched(*arguments):
        seen.append(mixed(*arguments).tokens.shape)
        return mixed(*arguments)

    monkeypatch.setattr(motsim.parts, "mixed_batch", watched)
    got, trace = full_curve(model, points, [ffn, rest], start)
    assert [shape[2] for shape in seen] == [1, 1]
    monkeypatch.setattr(
        motsim.training, "stage_parts", lambda m, r, b, w, _: (r, in_parts(b, 1), w)
    )
    want, other = full_curve(model, points, [ffn, rest], start)
    np.testing.assert_allclose(got, want, rtol=1e-10)
    np.testing.assert_allclose(trace.parameters.ffn, other.parameters.ffn, rtol=1e-8, atol=1e-11)
    np.testing.assert_allclose(trace.parameters.gate, other.parameters.gate, atol=1e-10)
    # Negative control: another token, mixed by other weights, trains otherwise.
    monkeypatch.undo()
    monkeypatch.setattr(motsim.parts, "mixed_batch", lambda b, w: mixed(b, 1.001 * w))
    wrong, _ = full_curve(model, points, [ffn, rest], start)
    assert np.abs(wrong / want - 1).max() > 1e-5


@pytest.mark.parametrize("activation", ["cubic", "linear"])
def test_no_mixed_token_where_attention_trains_or_experts_are_cubic(monkeypatch, activation):
    monkeypatch.setattr(motsim.parts, "mixed_batch", None)  # would fail if it were called
    data = Mixture(4, 9, num_tokens=4, noise_std=0.2)
    points = sample(data, make_signals(data, 0), 24)  # too few for blocks of equal axes
    model = Model("mot", 4, activation)
    start = initial_parameters(model, 9, init_std=0.3, attention_scale=1.0)
    attention = FROZEN if activation == "cubic" else Descent(0.1)
    train(model, points, [Stage("all", 5, Descent(0.1), attention, Descent(1.0))], start)
