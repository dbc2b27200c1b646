"""Blocks hold points in an order of their own: results and noise are still those of each point."""

from dataclasses import replace

import numpy as np
import pytest

from motsim.mixture.data import Mixture, make_signals
from motsim.mixture.engine.layout import kernel_batch
from motsim.mixture.engine.reduction import reduce_problem
from motsim.mixture.evaluation import evaluate, loss_and_gradients
from motsim.mixture.model import Model, ModelParameters, Routing, initial_parameters
from motsim.mixture.points import population, sample
from motsim.mixture.training import train
from motsim.randomness import generator
from tests.mixture import numpy_reference as reference
from tests.mixture.problems import NOISE, SEEDS, as_stages, plain_training

DIM, CLASSES, EXPERTS = 8, 3, 4


def points_of(name, seed, frame=None):
    """Points that are reordered: signal tokens alone, or with noise tokens, or a sample."""
    data = Mixture(CLASSES, DIM, **(NOISE if name == "noise" else {}))
    signals = make_signals(data, frame)
    if name == "sample":
        return sample(data, signals, 90, seed=seed)
    return population(data, signals, num_nodes=2, seed=seed)


def start_of(model, seed):
    """Every part random: the gate tells points apart from the first step."""
    start = initial_parameters(model, DIM, init_std=0.5, attention_scale=0.7, seed=seed)
    gate = np.random.default_rng(seed).standard_normal(start.gate.shape)
    return ModelParameters(start.ffn, start.attention, gate)


def turned(points, order):
    """The same points in another order."""
    names = ("tokens", "labels", "weights", "classes", "distractors")
    return replace(points, mirrored=False, **{n: getattr(points, n)[order] for n in names})


everywhere = pytest.mark.parametrize("name", ["population", "noise", "sample"])


@everywhere
@pytest.mark.parametrize("kind", ["mot", "shared"])
def test_evaluation_is_in_the_order_of_the_points(kind, name):
    points = points_of(name, 0)
    order = kernel_batch(points.tokens, points.labels, points.weights).order
    assert np.abs(np.diff(order)).max() > 1
    model = Model(kind, EXPERTS, "cubic")
    p = start_of(model, 0)
    got = evaluate(model, p, points)
    for b, x in enumerate(points.tokens):
        h = p.gate @ x.sum(axis=0)
        f = [
            reference.expert_output(w, reference.matrix_of(p.attention, i), x, "cubic")
            for i, w in enumerate(p.ffn)
        ]
        near = {"rtol": 1e-11, "atol": 1e-13}
        np.testing.assert_allclose(got.logits[b], h, **near)
        np.testing.assert_allclose(got.gates[b], reference.softmax(h), **near)
        np.testing.assert_allclose(got.outputs[b], f, **near)
        assert got.routed[b] == h.argmax()
        want = reference.softmax(h)[h.argmax()] * f[h.argmax()]
        assert got.prediction[b] == pytest.approx(want, rel=1e-11)
        for i, matrix in enumerate(p.attention):
            want = reference.attention_weights(matrix, x)
            np.testing.assert_allclose(got.attention[i, :, :, b], want, **near)
    # Negative control: neighbors differ, so another order would be seen.
    assert np.abs(np.diff(got.prediction)).max() > 1e-3


@everywhere
def test_evaluation_of_points_in_another_order(name):
    points, model = points_of(name, 1), Model("mot", EXPERTS, "linear")
    order = np.random.default_rng(2).permutation(len(points.labels))
    p = start_of(model, 1)
    one, other = evaluate(model, p, points), evaluate(model, p, turned(points, order))
    for part in ("outputs", "logits", "gates", "prediction"):
        np.testing.assert_allclose(
            getattr(other, part), getattr(one, part)[order], rtol=1e-13, atol=1e-15
        )
    np.testing.assert_array_equal(other.routed, one.routed[order])
    np.testing.assert_allclose(other.attention, one.attention[..., order], rtol=1e-13)
    assert other.loss == pytest.approx(one.loss, rel=1e-13)


# --- sampled routing ------------------------------------------------------------------------------


@everywhere
@pytest.mark.parametrize("seed", SEEDS)
def test_sampled_gradients_use_the_noise_of_their_point(name, seed):
    points, model = points_of(name, seed), Model("mot", EXPERTS, "linear", top_k=2)
    p = start_of(model, seed)
    noise = np.random.default_rng(seed).gumbel(size=(len(points.labels), EXPERTS))
    _, got = loss_and_gradients(model, p, points, routing=Routing("sampled"), routing_noise=noise)
    data = (points.tokens, points.labels, points.weights)

    def want(drawn):
        return reference.gradients(
            p.gate, p.ffn, p.attention, data, "linear", "squared", noise=drawn, top_k=2
        )

    for ours, theirs in zip((got.gate, got.ffn, got.attention), want(noise), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-12)
    assert np.abs(want(np.roll(noise, 1, axis=0))[1] - got.ffn).max() > 1e-3  # negative control


#: steps, ffn rate, normalized, attention rate, gate rate, routing scale; all of one noise scale
SCHEDULE = [(3, 0.1, False, 0.05, 0.5, 0.8), (3, 0.05, True, 0.0, 0.5, 0.8)]


@everywhere
@pytest.mark.parametrize(
    "seed", [SEEDS[0], *(pytest.param(seed, marks=pytest.mark.slow) for seed in SEEDS[1:])]
)
def test_sampled_training_uses_the_noise_of_the_right_point(name, seed):
    points, model = points_of(name, seed, frame=seed), Model("mot", EXPERTS, "linear")
    start = start_of(model, seed)
    assert (
        np.abs(np.diff(reduce_problem(model, points, start, use_mirror=False).batch.order)).max()
        > 1
    )
    routing = Routing("sampled", scale=0.8)
    stages = as_stages(SCHEDULE, mode="sampled")
    got = train(model, points, stages, start, seed=seed).parameters
    shape = (6, EXPERTS, len(points.labels))
    noise = routing.draw(generator(seed, "routing"), shape).transpose(0, 2, 1)
    right, wrong = (
        plain_training(model, points, start, SCHEDULE, noise=drawn)[1]
        for drawn in (noise, np.roll(noise, 1, axis=1))
    )
    for part in ("ffn", "attention", "gate"):
        np.testing.assert_allclose(
            getattr(got, part), getattr(right, part), rtol=1e-9, atol=1e-11, err_msg=part
        )
        # Negative control: the noise of the neighbor gives another training.
        assert np.abs(getattr(got, part) - getattr(wrong, part)).max() > 1e-4, part
