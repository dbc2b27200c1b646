"""Fewer coordinates give the training that all of them give; equal points are one."""

from dataclasses import replace

import numpy as np
import pytest

from motsim.mixture.data import Mixture, make_signals
from motsim.mixture.engine import reduction
from motsim.mixture.engine.layout import kernel_batch
from motsim.mixture.engine.reduction import reduce_problem
from motsim.mixture.evaluation import evaluate, evaluate_in_reduction
from motsim.mixture.model import Model, Routing, initial_parameters
from motsim.mixture.points import sample
from motsim.mixture.schedule import FROZEN, Descent, Stage
from motsim.mixture.training import train
from tests.mixture.engine.reduction_cases import NOISE, problem
from tests.mixture.problems import (
    JOINT,
    SCHEDULE,
    SEEDS,
    as_stages,
    assert_same_parameters,
    full_curve,
    plain_training,
)

MODELS = [
    Model("mot", 3, "cubic"),
    Model("mot", 3, "linear", 2),
    Model("single", 2, "linear"),
    Model("moe", 3, "cubic"),
    Model("shared", 3, "linear"),
]
KINDS = ["mot-cubic", "mot-linear", "single", "moe", "shared"]


@pytest.mark.parametrize(
    "seed",  # two: even ones have the squared loss
    [*SEEDS[:2], *(pytest.param(seed, marks=pytest.mark.slow) for seed in SEEDS[2:])],
)
@pytest.mark.parametrize("schedule", [SCHEDULE, JOINT], ids=["staged", "joint"])
@pytest.mark.parametrize("odd", [True, False], ids=["odd", "generic"])
@pytest.mark.parametrize("model", MODELS, ids=KINDS)
def test_training_is_that_of_the_full_dimensional_reference(model, odd, schedule, seed):
    loss = ("squared", "logistic")[seed % 2]
    points, start = problem(model, seed, odd=odd)
    assert reduce_problem(model, points, start).odd == odd
    want, end = plain_training(model, points, start, schedule, loss)
    for mirror in (True, False):
        losses, trace = full_curve(
            model, points, as_stages(schedule), start, loss=loss, use_mirror=mirror
        )
        np.testing.assert_allclose(losses, want, rtol=1e-9)
        assert_same_parameters(trace.parameters, end, rtol=1e-8, atol=1e-10)
    assert np.abs(want[-1] / want[0] - 1) > 1e-5  # it did train
    for part in (("gate",) if model.gated else ()) + ("ffn",):
        moved = np.abs(getattr(trace.parameters, part) - getattr(start, part)).max()
        assert moved > 1e-3, part


@pytest.mark.parametrize(
    ("mixture", "rank"),
    [
        ({}, 4),
        ({"similarity": 0.6}, 4),
        ({"similarity": -1.0}, 3),  # the two signals are opposite
        ({"num_tokens": 4, "noise_std": 0.1}, 7),
        ({"num_tokens": 4, "noise_std": 0.1, "noise_support": "class_complement"}, 7),
    ],
    ids=str,
)
def test_coordinates_are_those_of_the_tokens(mixture, rank):
    model = Model("mot", 2)
    points, start = problem(model, 1, odd=False, **mixture)
    reduced = reduce_problem(model, points, start)
    e, dual = reduced.directions, reduced.dual
    assert e.shape == dual.shape == (7, rank)
    np.testing.assert_allclose(e.T @ dual, np.eye(rank), atol=1e-14)
    np.testing.assert_allclose(points.tokens @ dual @ e.T, points.tokens, atol=1e-13)
    metric = reduced.batch.metric
    assert metric.size == (rank**2 if mixture.get("similarity") == 0.6 else 0)
    np.testing.assert_allclose(e.T @ e, metric if metric.size else np.eye(rank), atol=1e-14)


#: Every part normalized in turn, with attention too; and plain descent of all.
SIMILAR = [
    [
        Stage("ffn", 20, Descent(0.02, "normalized_gd"), FROZEN, Descent(0.1, "normalized_gd")),
        Stage("attention", 20, FROZEN, Descent(0.02, "normalized_gd"), Descent(0.5)),
    ],
    [Stage("all", 30, Descent(0.02), Descent(0.02), Descent(0.5))],  # later one of them diverges
]


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("stages", SIMILAR, ids=["normalized", "plain"])
@pytest.mark.parametrize("mixture", [{}, NOISE], ids=["clean", "noise"])
@pytest.mark.parametrize("similarity", [0.6, -0.5, 0.99])
def test_products_with_similar_signals_are_coordinates(
    similarity, mixture, stages, seed, monkeypatch
):
    model = (Model("mot", 3, "cubic", 2), Model("shared", 3, "linear"))[seed % 2]
    points, start = problem(model, seed, odd=seed == 1, similarity=similarity, **mixture)
    reduced = reduce_problem(model, points, start)
    assert reduced.batch.axes.shape[1] == 3
    assert reduced.odd == (seed == 1 and not mixture)  # halved by the mirror too
    losses, got = full_curve(model, points, stages, start)

    monkeypatch.setattr(reduction, "INDEPENDENT", np.inf)  # orthonormal coordinates
    assert reduce_problem(model, points, start).batch.axes.shape[1] == 0
    wanted, want = full_curve(model, points, stages, start)
    np.testing.assert_allclose(losses, wanted, rtol=1e-9)
    assert_same_parameters(got.parameters, want.parameters, rtol=1e-8, atol=1e-9)
    monkeypatch.undo()

    # Negative control: a step along the gradient itself, as if the signals were orthonormal.
    def plain(*arguments):
        return kernel_batch(*arguments[:3])

    monkeypatch.setattr(reduction, "kernel_batch", plain)
    wrong, _ = full_curve(model, points, stages, start)
    assert np.abs(wrong / wanted - 1).max() > 1e-4


def test_signals_that_are_nearly_dependent_are_not_coordinates():
    model = Model("mot", 2)
    for similarity, signals in ((0.998, 3), (0.9995, 0), (-0.9995, 0)):
        points, start = problem(model, 0, odd=False, similarity=similarity)
        assert reduce_problem(model, points, start).batch.axes.shape[1] == signals


@pytest.mark.parametrize("seed", SEEDS)
def test_what_lies_off_the_tokens_is_kept(seed):
    """The start has parts no gradient reaches; lifting must bring them back unchanged."""
    model = Model("mot", 2)
    points, start = problem(model, seed, odd=False)
    reduced = reduce_problem(model, points, start)
    off = np.eye(7) - reduced.directions @ reduced.dual.T
    assert np.abs(start.ffn @ off).max() > 0.1
    end = train(model, points, as_stages(SCHEDULE), start).parameters
    np.testing.assert_allclose(end.ffn @ off, start.ffn @ off, atol=1e-14)
    np.testing.assert_allclose(off @ end.attention, off @ start.attention, atol=1e-14)
    assert np.abs(end.ffn - start.ffn).max() > 1e-3
    again = reduced.lift(reduced.project(start), start)
    assert_same_parameters(again, start, rtol=0, atol=0)


def test_frozen_everything_changes_nothing():
    model = Model("mot", 2)
    points, start = problem(model, 0, odd=True)
    trace = train(model, points, [Stage("none", 5, FROZEN, FROZEN, FROZEN)], start)
    assert_same_parameters(trace.parameters, start, rtol=0, atol=0)


@pytest.mark.parametrize("activation", ["linear", "cubic"])
def test_equal_points_of_a_sample_are_one(monkeypatch, activation):
    """400 points, of which at most 8 differ: the curve of all of them, at the price of 8."""
    model = Model("mot", 3, activation)
    data = Mixture(2, 7, distractor_amplitude=(2.0, 2.0))
    points = sample(data, make_signals(data, 0), 400, seed=0)
    start = initial_parameters(model, 7, init_std=0.6, attention_scale=0.7, seed=0)
    merged, every = (reduce_problem(model, points, start, use_mirror=m) for m in (True, False))
    different = {(*x.ravel(), y) for x, y in zip(points.tokens, points.labels, strict=True)}
    assert (merged.batch.point_weights > 0).sum() == len(different) <= 8
    assert (every.batch.point_weights > 0).sum() == 400
    assert merged.batch.point_weights.sum() == pytest.approx(1.0, rel=1e-14)
    want, _ = full_curve(model, points, as_stages(SCHEDULE), start, use_mirror=False)
    got, _ = full_curve(model, points, as_stages(SCHEDULE), start)
    np.testing.assert_allclose(got, want, rtol=1e-11)
    # Negative control: each as if it had been drawn equally often.
    once = reduction._merged
    monkeypatch.setattr(
        reduction,
        "_merged",
        lambda *a: (*(m := once(*a))[:2], np.full(len(m[2]), 1 / 8)),
    )
    wrong, _ = full_curve(model, points, as_stages(SCHEDULE), start)
    assert np.abs(wrong / want - 1).max() > 1e-3


def test_sampled_routing_keeps_equal_points():
    """Each draws noise of its own."""
    model, data = Model("mot", 3), Mixture(2, 7, distractor_amplitude=(2.0, 2.0))
    points = sample(data, make_signals(data, 0), 40, seed=0)
    start = initial_parameters(model, 7, init_std=0.6, attention_scale=0.7, seed=0)
    stage = Stage("all", 3, Descent(0.1), FROZEN, Descent(1.0), Routing("sampled"))
    one, other = (full_curve(model, points, [stage], start, use_mirror=m)[0] for m in (True, False))
    np.testing.assert_array_equal(one, other)


def test_equal_tokens_of_unlike_labels_stay_two_points():
    tokens = np.zeros((3, 3, 2))
    x, y, w = reduction._merged(tokens, np.array([1.0, -1.0, 1.0]), np.full(3, 1 / 3))
    np.testing.assert_array_equal(y, [1.0, -1.0])
    np.testing.assert_allclose(w, [2 / 3, 1 / 3])
    assert x.shape == (2, 3, 2)


@pytest.mark.parametrize("correlation", [0.0, 0.3])
@pytest.mark.parametrize("model", MODELS, ids=repr)
def test_evaluation_in_reduced_coordinates_is_that_of_all(model, correlation):
    """Point for point, in the order of the points; control: other parameters."""
    points, start = problem(model, 0, odd=False, num_tokens=3, class_correlation=correlation)
    want = evaluate(model, start, points, with_attention=False)
    found = evaluate_in_reduction(model, start, points)
    names = ("outputs", "logits", "gates", "routed", "prediction", "loss")
    for name in names:
        np.testing.assert_allclose(
            getattr(found, name), getattr(want, name), rtol=1e-12, atol=1e-13, err_msg=name
        )
    other = evaluate_in_reduction(model, replace(start, ffn=start.ffn * (1 + 1e-9)), points)
    assert np.abs(other.outputs - want.outputs).max() > 1e-11
