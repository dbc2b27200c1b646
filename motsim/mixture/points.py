"""Weighted labeled points: the exact population of a mixture, or a finite sample.

Derived here: docs/theory.md §1, "The population".
"""

from dataclasses import dataclass
from itertools import product
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from motsim.checks import check_integer
from motsim.mixture.data import MAX_TOKEN_NUMBERS, Mixture, Signals
from motsim.mixture.draws import draw, noise_tokens
from motsim.printing import brief
from motsim.randomness import generator

__all__ = ["Closed", "Points", "Sharing", "population", "sample", "shared_draws"]

Floats = NDArray[np.float64]
Sharing = Literal["none", "mirror", "distractor"]
Closed = Literal["none", "mirror", "distractor", "signs"]


@dataclass(frozen=True, repr=False)
class Points:
    """Weighted labeled points: the exact population, or a finite sample with equal weights.

    Attributes
    ----------
    tokens : (P, L, d) array
    labels, weights : (P,) arrays
        Labels are +1 and -1; weights are positive and sum to 1. Where the exact population flips
        labels with probability q they are (1 - 2 q) and -(1 - 2 q): training takes the mean over
        both labels, as gradients are linear in them, and losses are those of the sign, the label
        without a flip. A finite sample holds the labels that were seen.
    classes, distractors : (P,) integer arrays
        n and n' of each point.
    signals : Signals
    mirrored : bool
        True when point P/2 + b is the mirror (y, s, xi) -> (-y, -s, -xi) of point b.
    draws : (P,) integer array, optional
        Points of one number share the noise of sampled routing; None: each has its own.
    """

    tokens: Floats
    labels: Floats
    weights: Floats
    classes: NDArray[np.int64]
    distractors: NDArray[np.int64]
    signals: Signals
    mirrored: bool = False
    draws: NDArray[np.int64] | None = None

    def __repr__(self) -> str:
        return brief(self)

    @property
    def num_classes(self) -> int:
        """N."""
        return self.signals.class_signals.shape[0]


def population(
    mixture: Mixture,
    signals: Signals,
    *,
    num_nodes: int = 4,
    noise_replicates: int = 1,
    seed: int = 0,
    stream: str = "noise",
) -> Points:
    """Enumerate the population: every (n, n', y, s), quadrature in each amplitude.

    Flips of labels are averaged, not enumerated: see `Points`.

    Expectations of polynomials of degree below ``2 * num_nodes`` in an amplitude are exact.
    Noise tokens are `noise_replicates` draws a point; the mirror point carries their negatives,
    and an even number of replicates is antithetic within each point too. The second half of the
    points is the mirror of the first, in the same order.

    Parameters
    ----------
    mixture : Mixture
        The distribution.
    signals : Signals
        Drawn by `make_signals`.
    num_nodes : int
        Gauss-Legendre nodes for each amplitude range that is not a single value.
    noise_replicates : int
        1 or an even number; ignored when there is no noise token or ``noise_std`` is 0.
    seed : int
        Of the run.
    stream : {"noise", "evaluation"}
        The run's random stream that draws the noise tokens; "evaluation" shares no draw with
        training.

    Returns
    -------
    Points
        Tokens (P, L, d), labels (P,), and weights (P,) whose sum is 1.

    Raises
    ------
    ValueError
        If a count is out of range, or the population would need over 1.6 GB.

    Notes
    -----
    Derived here: docs/theory.md §1, "The population".
    """
    check_integer("num_nodes", num_nodes, 1)
    check_integer("noise_replicates", noise_replicates, 1)
    if noise_replicates > 1 and noise_replicates % 2:
        raise ValueError(f"noise_replicates must be 1 or even; got {noise_replicates}")
    n, length, d = mixture.num_classes, mixture.num_tokens, mixture.dim
    noisy = length > 3 and mixture.noise_std > 0
    replicates = noise_replicates if noisy else 1
    ranges = (mixture.class_amplitude, mixture.signal_amplitude, mixture.distractor_amplitude)
    size = 4 * n * (n - 1) * replicates * num_nodes ** sum(low < high for low, high in ranges)
    if size * length * d > MAX_TOKEN_NUMBERS:
        raise ValueError(
            f"the population would have {size:,} points of {length} x {d} numbers; lower"
            " num_classes, num_nodes or noise_replicates, or use a finite sample"
        )
    beta, alpha, gamma = (_quadrature(ends, num_nodes) for ends in ranges)
    pairs = [(i, j) for i, j in product(range(n), repeat=2) if i != j]
    # First half: y = +1. Class fastest, so that neighboring points differ in it.
    cells = np.array(
        [
            (i, j, s, wb * wa * wg, b, a, g)
            for (b, wb), (a, wa), (g, wg) in product(beta.T, alpha.T, gamma.T)
            for s in (1.0, -1.0)
            for i, j in sorted(pairs, key=lambda pair: ((pair[1] - pair[0]) % n, pair[0]))
        ]
    )
    cells = np.repeat(cells, replicates, axis=0)
    classes, distractors = cells[:, 0].astype(np.int64), cells[:, 1].astype(np.int64)
    half = len(cells)
    tokens = np.zeros((half, length, d))
    tokens[:, 0] = cells[:, 4, None] * signals.class_signals[classes]
    tokens[:, 1] = cells[:, 5, None] * signals.classification_signals[classes]
    distractor = signals.classification_signals[distractors]
    tokens[:, 2] = (cells[:, 6] * cells[:, 2])[:, None] * distractor
    if noisy:
        draws = max(1, replicates // 2)
        shape = (half // replicates, draws, length - 3, d)
        noise = noise_tokens(mixture, signals, generator(seed, stream), shape)
        if replicates > 1:
            noise = np.concatenate([noise, -noise], axis=1)
        tokens[:, 3:] = noise.reshape(half, length - 3, d)
    mirror = -tokens
    mirror[:, 0] = tokens[:, 0]
    point_weights = np.tile(cells[:, 3], 2)
    if mixture.class_exponent > 0:
        point_weights *= mixture.class_law()[np.tile(classes, 2)]
    seen = 1.0 - 2.0 * mixture.label_flip
    return Points(
        tokens=np.concatenate([tokens, mirror]) + 0.0,  # + 0.0 turns -0.0 into 0.0
        labels=np.repeat([seen, -seen], half),
        weights=point_weights / point_weights.sum(),
        classes=np.tile(classes, 2),
        distractors=np.tile(distractors, 2),
        signals=signals,
        mirrored=True,
    )


def sample(
    mixture: Mixture,
    signals: Signals,
    size: int,
    *,
    seed: int = 0,
    shuffle_tokens: bool = False,
    closed: Closed = "none",
) -> Points:
    """Draw `size` independent samples, each of weight 1/size; or fewer, and the images of each.

    Parameters
    ----------
    mixture : Mixture
        The distribution.
    signals : Signals
        Drawn by `make_signals`.
    size : int
        At least 1.
    seed : int
        Of the run; its "sampling" stream is used.
    shuffle_tokens : bool
        Put the tokens of each sample in random order (no model here depends on it).
    closed : {"none", "mirror", "distractor", "signs"}
        The images: none; (-y, -s, -xi), which makes the mirror exact; (y, -s), which makes the mean
        of y s gamma^3 exactly 0; both of them, and of each other. They count in `size`, which must
        be divisible by 2, for "signs" by 4; the order of tokens is kept.

    Returns
    -------
    Points
        Tokens (size, L, d), labels (size,), weights (size,).

    Raises
    ------
    ValueError
        If `size` is less than 1, or does not fit `closed`.
    """
    check_integer("size", size, 1)
    if closed != "none":
        if size % 2 or shuffle_tokens:
            raise ValueError(f"a closed sample needs an even size and ordered tokens; got {size}")
        inner: Closed = "distractor" if closed == "signs" else "none"
        half = sample(mixture, signals, size // 2, seed=seed, closed=inner)
        flip = np.ones(length := mixture.num_tokens)
        flip[2 if closed == "distractor" else slice(1, length)] = -1.0
        return Points(
            tokens=np.concatenate([half.tokens, half.tokens * flip[:, None]]) + 0.0,
            labels=np.concatenate([half.labels, half.labels * flip[1]]),
            weights=np.tile(half.weights / 2, 2),
            classes=np.tile(half.classes, 2),
            distractors=np.tile(half.distractors, 2),
            signals=signals,
            mirrored=closed != "distractor",
        )
    rng = generator(seed, "sampling")
    drawn = draw(mixture, signals, rng, size)
    tokens = drawn.tokens(signals)
    if shuffle_tokens:
        order = rng.random(tokens.shape[:2]).argsort(axis=1)
        tokens = np.take_along_axis(tokens, order[:, :, None], axis=1)
    point_weights = np.full(size, 1.0 / size)
    return Points(tokens, drawn.labels, point_weights, drawn.classes, drawn.distractors, signals)


def shared_draws(points: Points, sharing: Sharing) -> NDArray[np.int64] | None:
    """Number of the routing noise that each point of a population without noise tokens draws.

    "mirror": a point shares it with its mirror (-y, -s), which keeps the mirror exact in sampled
    routing. "distractor": (y, s) shares it with (y, -s), which cancels the distractor's gradient
    in each expert for as long as the gate does not see the difference.
    """
    half = len(points.labels) // 2
    if sharing == "none":
        return None
    if sharing == "mirror":
        return np.tile(np.arange(half), 2)
    pairs = points.num_classes * (points.num_classes - 1)  # the sign s is just outside of them
    first = np.arange(half // 2).reshape(-1, 1, pairs).repeat(2, axis=1).ravel()
    return np.concatenate([first, half // 2 + first])


def _quadrature(ends: tuple[float, float], num_nodes: int) -> Floats:
    """Nodes and weights (2, K) of the uniform law on [low, high]; one node if it is a point."""
    low, high = ends
    if low == high:
        return np.array([[low], [1.0]])
    nodes, shares = np.polynomial.legendre.leggauss(num_nodes)
    return np.array([(low + high) / 2 + nodes * (high - low) / 2, shares / 2])
