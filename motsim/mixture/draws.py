"""Independent samples of a mixture as what is random of them: classes, labels, amplitudes, noise.

Data model of docs/theory.md §1 (reconstructed from arXiv:2510.27004 and its lineage).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from motsim.mixture.data import GRAM_TOLERANCE, Mixture, Signals

__all__ = ["Draws", "draw", "noise_tokens"]

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Draws:
    """What is random of P samples; with the signals it makes their tokens.

    Attributes
    ----------
    classes, distractors : (P,) integer arrays
        n and n' of each sample.
    labels : (P,) array
        As training sees them, flips included.
    amplitudes : (3, P) array
        beta, alpha y and gamma s, by which c_n, v_n and v_n' are multiplied.
    noise : (P, L - 3, d) array, optional
        None where there is no noise token.
    """

    classes: NDArray[np.int64]
    distractors: NDArray[np.int64]
    labels: Floats
    amplitudes: Floats
    noise: Floats | None = None

    def tokens(self, signals: Signals) -> Floats:
        """Return the tokens (P, L, d): class, signal and distractor token, then noise."""
        c, v = signals.class_signals, signals.classification_signals
        others = 0 if self.noise is None else self.noise.shape[1]
        tokens = np.zeros((len(self.labels), 3 + others, c.shape[1]))
        named = (c, self.classes), (v, self.classes), (v, self.distractors)
        for i, (vectors, which) in enumerate(named):
            tokens[:, i] = self.amplitudes[i][:, None] * vectors[which]
        if self.noise is not None:
            tokens[:, 3:] = self.noise
        return tokens


def draw(mixture: Mixture, signals: Signals, rng: np.random.Generator, size: int) -> Draws:
    """Draw `size` independent samples.

    Parameters
    ----------
    mixture : Mixture
        The distribution.
    signals : Signals
        Drawn by `make_signals`; read where noise tokens are projected off them.
    rng : numpy.random.Generator
    size : int
        At least 1.

    Returns
    -------
    Draws
    """
    n = mixture.num_classes
    if mixture.class_exponent > 0:
        classes = rng.choice(n, size=size, p=mixture.class_law())
    else:
        classes = rng.integers(n, size=size)
    distractors = (classes + rng.integers(1, n, size=size)) % n
    labels, signs = rng.choice([-1.0, 1.0], size=(2, size))
    alpha = rng.uniform(*mixture.signal_amplitude, size=size)
    beta = rng.uniform(*mixture.class_amplitude, size=size)
    gamma = rng.uniform(*mixture.distractor_amplitude, size=size)
    amplitudes = np.stack([beta, alpha * labels, gamma * signs])
    noise = None
    if mixture.num_tokens > 3:
        shape = size, mixture.num_tokens - 3, mixture.dim
        sigma = mixture.noise_std
        noise = noise_tokens(mixture, signals, rng, shape) if sigma > 0 else np.zeros(shape)
    if mixture.label_flip > 0:
        labels = np.where(rng.random(size) < mixture.label_flip, -labels, labels)
    return Draws(classes, distractors, labels, amplitudes, noise)


def noise_tokens(
    mixture: Mixture, signals: Signals, rng: np.random.Generator, shape: tuple[int, ...]
) -> Floats:
    """Return noise tokens (..., d): N(0, sigma^2/d I), on the support that is asked for."""
    noise = rng.standard_normal(shape) * (mixture.noise_std / np.sqrt(mixture.dim))
    if mixture.noise_support == "isotropic":
        return noise
    span = signals.class_signals
    if mixture.noise_support == "signal_complement":
        span = np.concatenate([span, signals.classification_signals])
    _, values, rows = np.linalg.svd(span, full_matrices=False)
    rows = rows[values > GRAM_TOLERANCE]
    return noise - (noise @ rows.T) @ rows
