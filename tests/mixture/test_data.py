"""Signals and the exact population."""

from dataclasses import replace

import numpy as np
import pytest

from motsim.mixture.data import Mixture, make_signals
from motsim.mixture.points import population, sample
from motsim.randomness import PURPOSES, generator

EPS = np.finfo(float).eps
SEEDS = [0, 1, 17]
GRAM = np.array([[1.0, 0.5, -0.2], [0.5, 1.0, 0.3], [-0.2, 0.3, 1.0]])


def signal_gram(mixture, seed):
    signals = make_signals(mixture, seed)
    c, v = signals.class_signals, signals.classification_signals
    return c @ c.T, c @ v.T, v @ v.T


# --- signals --------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", [None, *SEEDS])
@pytest.mark.parametrize("dim", [8, 24])
def test_signals_are_orthonormal_without_similarity(dim, seed):
    cc, cv, vv = signal_gram(Mixture(4, dim), seed)
    for got, want in ((cc, np.eye(4)), (cv, np.zeros((4, 4))), (vv, np.eye(4))):
        np.testing.assert_allclose(got, want, atol=20 * EPS)


@pytest.mark.parametrize("seed", [None, *SEEDS])
@pytest.mark.parametrize("rho", [-1 / 3, -0.2, 0.3, 0.999])
def test_signals_have_the_asked_similarity(rho, seed):
    cc, cv, vv = signal_gram(Mixture(4, 8, similarity=rho), seed)
    np.testing.assert_allclose(cc, np.eye(4), atol=20 * EPS)
    np.testing.assert_allclose(cv, 0.0, atol=20 * EPS)
    np.testing.assert_allclose(vv, (1 - rho) * np.eye(4) + rho, atol=1e-14)


@pytest.mark.parametrize("num_classes", [2, 3, 6])
def test_lowest_similarity_makes_the_signals_cancel(num_classes):
    mixture = Mixture(num_classes, 2 * num_classes, similarity=-1 / (num_classes - 1))
    v = make_signals(mixture, 3).classification_signals
    np.testing.assert_allclose(v.sum(axis=0), 0.0, atol=1e-7)  # root of a rounding eigenvalue
    np.testing.assert_allclose(np.linalg.norm(v, axis=1), 1.0, atol=1e-14)


@pytest.mark.parametrize("seed", [None, *SEEDS])
def test_signals_have_an_arbitrary_gram_matrix(seed):
    cc, cv, vv = signal_gram(Mixture(3, 7, similarity=GRAM.tolist()), seed)
    np.testing.assert_allclose(vv, GRAM, atol=1e-14)
    np.testing.assert_allclose(cv, 0.0, atol=20 * EPS)
    np.testing.assert_allclose(cc, np.eye(3), atol=20 * EPS)
    assert np.abs(vv - np.eye(3)).max() > 0.4  # negative control: another Gram matrix is seen


def test_signals_depend_on_the_seed_only():
    mixture = Mixture(3, 9)
    again = make_signals(mixture, 5).class_signals
    np.testing.assert_array_equal(make_signals(mixture, 5).class_signals, again)
    assert np.abs(make_signals(mixture, 6).class_signals - again).max() > 0.1


def test_streams_of_different_purposes_and_seeds_differ():
    firsts = {generator(s, p).standard_normal() for s in range(5) for p in PURPOSES}
    assert len(firsts) == 5 * len(PURPOSES)
    with pytest.raises(ValueError, match=r"purpose must be one of signals, .*; got 'luck'"):
        generator(0, "luck")
    with pytest.raises(ValueError, match="seed must be >= 0; got -1"):
        generator(-1, "noise")


# --- population -----------------------------------------------------------------------------------


def make_population(mixture=None, seed=0, **options):
    mixture = mixture or Mixture(3, 8)
    signals = make_signals(mixture, seed)
    return population(mixture, signals, seed=seed, **options), signals


@pytest.mark.parametrize("num_nodes", [1, 4, 7])
def test_population_enumerates_every_case_once(num_nodes):
    points, _ = make_population(num_nodes=num_nodes)
    assert len(points.labels) == 3 * 2 * 2 * 2 * num_nodes
    rows = {tuple(np.round(x.ravel(), 9)) for x in points.tokens}
    assert len(rows) == len(points.labels)
    assert points.weights.sum() == pytest.approx(1.0, abs=4 * EPS)
    assert (points.weights > 0).all()
    assert (points.classes != points.distractors).all()
    for n in range(3):
        assert points.weights[points.classes == n].sum() == pytest.approx(1 / 3, abs=4 * EPS)


def test_population_of_fixed_amplitudes_has_one_node():
    fixed = Mixture(3, 6, distractor_amplitude=(2.0, 2.0), signal_amplitude=(0.5, 0.5))
    points, signals = make_population(fixed, num_nodes=9)
    assert len(points.labels) == 3 * 2 * 4
    np.testing.assert_allclose(
        points.tokens[:, 1],
        0.5 * points.labels[:, None] * signals.classification_signals[points.classes],
    )
    assert np.allclose(np.linalg.norm(points.tokens[:, 2], axis=1), 2.0)


def test_tokens_are_the_model_of_the_theory():
    mixture = Mixture(3, 8, class_amplitude=(0.5, 0.5), signal_amplitude=(0.5, 2.0))
    points, signals = make_population(mixture, num_nodes=2)
    c, v = signals.class_signals, signals.classification_signals
    np.testing.assert_allclose(points.tokens[:, 0], 0.5 * c[points.classes], atol=EPS)
    alpha = np.einsum("pd,pd->p", points.tokens[:, 1], v[points.classes]) * points.labels
    # Two Gauss-Legendre nodes on [0.5, 2] by hand: 1.25 -+ 0.75 / sqrt(3).
    assert set(np.round(alpha, 12)) == set(
        np.round([1.25 - 0.75 / 3**0.5, 1.25 + 0.75 / 3**0.5], 12)
    )
    gamma = np.linalg.norm(points.tokens[:, 2], axis=1)
    along = np.abs(np.einsum("pd,pd->p", points.tokens[:, 2], v[points.distractors]))
    np.testing.assert_allclose(along, gamma, rtol=1e-14)


def moment(low, high, power):
    """E[u^power], u uniform on [low, high], by the antiderivative."""
    return (high ** (power + 1) - low ** (power + 1)) / ((power + 1) * (high - low))


@pytest.mark.parametrize("power", [1, 2, 6])
@pytest.mark.parametrize(
    ("name", "token"),
    [("class_amplitude", 0), ("signal_amplitude", 1), ("distractor_amplitude", 2)],
)
def test_amplitude_moments_are_exact(name, token, power):
    low, high = 0.5, 3.0
    points, _ = make_population(replace(Mixture(3, 8), **{name: (low, high)}), num_nodes=4)
    size = np.linalg.norm(points.tokens[:, token], axis=1)
    got = points.weights @ size**power
    assert got == pytest.approx(moment(low, high, power), rel=1e-13)


def test_too_few_nodes_miss_the_sixth_moment():
    """Negative control: three nodes are exact to degree 5 only."""
    points, _ = make_population(Mixture(3, 8), num_nodes=3)
    size = np.linalg.norm(points.tokens[:, 2], axis=1)
    assert points.weights @ size**4 == pytest.approx(moment(1, 3, 4), rel=1e-13)
    assert points.weights @ size**6 != pytest.approx(moment(1, 3, 6), rel=1e-5)


NOISY = {"noise_std": 0.7, "num_tokens": 5}


@pytest.mark.parametrize("replicates", [1, 2, 6])
@pytest.mark.parametrize("seed", SEEDS)
def test_second_half_is_the_exact_mirror_of_the_first(seed, replicates):
    points, _ = make_population(Mixture(3, 8, **NOISY), seed, noise_replicates=replicates)
    half = len(points.labels) // 2
    assert points.mirrored
    image = -points.tokens[:half]
    image[:, 0] *= -1
    np.testing.assert_array_equal(points.tokens[half:], image)
    np.testing.assert_array_equal(points.labels[half:], -points.labels[:half])
    for name in ("weights", "classes", "distractors"):
        array = getattr(points, name)
        np.testing.assert_array_equal(array[half:], array[:half])


def test_odd_expectations_vanish():
    points, signals = make_population(Mixture(3, 8, **NOISY), 2, noise_replicates=2)
    total = np.einsum("p,pld->ld", points.weights, points.tokens[:, 1:])
    np.testing.assert_allclose(total, 0.0, atol=1e-15)
    # Negative control: with the label the signal token does not vanish; it is mean(v) here.
    signed = np.einsum("p,p,pd->d", points.weights, points.labels, points.tokens[:, 1])
    np.testing.assert_allclose(signed, signals.classification_signals.mean(axis=0), atol=1e-15)


@pytest.mark.parametrize("replicates", [2, 6])
def test_replicates_are_antithetic_in_each_point(replicates):
    points, _ = make_population(Mixture(3, 8, **NOISY), noise_replicates=replicates)
    noise = points.tokens[:, 3:].reshape(-1, replicates, 2, 8)
    front, back = noise[:, : replicates // 2], noise[:, replicates // 2 :]
    np.testing.assert_array_equal(front, -back)
    same = points.tokens[:, :3].reshape(-1, replicates, 3, 8)
    np.testing.assert_array_equal(same, np.broadcast_to(same[:, :1], same.shape))
    first = front[:, 0].reshape(len(front), -1)
    assert len(np.unique(np.abs(first[: len(first) // 2, 0]))) == len(first) // 2  # own draws


def test_noise_has_the_asked_size():
    points, _ = make_population(Mixture(4, 16, 8, noise_std=0.5), 3, noise_replicates=8)
    square = (points.tokens[:, 3:] ** 2)[: len(points.labels) // 2 : 2]
    deviation = square.std() / np.sqrt(square.size / 2)  # pairs share a draw
    assert abs(square.mean() - 0.5**2 / 16) < 4 * deviation
    assert abs(square.mean() - 0.55**2 / 16) > 4 * deviation  # negative control


@pytest.mark.parametrize("draw", ["population", "sample"])
@pytest.mark.parametrize(
    ("support", "off_class", "off_signal"),
    [("isotropic", 0, 0), ("class_complement", 1, 0), ("signal_complement", 1, 1)],
)
def test_noise_keeps_to_its_support(support, off_class, off_signal, draw):
    mixture = Mixture(3, 9, 5, similarity=-0.5, noise_std=1.0, noise_support=support)
    signals = make_signals(mixture, 4)
    points = (
        population(mixture, signals, seed=4)
        if draw == "population"
        else sample(mixture, signals, 200, seed=4)
    )
    noise = points.tokens[:, 3:]
    overlaps = [
        np.abs(noise @ s.T).max() for s in (signals.class_signals, signals.classification_signals)
    ]
    for overlap, off in zip(overlaps, (off_class, off_signal), strict=True):
        assert (overlap < 1e-14) if off else (overlap > 0.1)
    assert np.abs(noise).max() > 0.1


def test_noise_tokens_are_zero_without_noise():
    points, _ = make_population(Mixture(3, 8, 6), noise_replicates=4)
    assert not points.tokens[:, 3:].any()
    assert len(points.labels) == 3 * 2 * 4 * 4  # replicates are not wasted
