"""Stretches of training steps: batches and noise are drawn here, the steps are compiled."""

import numpy as np

from motsim.minibatch.arguments import (
    NOTHING,
    Batches,
    Parameters,
    Training,
    buffers_of,
    data_of,
    laid_out,
    rule_of,
    taken_back,
)
from motsim.minibatch.descent import descend
from motsim.minibatch.losses import OutputLoss
from motsim.minibatch.network import Network, zeros_like
from motsim.minibatch.updates import Update, Updater
from motsim.mixture.model import ModelParameters, Routing
from motsim.randomness import generator
from motsim.realdata.tasks import Samples

__all__ = ["Descent"]

DRAWN = 1 << 18  # numbers of noise and of batches that are drawn at a time


class Descent:
    """Parameters on their way: what `run` moves, and the streams it draws from.

    Batches go through the samples in a new random order each epoch. The same numbers are drawn in
    the same order however the steps are divided into stretches.
    """

    def __init__(
        self, network: Network, train: Samples, start: ModelParameters, loss: OutputLoss,
        routing: Routing, size: int, seed: int,
    ) -> None:  # fmt: skip
        self._start, self._routing, self._size, self._count = start, routing, size, len(train)
        self._experts = network.model.num_experts
        self._noisy = network.model.gated and routing.mode == "sampled"
        self._order, self._draw = generator(seed, "sampling"), generator(seed, "routing")
        self._queue = np.zeros(0, dtype=np.int64)
        self._rule, self._data = rule_of(network, loss, routing), data_of(train)
        self._parameters, self._gradient = laid_out(start), laid_out(zeros_like(start))
        self._buffers = buffers_of(network, self._rule, train, size)

    @property
    def parameters(self) -> ModelParameters:
        """A copy of where the parameters are."""
        return taken_back(self._parameters, self._start)

    def begin(self, ffn: Update, attention: Update, gate: Update) -> None:
        """Go on by these rules, which remember nothing yet."""
        movers = [
            Updater(rule, value)
            for rule, value in zip((ffn, attention, gate), self._parameters, strict=True)
        ]
        first, second = (Parameters(*(mover.moments[k] for mover in movers)) for k in range(2))
        codes, rates = zip(*((mover.code, float(mover.rule.rate)) for mover in movers), strict=True)
        self._rule = self._rule._replace(trains_ffn=codes[0] >= 0, trains_attention=codes[1] >= 0)
        self._training = Training(True, codes, rates, 0, self._gradient, first, second, np.empty(0))

    def run(self, steps: int) -> None:
        """Take so many steps."""
        most = max(1, DRAWN // (self._size * (self._experts if self._noisy else 1)))
        while steps > 0:
            now = min(steps, most)
            shape = now * self._noisy, self._size, self._experts
            training = self._training._replace(losses=np.empty(now))
            drawn = self._batches(now), self._routing.draw(self._draw, shape)
            batches = Batches(self._data, *drawn)
            descend(self._parameters, batches, self._rule, self._buffers, training, NOTHING)
            self._training = training._replace(taken=training.taken + now)
            steps -= now

    def _batches(self, steps: int) -> np.ndarray:
        """Indices (S, b) of the samples of the next steps."""
        found = np.empty((steps, self._size), dtype=np.int64)
        for k in range(steps):
            if len(self._queue) < self._size:
                self._queue = np.concatenate([self._queue, self._order.permutation(self._count)])
            found[k], self._queue = self._queue[: self._size], self._queue[self._size :]
        return found
