"""`Problem` and its steps: routes of the stages, gradients that move nothing, frozen parts."""

import numpy as np
import pytest

from motsim.mixture import kernels
from motsim.mixture.engine import stage as stage_module
from motsim.mixture.engine.problem import Problem
from motsim.mixture.evaluation import loss_and_gradients
from motsim.mixture.kernels import Route
from motsim.mixture.model import Model
from motsim.mixture.schedule import Descent
from motsim.randomness import generator
from tests.mixture.problems import (
    ALL,
    FFN,
    NOISE,
    ROUTES,
    SAMPLED,
    SHORT,
    assert_same_parameters,
    full_curve,
    plain_training,
    problem,
)


def laid_out(model, stage, mixture):
    model, points, start = problem(model, **mixture)
    whole = Problem.of(model, points, [stage], start)
    return whole, whole.stage(stage), (model, points, start)


@pytest.mark.parametrize(("model", "stage", "mixture", "route"), ROUTES)
def test_the_route_of_a_stage(model, stage, mixture, route):
    _, step, _ = laid_out(model, stage, mixture)
    assert step.route is route
    assert step.rule.route == route


def test_every_route_is_tried():
    assert {row[-1] for row in ROUTES} == set(Route)


@pytest.mark.parametrize(("model", "stage", "mixture", "route"), ROUTES)
def test_every_route_trains_as_the_reference(model, stage, mixture, route):
    _, step, (model, points, start) = laid_out(model, stage, mixture)
    assert step.route is route
    losses, trace = full_curve(model, points, [stage], start, seed=3)
    rates = stage.ffn.rate, False, stage.attention.rate, stage.gate.rate
    noise = None
    if stage.routing.mode == "sampled":
        shape = (stage.steps, model.num_experts, len(points.labels))
        noise = stage.routing.draw(generator(3, "routing"), shape).transpose(0, 2, 1)
    plain = [
        plain_training(
            model, points, start, [(steps, *rates, stage.routing.scale)],
            noise=noise, load_balance=stage.routing.load_balance,
        )
        for steps in (stage.steps, stage.steps - 1)
    ]  # fmt: skip
    (want, end), (_, early) = plain
    np.testing.assert_allclose(losses, want, rtol=1e-10)
    assert_same_parameters(trace.parameters, end, rtol=1e-9, atol=1e-11)
    assert np.abs(early.ffn - end.ffn).max() > 1e-4  # control: a step less is seen


def test_moments_that_are_not_kept_are_taken_anew(monkeypatch):
    monkeypatch.setattr(stage_module, "MAX_KEPT", 0)
    assert laid_out(Model("mot", 4), FFN, {})[1].route is Route.FROZEN


@pytest.mark.parametrize(
    ("model", "stage", "mixture", "route"), [row for row in ROUTES if row[1] is not SAMPLED]
)
def test_gradients_move_nothing_and_are_those_of_the_evaluation(model, stage, mixture, route):
    """By each route, without routing noise. A step does move (control)."""
    whole, step, (model, points, start) = laid_out(model, stage, mixture)
    assert step.route is route
    before = [array.copy() for array in step.value]
    loss = step.gradients()
    for array, old in zip(step.value, before, strict=True):
        np.testing.assert_array_equal(array, old)
    want, gradient = loss_and_gradients(model, start, points, routing=stage.routing)
    assert loss == pytest.approx(want, rel=1e-12)
    dual = whole.reduction.directions
    np.testing.assert_allclose(
        step.gradient.ffn, (gradient.ffn @ dual).reshape(step.gradient.ffn.shape), atol=1e-12
    )
    if step.rule.trains_gate:
        np.testing.assert_allclose(step.gradient.gate, gradient.gate @ dual, atol=1e-12)
    if step.rule.trains_attention:
        turned = dual.T @ gradient.attention @ dual
        np.testing.assert_allclose(step.gradient.attention, turned, atol=1e-12)
    assert step.descend(np.zeros((1, 0, 0)), -1.0, np.empty(1)) == 1
    assert np.abs(step.value.ffn - before[0]).max() > 1e-4


def test_the_kernels_gradients_move_nothing():
    whole, step, _ = laid_out(Model("mot", 4), ALL, NOISE)
    before = [array.copy() for array in whole.value]
    kernels.gradients(
        whole.value,
        whole.reduction.batch,
        step.rule,
        whole.buffers,
        np.zeros((0, 0)),
        whole.gradient,
    )
    for array, old in zip(whole.value, before, strict=True):
        np.testing.assert_array_equal(array, old)


def test_frozen_is_a_flag_and_the_rate_of_what_is_frozen_is_not_read():
    """A step size of 0 is turned into the flag where a `Descent` is made."""
    assert not Descent(0.0, "momentum").trains
    assert Descent(1e-300).trains
    whole, step, _ = laid_out(Model("mot", 4), FFN, {})
    assert (step.rule.trains_ffn, step.rule.trains_attention, step.rule.trains_gate) == (1, 0, 1)
    before = whole.value.attention.copy()
    rule = step.rule._replace(attention_rate=np.inf)  # would be seen
    losses, noise = np.empty(3), np.zeros((1, 0, 0))
    arguments = (whole.value, step.parts, rule, step.buffers, noise, whole.gradient, -1.0, losses)
    assert kernels.descend_in_parts(*arguments) == 3
    np.testing.assert_array_equal(whole.value.attention, before)


def test_stages_of_one_problem_go_on_where_the_last_ended():
    model, points, start = problem()
    whole = Problem.of(model, points, SHORT, start)
    assert [whole.stage(s).route for s in SHORT] == [Route.FUSED, Route.SIGNALS, Route.FUSED]
    step = whole.stage(SHORT[0])
    step.descend(np.zeros((1, 0, 0)), -1.0, np.empty(5))
    assert whole.noise_free_loss() == pytest.approx(whole.stage(SHORT[2]).gradients(), rel=1e-13)
    assert np.abs(whole.parameters().ffn - start.ffn).max() > 1e-4
