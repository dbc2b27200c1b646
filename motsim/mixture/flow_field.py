"""The field of a gradient flow: the engine's own gradients, of the parts that train."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from motsim.mixture import kernels
from motsim.mixture.engine.stage import Step
from motsim.mixture.flow_jacobian import FieldJacobian, laid_open

__all__ = ["EngineField"]

Floats = NDArray[np.float64]


def together(points: kernels.Batch) -> NDArray[np.bool_]:
    """Whether tokens of one point lie along both of two coordinates (r, r).

    The gradient by an attention is a sum of products of tokens of one point, query and key.
    """
    along = (laid_open(points)[0] != 0.0).any(axis=1).astype(float)
    return np.asarray(along.T @ along > 0.0)


class EngineField:
    """The training field of a stage in the engine's own kernels and coordinates.

    States are the coordinates of parts that train; those which an odd model keeps at zero are none,
    nor are numbers of an attention that meet in no point: a solver's matrices grow with them.
    `points` are those of the step, as they were before they were divided and mixed for it.
    """

    def __init__(self, step: Step, points: kernels.Batch) -> None:
        self.step, self.value = step, step.value
        value, rule = step.value, step.rule
        rates = {
            "ffn": (rule.trains_ffn, rule.ffn_rate),
            "attention": (rule.trains_attention, rule.attention_rate),
            "gate": (rule.trains_gate, rule.gate_rate),
        }
        moves = kernels.Parameters(*(np.full(a.shape, True) for a in value))
        if (n := rule.class_axes) > 0:
            moves.ffn[:, :n] = moves.gate[:, n:] = False
            moves.attention[:, :n, n:] = moves.attention[:, n:, :n] = False
        if not len(points.metric):  # which would mix coordinates
            moves.attention[:] &= together(points)
        self.trained = [
            (name, np.flatnonzero(getattr(moves, name)), float(rate))
            for name, (trains, rate) in rates.items()
            if trains and getattr(value, name).size
        ]
        self.rates = np.concatenate([np.full(len(at), rate) for _, at, rate in self.trained])
        self.parts = np.repeat(np.arange(len(self.trained)), [len(at) for _, at, _ in self.trained])
        sets = {"ffn": len(value.ffn) // rule.neurons} | {
            name: len(getattr(value, name)) for name in ("attention", "gate")
        }
        columns = dict.fromkeys(rates, np.arange(0))
        for name, at, _ in self.trained:  # all of one set are trained, or as many of each
            columns[name] = at[: len(at) // sets[name]]
        self.derivative = FieldJacobian(points, rule, columns)
        self.grams = self._grams(points.metric, rule.neurons, columns)

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
        loss, g = self.step.gradients(), self.step.gradient
        metric = self.step.parts.metric
        if len(metric):
            g = kernels.Parameters(g.ffn @ metric, metric @ g.attention @ metric, g.gate @ metric)
        return loss, -self.rates * self.state(g)

    def jacobian(self, state: Floats) -> Floats:
        """Return the derivative (n, n) of the velocity."""
        self.place(state)
        found, first = self.derivative(self.value), 0
        for name, at, _ in self.trained:
            rows = found[first : first + len(at)]
            if name in self.grams:
                gram = self.grams[name]
                rows[...] = (gram @ rows.reshape(-1, len(gram), len(state))).reshape(rows.shape)
            first += len(at)
        return np.asarray(-self.rates[:, None] * found)

    @staticmethod
    def _grams(
        metric: Floats, neurons: int, columns: dict[str, NDArray[np.int64]]
    ) -> dict[str, Floats]:
        """What the metric makes of the gradient of one expert's part, on its states."""
        if not len(metric):
            return {}
        whole: dict[str, Any] = {
            "ffn": np.kron(np.eye(neurons), metric),
            "attention": np.kron(metric, metric),
            "gate": metric,
        }
        return {name: gram[np.ix_(columns[name], columns[name])] for name, gram in whole.items()}
