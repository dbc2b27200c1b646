"""Experts passed over in a block: which ones, how little that changes, and when it would matter."""

import numpy as np
import pytest

import motsim.mixture.engine.layout
import motsim.mixture.engine.stage
from motsim.mixture import kernels
from motsim.mixture.data import Mixture, make_signals
from motsim.mixture.engine.layout import (
    kernel_batch,
    kernel_buffers,
    kernel_parameters,
    kernel_rule,
)
from motsim.mixture.model import Model, ModelParameters, Routing, initial_parameters
from motsim.mixture.points import population
from motsim.mixture.schedule import FROZEN, Descent, Stage
from motsim.mixture.training import train
from tests.mixture import numpy_reference as reference
from tests.mixture.kernel_cases import as_points, random_tokens

EXPERTS, COORDINATES, POINTS = 4, 5, 60
THRESHOLD = 1e-3


class Problem:
    """A gate sharp enough that in many blocks some expert is chosen for none of the points.

    Amplitudes are positive, and tokens off the axes small: points of a block are routed alike.
    """

    def __init__(self, model, length):
        rng = np.random.default_rng(length)
        tokens = random_tokens(rng, POINTS, length, COORDINATES, "axes")
        tokens[:, :3] = np.sign(np.abs(tokens[:, :3])) * rng.uniform(0.5, 1.5, (POINTS, 3, 1))
        tokens[:, 3:] *= 0.1
        labels, weights = rng.choice([-1.0, 1.0], POINTS), rng.dirichlet(np.ones(POINTS))
        self.model, self.points = model, as_points(tokens, labels, weights)
        self.batch = kernel_batch(tokens, labels, weights)
        assert self.batch.axes.shape[1] == 3
        self.parameters = ModelParameters(
            rng.standard_normal((EXPERTS, 2, COORDINATES)),
            rng.standard_normal((model.num_attentions, COORDINATES, COORDINATES)),
            4.0 * rng.standard_normal((EXPERTS, COORDINATES)),
        )

    def run(self, negligible, dense_above=1.0):
        """Loss, gradients, and the scratch they were computed in."""
        value = kernel_parameters(self.parameters)
        gradient = kernels.Parameters(*(np.full_like(a, np.nan) for a in value))
        rule = kernel_rule(self.model, "squared", Routing())
        rule = rule._replace(negligible=negligible, dense_above=dense_above)
        buffers = kernel_buffers(self.model, self.batch)
        loss = kernels.gradients(value, self.batch, rule, buffers, np.zeros((0, 0)), gradient)
        return loss, gradient, buffers

    def bounds(self, passed_over):
        """Largest change of (ffn, attention, gate) if q were THRESHOLD in what is passed over.

        From the reference, point by point; `passed_over` is (M, P).
        """
        p = self.parameters
        by_ffn, by_attention, by_gate = (np.zeros_like(a) for a in (p.ffn, p.attention, p.gate))
        data = (self.points.tokens, self.points.labels, self.points.weights)
        for x, label, weight, out in zip(*data, passed_over.T, strict=True):
            pi, by_pi = reference.softmax(p.gate @ x.sum(axis=0)), np.zeros(EXPERTS)
            for i in np.flatnonzero(out):
                matrix = reference.matrix_of(p.attention, i)
                f = reference.expert_output(p.ffn[i], matrix, x, self.model.activation)
                slope = THRESHOLD * weight * (pi[i] * f - label)
                by_w, by_a = reference.expert_gradient(
                    p.ffn[i], matrix, x, self.model.activation, slope * pi[i]
                )
                by_ffn[i] += np.abs(by_w)
                if by_a is not None:
                    by_attention[i if len(p.attention) > 1 else 0] += np.abs(by_a)
                by_pi[i] = np.abs(slope * f)
            by_gate += np.outer(pi * (by_pi + pi @ by_pi), np.abs(x.sum(axis=0)))
        return by_ffn.reshape(-1, COORDINATES), by_attention, by_gate


PROBLEMS = [(kind, length) for kind in ("mot", "moe", "shared") for length in (3, 5)]


@pytest.mark.parametrize("activation", ["linear", "cubic"])
@pytest.mark.parametrize(("kind", "length"), PROBLEMS)
def test_what_is_passed_over_changes_gradients_within_the_bound(kind, length, activation):
    problem = Problem(Model(kind, EXPERTS, activation, 2), length)
    loss, whole, full = problem.run(0.0)
    assert (full.outputs != 0.0).all()  # nothing is passed over
    skipped_loss, skipped, buffers = problem.run(THRESHOLD)
    assert skipped_loss == loss  # the loss asks only the expert that a point is routed to

    by_block = full.choice.reshape(EXPERTS, -1, kernels.WIDTH).max(axis=2) < THRESHOLD
    out = np.repeat(by_block, kernels.WIDTH, axis=1)
    assert 0.1 < out.mean() < 0.9
    np.testing.assert_array_equal(buffers.outputs, np.where(out, 0.0, full.outputs))

    passed_over = np.zeros((EXPERTS, POINTS), dtype=bool)
    passed_over[:, problem.batch.order] = out
    for ours, want, bound in zip(skipped, whole, problem.bounds(passed_over), strict=True):
        change = np.abs(ours - want)
        assert (change <= bound + 1e-14 * np.abs(want).max(initial=0.0)).all()
        assert want.size == 0 or change.max() > 0.0  # they did add something
    # Negative control: passing over experts that matter goes far beyond it.
    _, wrong, _ = problem.run(0.5)
    for ours, want, bound in zip(wrong, whole, problem.bounds(passed_over), strict=True):
        assert want.size == 0 or (np.abs(ours - want) > 10 * bound + 1e-6).any()


@pytest.mark.parametrize("negligible", [1e-40, 1e-300])
@pytest.mark.parametrize(("kind", "length"), PROBLEMS)
def test_a_threshold_below_every_choice_changes_no_bit(kind, length, negligible):
    problem = Problem(Model(kind, EXPERTS, "cubic", 2), length)
    (loss, whole, full), (again, same, buffers) = problem.run(0.0), problem.run(negligible, 0.25)
    assert full.choice.min() > 1e-40
    assert again == loss
    np.testing.assert_array_equal(buffers.outputs, full.outputs)
    for ours, want in zip(same, whole, strict=True):
        np.testing.assert_array_equal(ours, want)


@pytest.mark.parametrize("kind", ["mot", "moe", "shared"])
def test_dense_passes_take_every_expert(kind):
    """Above the share at which one product of matrices is faster, nothing is passed over."""
    problem = Problem(Model(kind, EXPERTS, "cubic", 2), 5)
    batch, value = problem.batch, kernel_parameters(problem.parameters)
    found = []
    for share in (0.0, 1.0):
        gradient = kernels.Parameters(*(np.full_like(a, np.nan) for a in value))
        rule = kernel_rule(problem.model, "squared", Routing())
        rule = rule._replace(negligible=THRESHOLD, dense_above=share)
        buffers = kernel_buffers(problem.model, batch)
        start = kernel_parameters(problem.parameters)
        kernels.gradients(start, batch, rule, buffers, np.zeros((0, 0)), gradient)
        found.append((buffers.outputs, gradient))
    (all_of_them, dense), (some, _) = found
    assert (all_of_them != 0.0).all()
    assert (some == 0.0).any()
    _, whole, _ = problem.run(0.0)
    for ours, want in zip(dense, whole, strict=True):
        np.testing.assert_array_equal(ours, want)


def test_choices_that_are_not_numbers_are_not_passed_over():
    problem = Problem(Model("mot", EXPERTS, "linear", 2), 3)
    problem.parameters.gate[1] = np.nan
    loss, gradient, buffers = problem.run(THRESHOLD)
    assert np.isnan(buffers.choice).all()
    assert (buffers.outputs != 0.0).all()
    assert np.isnan(loss)
    assert np.isnan(gradient.gate).any()


@pytest.mark.parametrize("num_tokens", [3, 5])
@pytest.mark.parametrize("kind", ["mot", "moe", "shared"])
def test_training_is_that_without_passing_over(kind, num_tokens, monkeypatch):
    """At a routing scale of 0.005 most choices are far below 1e-40."""
    data = Mixture(3, 8, num_tokens=num_tokens, noise_std=0.05)
    points = population(data, make_signals(data, 0), num_nodes=2)
    model = Model(kind, EXPERTS, "linear")
    start = initial_parameters(model, 8, init_std=0.4, attention_scale=1.0, seed=1)
    gate = np.random.default_rng(1).standard_normal(start.gate.shape)
    start = ModelParameters(start.ffn, start.attention, gate)
    schedule = [Stage("all", 20, Descent(0.2), FROZEN, Descent(0.2), Routing(scale=0.005))]

    def losses(negligible):
        monkeypatch.setattr(motsim.mixture.engine.stage, "NEGLIGIBLE", negligible)
        monkeypatch.setattr(motsim.mixture.engine.layout, "DENSE_ABOVE", 1.0)
        return train(model, points, schedule, start, trace_points=10**6).trace_losses

    whole = losses(0.0)
    assert whole[-1] < 0.99 * whole[0]
    np.testing.assert_allclose(losses(1e-40), whole, rtol=1e-13)
    assert np.abs(losses(0.7) / whole - 1).max() > 1e-4  # negative control
