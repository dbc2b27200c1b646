"""Recorded losses of sampled routing; fails while experts that no noise picked are passed over."""

from dataclasses import replace

import numpy as np
import pytest

from motsim.mixture.data import Mixture, make_signals
from motsim.mixture.model import Model, ModelParameters, Routing, initial_parameters
from motsim.mixture.points import population, shared_draws
from motsim.mixture.schedule import Descent, Stage
from motsim.mixture.training import train
from motsim.randomness import generator
from tests.mixture import numpy_reference as reference


@pytest.mark.parametrize("num_tokens", [3, 5])
@pytest.mark.parametrize("kind", ["mot", "moe", "shared"])
@pytest.mark.parametrize("top_k", [1, 2])
def test_recorded_losses_of_sampled_routing_ask_the_noise_free_expert(kind, num_tokens, top_k):
    """The loss is noise-free: it needs the expert the gate picks, chosen or not."""
    data = Mixture(2, 7, num_tokens=num_tokens, noise_std=0.2)
    points = population(data, make_signals(data, 0), num_nodes=1)
    model = Model(kind, 6, "linear", top_k=top_k)
    start = initial_parameters(model, 7, init_std=0.6, attention_scale=0.7)
    gate = np.random.default_rng(0).standard_normal(start.gate.shape)
    start = ModelParameters(start.ffn, start.attention, gate)
    routing, attention = Routing("sampled"), 0.02 if model.num_attentions else 0.0
    stage = Stage("all", 6, Descent(0.05), Descent(attention), Descent(0.5), routing)
    got = train(model, points, [stage], start, seed=3).trace_losses
    noise = routing.draw(generator(3, "routing"), (6, 6, len(points.labels))).transpose(0, 2, 1)
    p, want = (start.gate, start.ffn, start.attention), []
    shape = (points.tokens, points.labels, points.weights)
    for drawn in [*noise, None]:
        want.append(reference.expected_loss(*p, shape, "linear", "squared", top_k))
        if drawn is not None:
            by = reference.gradients(*p, shape, "linear", "squared", noise=drawn, top_k=top_k)
            p = tuple(
                a - rate * g for a, rate, g in zip(p, (0.5, 0.05, attention), by, strict=True)
            )
    np.testing.assert_allclose(got, want, rtol=1e-10)


@pytest.mark.parametrize("sharing", ["mirror", "distractor"])
def test_points_share_the_noise_that_they_are_told_to(sharing):
    """Against the reference with the shared noise; with noise of its own the losses differ."""
    data = Mixture(3, 7)
    own = population(data, make_signals(data, 0), num_nodes=2)
    points = replace(own, draws=shared_draws(own, sharing))
    model = Model("mot", 4, "cubic")
    start = initial_parameters(model, 7, init_std=0.6, attention_scale=0.7)
    stage = Stage("all", 5, Descent(0.05), Descent(0.0), Descent(0.5), Routing("sampled"))
    got = train(model, points, [stage], start, seed=3).trace_losses
    drawn = Routing("sampled").draw(generator(3, "routing"), (5, 4, len(own.labels) // 2))
    p, want = (start.gate, start.ffn, start.attention), []
    shape = (points.tokens, points.labels, points.weights)
    for noise in [*drawn[..., points.draws].transpose(0, 2, 1), None]:
        want.append(reference.expected_loss(*p, shape, "cubic", "squared"))
        if noise is not None:
            by = reference.gradients(*p, shape, "cubic", "squared", noise=noise)
            p = tuple(a - rate * g for a, rate, g in zip(p, (0.5, 0.05, 0.0), by, strict=True))
    np.testing.assert_allclose(got, want, rtol=1e-10)
    assert not np.allclose(got[1:], train(model, own, [stage], start, seed=3).trace_losses[1:])
