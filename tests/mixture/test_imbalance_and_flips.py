"""Classes that are not equally likely, and labels that are flipped: data, training, keys."""

from dataclasses import replace

import numpy as np
import pytest

from motsim.experiments.mixture.run import Settings, build_model, prepare, stages
from motsim.mixture.data import Mixture, make_signals
from motsim.mixture.evaluation import evaluate, loss_and_gradients
from motsim.mixture.model import Model, Routing, initial_parameters
from motsim.mixture.points import population, sample
from motsim.mixture.training import train
from motsim.statistics.intervals import exact_share_interval

FLIP = 0.2
DATA = Mixture(3, 8, 4, noise_std=0.5, class_exponent=1.5, label_flip=FLIP)
CLEAN = replace(DATA, label_flip=0.0)
SIGNALS = make_signals(DATA, 0)


def both_labels(points, flip):
    """The population written out: each point with its label and with the other one."""
    sign = np.sign(points.labels)
    two = {
        name: np.concatenate([getattr(points, name)] * 2)
        for name in ("tokens", "classes", "distractors")
    }
    return replace(
        points, **two, labels=np.concatenate([sign, -sign]), mirrored=False,
        weights=np.concatenate([(1 - flip) * points.weights, flip * points.weights]),
    )  # fmt: skip


def test_classes_have_their_probabilities():
    points = population(DATA, SIGNALS, num_nodes=2, noise_replicates=2)
    found = np.bincount(points.classes, weights=points.weights)
    law = np.array([1, 2**-1.5, 3**-1.5])
    np.testing.assert_allclose(found, law / law.sum(), rtol=1e-14)
    for n in range(3):  # the distractor's class is uniform on the others
        own = points.classes == n
        others = np.bincount(points.distractors[own], weights=points.weights[own], minlength=3)
        np.testing.assert_allclose(others[others > 0], found[n] / 2, rtol=1e-14)


def test_the_population_is_still_closed_under_the_mirror():
    points = population(DATA, SIGNALS, num_nodes=2, noise_replicates=2)
    half = len(points.labels) // 2
    np.testing.assert_array_equal(points.weights[:half], points.weights[half:])
    np.testing.assert_array_equal(points.labels[:half], -points.labels[half:])
    np.testing.assert_array_equal(points.labels[:half], 1 - 2 * FLIP)
    np.testing.assert_array_equal(points.tokens[:half, 1:], -points.tokens[half:, 1:])


def test_equal_classes_without_flips_are_the_same_bits():
    """As they were before there was a choice: the weights of amplitudes alone, labels of one."""
    plain = Mixture(3, 8, 4, noise_std=0.5)
    points = population(plain, SIGNALS, num_nodes=2)
    np.testing.assert_array_equal(points.weights, points.weights[0])
    np.testing.assert_array_equal(np.abs(points.labels), 1.0)
    a, b = (sample(data, SIGNALS, 50, seed=1) for data in (plain, replace(plain, label_flip=0.3)))
    np.testing.assert_array_equal(a.tokens, b.tokens)  # flips are drawn last


def test_a_sample_has_the_law_and_the_flips():
    size = 4000
    points = sample(DATA, SIGNALS, size, seed=3)
    for n, p in enumerate(DATA.class_law()):
        share = exact_share_interval(int((points.classes == n).sum()), size, 0.999)
        assert share.contains(p)
        assert share.excludes(1 / 3)  # control: equal classes
    own = SIGNALS.classification_signals[points.classes]
    signs = np.sign(np.einsum("pd,pd->p", points.tokens[:, 1], own))
    share = exact_share_interval(int((signs != points.labels).sum()), size, 0.999)
    assert share.contains(FLIP)
    assert share.low > 0.1


@pytest.mark.parametrize("loss", ["squared", "logistic"])
@pytest.mark.parametrize("activation", ["cubic", "linear"])
@pytest.mark.parametrize("mode", ["expected", "sampled"])
def test_gradients_are_those_of_both_labels_and_the_loss_is_that_of_one(loss, activation, mode):
    model = Model("mot", 3, activation)
    start = initial_parameters(model, 8, init_std=0.6, attention_scale=0.7, seed=1)
    start = replace(start, gate=np.random.default_rng(2).normal(size=start.gate.shape))
    points = population(DATA, SIGNALS, num_nodes=2, noise_replicates=2)
    routing, noise, twice = Routing(mode), None, None
    if mode == "sampled":
        noise = np.random.default_rng(0).gumbel(size=(len(points.labels), 3))
        twice = np.concatenate([noise, noise])
    given = {"loss": loss, "routing": routing}
    value, ours = loss_and_gradients(model, start, points, routing_noise=noise, **given)
    _, theirs = loss_and_gradients(
        model, start, both_labels(points, FLIP), routing_noise=twice, **given
    )
    clean = population(CLEAN, SIGNALS, num_nodes=2, noise_replicates=2)
    expected, wrong = loss_and_gradients(model, start, clean, routing_noise=noise, **given)
    assert value == pytest.approx(expected, rel=1e-13)
    for part in ("ffn", "attention", "gate"):
        one, other, control = (getattr(g, part) for g in (ours, theirs, wrong))
        scale = np.abs(other).max()
        np.testing.assert_allclose(one, other, atol=1e-12 * scale, err_msg=part)
        assert np.abs(control - other).max() > 1e-3 * scale


@pytest.mark.parametrize("preset", ["cubic", "linear"])
def test_training_is_that_of_both_labels_written_out(preset):
    """Through all stages, with the reductions: the mirror halves the linear preset's points."""
    settings = Settings(
        preset=preset, num_classes=2, num_experts=4, dim=8, label_flip=0.1, class_exponent=1.0,
        num_nodes=2, specialize_steps=800, align_steps=20, converge_steps=100, seed=1,
    )  # fmt: skip
    points, start = prepare(settings)
    model, schedule = build_model(settings), stages(settings)
    ours = train(model, points, schedule, start)
    theirs = train(model, both_labels(points, 0.1), schedule, start)
    for part in ("ffn", "attention", "gate"):
        one, other = getattr(ours.parameters, part), getattr(theirs.parameters, part)
        np.testing.assert_allclose(one, other, rtol=1e-6, atol=1e-6, err_msg=part)
    clean = prepare(settings.model_copy(update={"label_flip": 0.0}))[0]
    assert ours.final_loss == pytest.approx(evaluate(model, ours.parameters, clean).loss, rel=1e-9)
    assert theirs.final_loss > 1.5 * ours.final_loss  # whose loss counts flipped labels as wrong


@pytest.mark.parametrize("activation", ["cubic", "linear"])
def test_flips_are_a_change_of_step_sizes(activation):
    """Derived in docs/theory.md §6.9: F = s F' with s = 1 - 2q, for outputs of degree k in w."""
    s, k = 1 - 2 * FLIP, {"cubic": 3, "linear": 1}[activation]
    root = s ** (1 / k)
    flipped = Settings(
        preset=activation, num_experts=8, label_flip=FLIP, specialize_steps=200, align_steps=20,
        converge_steps=100, seed=2,
    )  # fmt: skip
    gate = stages(flipped)[0].gate.rate
    clean = flipped.model_copy(update={
        "label_flip": 0.0, "init_std": flipped.init_std / root,
        "specialize_rate": flipped.specialize_rate / root, "align_rate": flipped.align_rate * s**2,
        "converge_rate": flipped.converge_rate * s**2 / root**2, "gate_rate": gate * s**2,
    })  # fmt: skip
    one, other, control = (
        train(build_model(x), *_points(x)) for x in (
            flipped, clean, clean.model_copy(update={"gate_rate": gate})
        )
    )  # fmt: skip
    scale = np.abs(other.parameters.gate).max()
    np.testing.assert_allclose(one.parameters.gate, other.parameters.gate, atol=1e-6 * scale)
    np.testing.assert_allclose(one.parameters.ffn, root * other.parameters.ffn, atol=1e-6)
    assert np.abs(one.parameters.gate - control.parameters.gate).max() > 0.1 * scale


def _points(settings):
    points, start = prepare(settings)
    return points, stages(settings), start


def test_defaults_are_not_stored_and_other_values_are():
    assert not {"class_exponent", "label_flip"} & set(Settings().model_dump())
    stored = Settings(class_exponent=1.0, label_flip=0.1).model_dump()
    assert (stored["class_exponent"], stored["label_flip"]) == (1.0, 0.1)


@pytest.mark.parametrize(
    ("name", "value"),
    [("class_exponent", -0.1), ("class_exponent", float("nan")), ("label_flip", 0.5),
     ("label_flip", -0.1)],
)  # fmt: skip
def test_values_out_of_range_are_refused(name, value):
    with pytest.raises(ValueError, match=f"{name} must be"):
        Mixture(**{name: value})
    with pytest.raises(TypeError, match=f"{name} must be a number"):
        Mixture(**{name: "much"})
