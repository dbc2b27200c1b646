"""Finite samples of the mixture."""

from dataclasses import replace

import numpy as np
import pytest

from motsim.mixture.data import Mixture, make_signals
from motsim.mixture.points import population, sample

SEEDS = [0, 1, 17]
NOISY = {"noise_std": 0.7, "num_tokens": 5}


def nontrivial(points):
    """A bounded function of all tokens and the label, not a polynomial."""
    x = points.tokens
    size = np.tanh(0.1 * np.einsum("pld,pld->p", x, x))
    return size + 0.2 * points.labels * np.sin(x @ np.arange(x.shape[2])).sum(axis=1)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("rho", [0.0, 0.4])
def test_population_expectation_is_that_of_a_large_sample(rho, seed):
    mixture = Mixture(
        3, 8, similarity=rho, class_amplitude=(0.5, 1.5), signal_amplitude=(0.8, 1.2),
        distractor_amplitude=(0.5, 2.0),
    )  # fmt: skip
    signals = make_signals(mixture, seed)
    exact = population(mixture, signals, num_nodes=12)
    drawn = sample(mixture, signals, 200_000, seed=seed)
    values = nontrivial(drawn)
    error = values.std() / np.sqrt(len(values))
    assert abs(exact.weights @ nontrivial(exact) - values.mean()) < 4 * error
    # Negative control: another distractor range is outside.
    wrong = replace(mixture, distractor_amplitude=(0.5, 3.0))
    other = population(wrong, signals, num_nodes=12)
    assert abs(other.weights @ nontrivial(other) - values.mean()) > 4 * error


def test_noisy_population_expectation_is_that_of_a_large_sample():
    mixture = Mixture(3, 8, **NOISY)
    signals = make_signals(mixture, 1)
    exact = population(mixture, signals, noise_replicates=200, seed=1)
    drawn = sample(mixture, signals, 100_000, seed=1)

    def third_noise(points):  # one noise token's cosine with a class token, squared: E = 1/d
        return np.einsum("pd,pd->p", points.tokens[:, 0], points.tokens[:, 3]) ** 2

    values = third_noise(drawn)
    ours = third_noise(exact)
    error = np.hypot(values.std() / len(values) ** 0.5, ours.std() / (len(ours) / 4) ** 0.5)
    assert abs(exact.weights @ ours - values.mean()) < 4 * error
    assert abs(values.mean() - 0.7**2 / 8) < 4 * error
    assert error < 0.05 * 0.7**2 / 8  # the check can tell 20 % apart


@pytest.mark.parametrize("seed", SEEDS)
def test_sample_is_balanced_and_reproducible(seed):
    mixture = Mixture(4, 8)
    signals = make_signals(mixture, seed)
    a, b = (sample(mixture, signals, 4000, seed=seed) for _ in range(2))
    np.testing.assert_array_equal(a.tokens, b.tokens)
    assert not a.mirrored
    assert (a.classes != a.distractors).all()
    np.testing.assert_allclose(a.weights, 1 / 4000)
    for n in range(4):  # 4 standard deviations of a binomial count
        assert abs((a.classes == n).sum() - 1000) < 4 * np.sqrt(4000 * 3 / 16)
        assert abs((a.distractors == n).sum() - 1000) < 4 * np.sqrt(4000 * 3 / 16)
    for signs in (a.labels, np.sign(a.tokens[:, 2] @ signals.classification_signals.sum(axis=0))):
        assert abs(signs.sum()) < 4 * np.sqrt(4000)
    assert abs(np.mean(a.labels * np.sign(a.tokens[:, 2].sum(axis=1)))) < 4 / np.sqrt(4000)


def test_shuffled_tokens_are_the_same_tokens_in_another_order():
    mixture = Mixture(3, 8, 5, noise_std=0.3)
    signals = make_signals(mixture, 0)
    plain = sample(mixture, signals, 300, seed=0)
    mixed = sample(mixture, signals, 300, seed=0, shuffle_tokens=True)
    assert np.abs(plain.tokens - mixed.tokens).max() > 0.1
    place = (mixed.tokens[:, :, None] == plain.tokens[:, None]).all(axis=3)
    assert (place.sum(axis=1) == 1).all()
    # every position receives the class token about equally often
    counts = place[:, :, 0].sum(axis=0)
    assert np.abs(counts - 60).max() < 4 * np.sqrt(300 * 0.2 * 0.8)
