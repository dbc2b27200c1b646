"""Diagnostics by hand."""

from types import SimpleNamespace

import numpy as np
import pytest

from motsim.mixture import evaluation
from motsim.mixture.data import Mixture, Signals, make_signals
from motsim.mixture.diagnostics import (
    coverage,
    dispatch,
    dispatch_entropy,
    expert_alignment,
    expert_classes,
    routing_accuracy,
)
from motsim.mixture.evaluation import evaluate, evaluator
from motsim.mixture.model import Model, ModelParameters, initial_parameters
from motsim.mixture.points import population

# Four points of classes 0, 0, 1, 1 with weights .1, .2, .3, .4 routed to experts 0, 2, 2, 2.
POINTS = SimpleNamespace(
    classes=np.array([0, 0, 1, 1]), weights=np.array([0.1, 0.2, 0.3, 0.4]), num_classes=2
)
EVALUATION = SimpleNamespace(logits=np.zeros((4, 3)), routed=np.array([0, 2, 2, 2]))
SHARES = np.array([[0.1, 0.0], [0.0, 0.0], [0.2, 0.7]])


def test_dispatch_by_hand():
    np.testing.assert_allclose(dispatch(EVALUATION, POINTS), SHARES, rtol=1e-15)


def test_dispatch_entropy_by_hand():
    # Expert 2 has load .9 and classes 2/9, 7/9; expert 0 is pure, expert 1 idle.
    want = -(0.2 * np.log(2 / 9) + 0.7 * np.log(7 / 9))
    assert dispatch_entropy(SHARES) == pytest.approx(want, rel=1e-14)


@pytest.mark.parametrize("num_classes", [2, 4, 7])
def test_dispatch_entropy_has_its_ends(num_classes):
    pure = np.eye(num_classes) / num_classes
    assert dispatch_entropy(pure) == 0.0
    assert not np.signbit(dispatch_entropy(pure))
    blind = np.full((3, num_classes), 1 / (3 * num_classes))
    assert dispatch_entropy(blind) == pytest.approx(np.log(num_classes), rel=1e-14)


def test_expert_alignment_by_hand():
    signals = Signals(np.eye(4)[:2], np.eye(4)[2:])
    ffn = np.array([[[9.0, 9.0, 1.0, -2.0], [0.0, 0.0, -3.0, 0.5]]])  # class directions: ignored
    parameters = ModelParameters(ffn, np.zeros((0, 4, 4)), np.zeros((1, 4)))
    np.testing.assert_array_equal(expert_alignment(parameters, signals), [[3.0, 2.0]])


def test_expert_classes_by_hand():
    alignment = np.array([[3.0, 1.4], [1.0, 2.0], [1.0, 2.1], [0.0, 0.0]])
    assert expert_classes(alignment).tolist() == [0, -1, 1, -1]  # 2.0 is not more than twice
    assert expert_classes(alignment, dominance=1.5).tolist() == [0, 1, 1, -1]


@pytest.mark.parametrize("at_a_time", [10**6, 64])
def test_points_laid_out_once_or_in_parts_say_the_same(monkeypatch, at_a_time):
    mixture = Mixture(3, 8)
    points = population(mixture, make_signals(mixture, 0))
    model = Model("mot", 3)
    starts = [
        initial_parameters(model, 8, init_std=0.3, attention_scale=1.0, seed=s) for s in (0, 1)
    ]
    want = [evaluate(model, start, points) for start in starts]
    monkeypatch.setattr(evaluation, "MAX_WEIGHTS", at_a_time * 3 * 9)
    assert (len(points.labels) > at_a_time) == (at_a_time == 64)
    at = evaluator(model, points)
    got = [at(start) for start in starts]
    for one, other in zip(got, want, strict=True):
        np.testing.assert_allclose(one.loss, other.loss, rtol=1e-14)
        for name in ("outputs", "logits", "gates", "routed", "prediction", "attention"):
            assert np.array_equal(getattr(one, name), getattr(other, name))
    assert not np.array_equal(got[0].outputs, got[1].outputs)


def test_routing_accuracy_and_coverage_by_hand():
    # Expert 0 is of class 0, expert 2 of class 1: right are weights .1, .3 and .4.
    classes = np.array([0, 0, 1])
    assert routing_accuracy(EVALUATION, POINTS, classes) == pytest.approx(0.8, rel=1e-15)
    assert coverage(SHARES, classes) == 2
    assert coverage(SHARES, np.array([1, 0, 1])) == 1  # the idle expert 1 does not count
    assert coverage(SHARES, np.array([-1, 0, -1])) == 0
    assert routing_accuracy(EVALUATION, POINTS, np.array([-1, 0, -1])) == 0.0


@pytest.mark.parametrize("seed", [0, 1])
def test_a_perfect_mixture_is_seen_as_one(seed):
    """Experts v_n and a gate along c_n, set by hand."""
    mixture = Mixture(3, 8)
    signals = make_signals(mixture, seed)
    points = population(mixture, signals)
    c, v = signals.class_signals, signals.classification_signals
    order = [2, 0, 1]
    parameters = ModelParameters(v[order, None], np.zeros((3, 8, 8)), 50.0 * c[order])
    found = evaluate(Model("mot", 3, "linear"), parameters, points)
    shares = dispatch(found, points)
    classes = expert_classes(expert_alignment(parameters, signals))
    np.testing.assert_allclose(shares, np.eye(3)[order] / 3, atol=1e-15)
    assert classes.tolist() == order
    assert dispatch_entropy(shares) == 0.0
    assert routing_accuracy(found, points, classes) == pytest.approx(1.0, abs=1e-15)
    assert coverage(shares, classes) == 3
    assert found.loss < 1e-15  # uniform attention: f = sum_l v . z_l = y
    # Negative control: an untrained model routes everything to expert 0.
    fresh = initial_parameters(Model("mot", 3), 8, init_std=0.1, attention_scale=1.0, seed=seed)
    shares = dispatch(evaluate(Model("mot", 3), fresh, points), points)
    assert dispatch_entropy(shares) == pytest.approx(np.log(3), rel=1e-12)
