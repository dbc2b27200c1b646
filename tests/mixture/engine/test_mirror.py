"""Half the points give the training that all of them give, where the mirror holds."""

from dataclasses import replace

import numpy as np
import pytest

from motsim.mixture.data import Mixture, make_signals
from motsim.mixture.engine import reduction
from motsim.mixture.engine.reduction import reduce_problem
from motsim.mixture.model import Model, Routing
from motsim.mixture.points import sample
from motsim.mixture.schedule import Descent, Stage
from tests.mixture.engine.reduction_cases import NOISE, problem
from tests.mixture.problems import (
    JOINT,
    SCHEDULE,
    SEEDS,
    as_stages,
    assert_same_parameters,
    full_curve,
)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("support", ["class_complement", "signal_complement"])
def test_mirror_is_exact_with_noise_off_the_class_signals(support, seed):
    model = Model("mot", 4, "linear")
    points, start = problem(model, seed, odd=True, replicates=4, noise_support=support, **NOISE)
    assert reduce_problem(model, points, start).odd
    stages = as_stages(SCHEDULE)
    with_it, a = full_curve(model, points, stages, start)
    without, b = full_curve(model, points, stages, start, use_mirror=False)
    np.testing.assert_allclose(with_it, without, rtol=1e-11)
    assert_same_parameters(a.parameters, b.parameters, rtol=1e-9, atol=1e-11)


def test_mirror_halves_the_points():
    model = Model("mot", 2, "linear")
    points, start = problem(model, 0, odd=True)
    half, whole = (reduce_problem(model, points, start, use_mirror=m) for m in (True, False))
    counts = [(reduced.batch.point_weights > 0).sum() for reduced in (half, whole)]
    assert counts[0] * 2 == counts[1] == len(points.labels)
    assert half.batch.point_weights.sum() == pytest.approx(1.0, abs=1e-15)
    assert not whole.odd


REFUSED = {
    "generic start": {"odd": False},
    "noise on the class signals": {"odd": True, **NOISE},
}


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("name", REFUSED)
def test_mirror_is_not_used_where_it_does_not_hold(name, seed, monkeypatch):
    model = Model("mot", 3, "cubic")
    points, start = problem(model, seed, **REFUSED[name])
    assert not reduce_problem(model, points, start).odd
    right, _ = full_curve(model, points, as_stages(JOINT), start)
    # Negative control: used all the same, it changes the training.
    monkeypatch.setattr(reduction, "_mirror_holds", lambda *_: True)
    monkeypatch.setattr(reduction, "_is_odd", lambda *_: True)
    assert reduce_problem(model, points, start).odd
    wrong, _ = full_curve(model, points, as_stages(JOINT), start)
    assert np.abs(wrong / right - 1).max() > 1e-4


@pytest.mark.parametrize("part", ["ffn", "gate", "attention"])
def test_any_part_that_is_not_odd_switches_the_mirror_off(part):
    model = Model("mot", 2, "linear")
    points, start = problem(model, 0, odd=True)
    assert reduce_problem(model, points, start).odd
    c = points.signals.class_signals[0]
    v = points.signals.classification_signals[0]
    shift = {"ffn": 1e-6 * c, "gate": 1e-6 * v, "attention": 1e-6 * np.outer(c, v)}[part]
    bent = replace(start, **{part: getattr(start, part) + shift})
    assert not reduce_problem(model, points, bent).odd


def test_mirror_is_not_used_on_a_sample():
    model = Model("mot", 2, "linear")
    _, start = problem(model, 0, odd=True)
    data = Mixture(2, 7)
    points = sample(data, make_signals(data, 0), 64)
    assert not reduce_problem(model, points, start).odd


@pytest.mark.parametrize("change", ["labels", "weights"])
def test_mirror_is_not_used_when_labels_or_weights_are_not_mirrored(change):
    model = Model("mot", 2, "linear")
    points, start = problem(model, 0, odd=True)
    changed = getattr(points, change).copy()
    changed[0] *= -1.0 if change == "labels" else 1.5
    assert not reduce_problem(model, replace(points, **{change: changed}), start).odd


@pytest.mark.parametrize("seed", SEEDS)
def test_mirror_is_not_used_with_sampled_routing(seed):
    model = Model("mot", 3, "linear")
    points, start = problem(model, seed, odd=True)
    routing = Routing("sampled")
    stages = [Stage("all", 20, Descent(0.05), Descent(0.05), Descent(0.5), routing)]
    a, b = (full_curve(model, points, stages, start, use_mirror=m, seed=3)[0] for m in (1, 0))
    np.testing.assert_array_equal(a, b)
    expected = [replace(stages[0], routing=Routing())]
    assert np.abs(full_curve(model, points, expected, start)[0] / a - 1).max() > 1e-4
