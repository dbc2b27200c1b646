"""Mixture-of-classification data: the distribution and its signals.

Data model of docs/theory.md §1 (reconstructed from arXiv:2510.27004 and its lineage).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from motsim.checks import check_choice, check_integer, check_number
from motsim.randomness import generator

__all__ = ["Mixture", "NoiseSupport", "Signals", "make_signals"]

Floats = NDArray[np.float64]
NoiseSupport = Literal["isotropic", "class_complement", "signal_complement"]
NOISE_SUPPORTS: tuple[NoiseSupport, ...] = ("isotropic", "class_complement", "signal_complement")
GRAM_TOLERANCE = 1e-10
MAX_TOKEN_NUMBERS = 200_000_000  # 1.6 GB of float64


@dataclass(frozen=True)
class Mixture:
    """Distribution of one sample (X, y, n): N tasks of binary classification in one space.

    Parameters
    ----------
    num_classes : int
        N >= 2, the number of tasks.
    dim : int
        d >= 2N, the dimension of a token.
    num_tokens : int
        L >= 3: class token, signal token, distractor token, and L - 3 noise tokens.
    similarity : float or (N, N) array
        rho in [-1/(N-1), 1), the common inner product of the classification signals, or their
        whole Gram matrix (unit diagonal, positive semi-definite).
    class_amplitude, signal_amplitude, distractor_amplitude : (float, float)
        Ranges of the uniform amplitudes beta, alpha, gamma; equal ends fix the amplitude.
    noise_std : float
        sigma >= 0; a noise token is N(0, sigma^2/d I).
    noise_support : {"isotropic", "class_complement", "signal_complement"}
        Project noise tokens off the class signals, or off all signals.
    class_exponent : float
        a >= 0; class n = 1, ..., N has probability proportional to n^-a. The distractor's class
        stays uniform on the others.
    label_flip : float
        q in [0, 1/2), the probability that training sees the label -y of a sample of label y.
    class_correlation : float
        rho_c in [-1/(N-1), 1), the common inner product of the class signals.

    Raises
    ------
    ValueError, TypeError
        If a value is outside its range; the message names it.

    Notes
    -----
    Source: docs/theory.md §1, after arXiv:2208.02813, section 3 (reconstructed).
    """

    num_classes: int = 4
    dim: int = 24
    num_tokens: int = 3
    similarity: float | Sequence[Sequence[float]] = 0.0
    class_amplitude: tuple[float, float] = (1.0, 1.0)
    signal_amplitude: tuple[float, float] = (1.0, 1.0)
    distractor_amplitude: tuple[float, float] = (1.0, 3.0)
    noise_std: float = 0.0
    noise_support: NoiseSupport = "isotropic"
    class_exponent: float = 0.0
    label_flip: float = 0.0
    class_correlation: float = 0.0

    def __post_init__(self) -> None:
        check_integer("num_classes", self.num_classes, 2)
        check_integer("dim", self.dim, 2 * self.num_classes, "2 * num_classes")
        check_integer("num_tokens", self.num_tokens, 3)
        if self.num_classes * self.dim > MAX_TOKEN_NUMBERS:
            raise ValueError(
                f"num_classes x dim must be at most {MAX_TOKEN_NUMBERS:,}; got"
                f" {self.num_classes} x {self.dim}"
            )
        for name in ("class_amplitude", "signal_amplitude", "distractor_amplitude"):
            _check_range(name, getattr(self, name))
        check_number("noise_std", self.noise_std)
        if not (np.isfinite(self.noise_std) and self.noise_std >= 0):
            raise ValueError(f"noise_std must be finite and >= 0; got {self.noise_std}")
        check_choice("noise_support", self.noise_support, NOISE_SUPPORTS)
        check_number("class_exponent", self.class_exponent)
        if not (np.isfinite(self.class_exponent) and self.class_exponent >= 0):
            raise ValueError(f"class_exponent must be finite and >= 0; got {self.class_exponent}")
        check_number("label_flip", self.label_flip)
        if not 0 <= self.label_flip < 0.5:
            raise ValueError(f"label_flip must be in [0, 0.5); got {self.label_flip}")
        self.gram()
        self.class_gram()

    def class_law(self) -> Floats:
        """Probabilities (N,) of the classes."""
        powers = np.arange(1.0, self.num_classes + 1.0) ** -self.class_exponent
        law: Floats = powers / powers.sum()
        return law

    def gram(self) -> Floats:
        """Gram matrix (N, N) of the classification signals; ValueError if it cannot be one."""
        n = self.num_classes
        if np.ndim(self.similarity) == 0:
            return _equal_products("similarity", self.similarity, n)
        gram = np.asarray(self.similarity, dtype=float)
        if gram.shape != (n, n):
            raise ValueError(f"similarity must be a number or ({n}, {n}); got shape {gram.shape}")
        if not np.allclose(gram, gram.T, atol=GRAM_TOLERANCE):
            raise ValueError("similarity must be a symmetric matrix")
        if not np.allclose(np.diag(gram), 1.0, atol=GRAM_TOLERANCE):
            raise ValueError("similarity must have ones on its diagonal (the signals are unit)")
        smallest = float(np.linalg.eigvalsh(gram)[0])
        if smallest < -GRAM_TOLERANCE:
            raise ValueError(
                "similarity must be positive semi-definite; its smallest eigenvalue is"
                f" {smallest:.3g}"
            )
        return gram

    def class_gram(self) -> Floats:
        """Gram matrix (N, N) of the class signals; ValueError if it cannot be one."""
        return _equal_products("class_correlation", self.class_correlation, self.num_classes)


@dataclass(frozen=True)
class Signals:
    """Class signals c_n and classification signals v_n, one a row, both (N, d)."""

    class_signals: Floats
    classification_signals: Floats

    def class_basis(self) -> Floats:
        """Orthonormal rows of the class signals' span: these themselves where they are."""
        c = self.class_signals
        if np.abs(c @ c.T - np.eye(len(c))).max() <= GRAM_TOLERANCE:
            return c
        _, values, rows = np.linalg.svd(c, full_matrices=False)
        basis: Floats = rows[values > GRAM_TOLERANCE]
        return basis


def make_signals(mixture: Mixture, seed: int | None = None) -> Signals:
    """Draw the signals: a Haar-random orthonormal frame, bent to the Gram matrix.

    The classification signals are Gram^(1/2) times orthonormal directions, so they stay in an
    N-dimensional space orthogonal to the class signals, at every valid similarity. So are the
    class signals, at every valid correlation.

    Parameters
    ----------
    mixture : Mixture
        Whose signals.
    seed : int, optional
        Of the run; None gives the coordinate axes.

    Returns
    -------
    Signals
        Class and classification signals, (N, d) each.
    """
    n, d = mixture.num_classes, mixture.dim
    if seed is None:
        frame = np.eye(d)[:, : 2 * n]
    else:
        normal = generator(seed, "signals").standard_normal((d, 2 * n))
        frame, upper = np.linalg.qr(normal)
        frame = frame * np.sign(np.diag(upper))
    gram = mixture.gram()
    if np.array_equal(gram, np.eye(n)):
        root = np.eye(n)
    else:
        values, vectors = np.linalg.eigh(gram)
        root = (vectors * np.sqrt(np.clip(values, 0.0, None))) @ vectors.T
    classes = frame[:, :n].T
    if mixture.class_correlation != 0.0:
        values, vectors = np.linalg.eigh(mixture.class_gram())
        values[values < GRAM_TOLERANCE] = (
            0.0  # the root of rounding would be a direction of its own
        )
        classes = (vectors * np.sqrt(values)) @ vectors.T @ classes
    return Signals(np.ascontiguousarray(classes), root @ frame[:, n:].T)


def _equal_products(name: str, value: object, n: int) -> Floats:
    """Gram matrix (n, n) of unit vectors of one inner product; ValueError if there is none."""
    check_number(name, value)
    rho = float(value)  # type: ignore[arg-type]
    lowest = -1.0 / (n - 1)
    if not lowest - 1e-12 <= rho < 1.0:
        raise ValueError(f"{name} must be in [{lowest:.6g}, 1) for num_classes = {n}; got {rho:g}")
    gram: Floats = (1.0 - rho) * np.eye(n) + rho * np.ones((n, n))
    return gram


def _check_range(name: str, ends: tuple[float, float]) -> None:
    if isinstance(ends, str) or not isinstance(ends, Sequence | np.ndarray):
        raise TypeError(f"{name} must be two finite numbers, low <= high; got {ends!r}")
    for end in ends:
        check_number(f"each end of {name}", end)
    if len(ends) != 2 or not np.all(np.isfinite(ends)):
        raise ValueError(f"{name} must be two finite numbers, low <= high; got {ends}")
    if ends[0] <= 0 or ends[1] < ends[0]:
        raise ValueError(f"{name} must satisfy 0 < low <= high; got {ends[0]:g} to {ends[1]:g}")
