"""Staged descent: what is recorded, when it stops, and what one step is."""

from dataclasses import replace

import numpy as np
import pytest

from motsim.mixture.evaluation import evaluate, loss_and_gradients
from motsim.mixture.model import Model
from motsim.mixture.schedule import FROZEN, Descent, Stage
from motsim.mixture.training import train
from tests.mixture.problems import SEEDS, SHORT, brute_hits, full_curve, problem

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
        ("specialize", 0, 30),
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
def test_one_normalized_step_has_length_rate_for_each_expert(seed):
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
