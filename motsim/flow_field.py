"""The field of a gradient flow: the engine's own gradients, of the parts that train."""

import numpy as np
from numpy.typing import NDArray

from motsim import kernels

__all__ = ["EngineField"]

Floats = NDArray[np.float64]


class EngineField:
    """The training field of a stage in the engine's own kernels and coordinates.

    States are the coordinates of parts that train; those which an odd model keeps at zero are none.
    """

    def __init__(
        self,
        value: kernels.Parameters,
        parts: kernels.Batch,
        rule: kernels.Rule,
        scratch: kernels.Workspace,
        gradient: kernels.Parameters,
    ) -> None:
        self.value, self.gradient = value, gradient
        self.arguments = (parts, rule, scratch, np.zeros((1, 0, 0)), gradient, -1.0, np.empty(1))
        rates = {"ffn": rule.ffn_rate, "attention": rule.attention_rate, "gate": rule.gate_rate}
        moves = kernels.Parameters(*(np.full(a.shape, True) for a in value))
        if (n := rule.class_axes) > 0:
            moves.ffn[:, :n] = moves.gate[:, n:] = False
            moves.attention[:, :n, n:] = moves.attention[:, n:, :n] = False
        self.trained = [
            (name, np.flatnonzero(getattr(moves, name)), float(rate))
            for name, rate in rates.items()
            if rate > 0.0 and getattr(value, name).size
        ]
        self.rates = np.concatenate([np.full(len(at), rate) for _, at, rate in self.trained])

    def state(self, of: kernels.Parameters) -> Floats:
        """Return the coordinates that are states, one after the other."""
        return np.concatenate([getattr(of, name).ravel()[at] for name, at, _ in self.trained])

    def place(self, state: Floats) -> None:
        """Put a state back into the parameters."""
        first = 0
        for name, at, _ in self.trained:
            getattr(self.value, name).reshape(-1)[at] = state[first : first + len(at)]
            first += len(at)

    def __call__(self, state: Floats) -> tuple[float, Floats]:
        """Return the noise-free loss and the velocity."""
        self.place(state)
        parts, *_, losses = self.arguments
        kernels.descend_in_parts(self.value, *self.arguments)
        g = self.gradient
        if len(parts.metric):
            metric = parts.metric
            g = kernels.Parameters(g.ffn @ metric, metric @ g.attention @ metric, g.gate @ metric)
        return float(losses[0]), -self.rates * self.state(g)
