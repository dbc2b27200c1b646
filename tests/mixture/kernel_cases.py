"""Random problems for the kernels: shapes, kinds of tokens, and everything drawn from a seed."""

import numpy as np

from motsim.mixture.data import Signals
from motsim.mixture.engine.layout import kernel_batch, positions
from motsim.mixture.model import Model, ModelParameters
from motsim.mixture.points import Points

#: experts, neurons, coordinates, tokens, points, how the tokens are made
SHAPES = [
    (1, 1, 2, 3, 1, "distinct"),
    (1, 1, 1, 3, 4, "equal"),  # one coordinate: every token lies on it
    (3, 2, 4, 3, 5, "distinct"),
    (2, 1, 3, 3, 40, "axes"),
    (4, 1, 5, 5, 60, "axes"),
    (2, 2, 3, 6, 3, "equal"),
    (5, 2, 6, 6, 7, "distinct"),
    (3, 2, 4, 3, 20, "axes"),
    (2, 2, 6, 9, 9, "axes"),
]
IDS = [f"M{m}-J{j}-r{r}-L{t}-P{p}-{kind}" for m, j, r, t, p, kind in SHAPES]


def random_tokens(rng, size, length, coordinates, kind):
    """Tokens (P, L, r); `axes`: the first three on coordinate axes, in four patterns at most.

    Few patterns, for blocks of equal axes must not more than double the points. Where there are
    points enough, two amplitudes are 0.
    """
    tokens = rng.standard_normal((size, length, coordinates))
    if kind == "equal":
        return np.repeat(tokens[:, :1], length, axis=1)
    if kind == "axes":
        patterns = rng.integers(coordinates, size=(4 if size > 16 else 2, 3))
        axes = patterns[rng.integers(len(patterns), size=size)]
        amplitudes = rng.standard_normal((size, 3))
        if size > 16:
            amplitudes[[0, 5], [2, 0]] = 0.0
        tokens[:, :3] = amplitudes[:, :, None] * np.eye(coordinates)[axes]
    return tokens


def as_points(tokens, labels, weights):
    """`Points` of which only tokens, labels and weights matter."""
    zeros, axes = np.zeros(len(labels), dtype=np.int64), np.eye(tokens.shape[2])
    return Points(tokens, labels, weights, zeros, zeros, Signals(axes, axes))


class Case:
    """Points, parameters of every part, and the points' blocks."""

    def __init__(self, shape, seed=0):
        m, j, r, length, size, kind = shape
        rng = np.random.default_rng([seed, m, j, r, length, size])
        self.rng, self.size, self.length = rng, size, length
        self.experts, self.neurons, self.coordinates, self.kind = m, j, r, kind
        self.tokens = random_tokens(rng, size, length, r, kind)
        self.labels = rng.choice([-1.0, 1.0], size)
        self.weights = rng.dirichlet(np.ones(size))
        self.ffn = rng.standard_normal((m, j, r))
        self.attention = rng.standard_normal((m, r, r))
        self.gate = 0.3 * rng.standard_normal((m, r))
        self.data = (self.tokens, self.labels, self.weights)
        self.points = as_points(*self.data)
        self.batch = kernel_batch(*self.data)
        assert self.batch.axes.shape[1] == (3 if kind == "axes" or r == 1 else 0)
        self.at = positions(self.batch)
        self.by_expert = (m, len(self.batch.labels))  # shape (M, B)

    def model(self, kind="mot", activation="cubic", top_k=1):
        """A model of the case's sizes."""
        return Model(kind, self.experts, activation, self.neurons, top_k)

    def parameters(self, model):
        """The parts that a model has."""
        gate = self.gate if model.gated else self.gate[:0]
        return ModelParameters(self.ffn, self.attention[: model.num_attentions], gate)
