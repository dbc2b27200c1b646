"""The staircase of cubic experts: one equation along v_n, and one for each component across it.

Derived here (docs/theory.md, "Prediction of the staircase"). The routed expert of class n, which
has weight omega = 1/N, is w = a v_n + u, its gate taken as open. All components decouple, as the
signs of label and distractor are independent:

* along v_n, a' = 3 eta omega a^2 (1 - a^3): near a = 1 a logarithm of rate 9 eta omega;
* u_m on another class's signal adds the residual R = 3 lambda g u + (g u)^3 to the points with this
  distractor of amplitude g, where lambda is the attention from the signal's query to it:
  u' = -eta E[R dR/du]. Rate 9 eta lambda^2 E[g^2] while u^2 << lambda (the second logarithm),
  u' ~ -u^5 and eps ~ t^-3/2 while u^2 >> lambda;
* u on the class token's signal adds R = 3 lambda u + u^3, odd in the label, which the gate can
  meet along v_n: at the rate of the gate's own curvature it is gone.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.integrate import cumulative_trapezoid

from motsim.mixture.evaluation import evaluate
from motsim.mixture.model import Model, ModelParameters
from motsim.mixture.points import Points
from motsim.mixture.schedule import Stage

__all__ = ["Crossing", "crossing"]

CLASS, SIGNAL, DISTRACTOR = 0, 1, 2  # tokens
FOLDS = np.exp(-np.linspace(0.0, 17.0, 4000))  # sizes that a component goes through
Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Crossing:
    """Times and losses (k, S) that each component goes through."""

    times: Floats
    losses: Floats

    def loss(self, times: Floats) -> Floats:
        """L after so many steps (T,)."""
        total = np.zeros(len(times))
        for own, losses in zip(self.times, self.losses, strict=True):
            total += np.exp(np.interp(np.log1p(times), np.log1p(own), np.log(losses)))
        return total


def crossing(model: Model, at: ModelParameters, points: Points, stage: Stage) -> Crossing:
    """Return the staircase that starts at the parameters `at`: each class with its own expert."""
    found = evaluate(model, at, points)
    signals, eta = points.signals.classification_signals, stage.ffn.rate
    parts = []
    for n in range(points.num_classes):
        here = np.flatnonzero(points.classes == n)
        i = int(np.bincount(found.routed[here]).argmax())
        w, weight = at.ffn[i, 0], float(points.weights[here].sum())
        parts.append(_along(float(w @ signals[n]), eta * weight, weight))

        def leak(token: int, at: NDArray[np.int64], expert: int = i) -> Floats:
            if not len(found.attention):
                return np.zeros(len(at))
            weights: Floats = found.attention[expert][token, SIGNAL, at]
            return weights

        for m in np.unique(points.distractors[here]):
            of = here[points.distractors[here] == m]
            sizes = np.linalg.norm(points.tokens[of, DISTRACTOR], axis=1)
            share = leak(DISTRACTOR, of)
            parts.append(_across(float(w @ signals[m]), eta, points.weights[of], sizes, share))
        own = abs(float(w @ points.signals.class_signals[n]))
        odd = 3.0 * float(np.mean(leak(CLASS, here))) * own + own**3
        gates = found.gates[here]
        others = np.delete(gates, i, axis=1)
        slope = gates[:, i] ** 2 * ((1.0 - gates[:, i]) ** 2 + (others**2).sum(1))
        rate = stage.gate.rate * float(points.weights[here] @ slope)
        parts.append(_exponential(0.5 * weight * odd**2, rate))
    times, losses = (np.array(column) for column in zip(*parts, strict=True))
    return Crossing(times, np.maximum(losses, np.finfo(float).tiny))


def _along(start: float, rate: float, weight: float) -> tuple[Floats, Floats]:
    """Times and losses of a' = 3 rate a^2 (1 - a^3)."""
    gap = (1.0 - start or np.finfo(float).eps) * FOLDS
    a = 1.0 - gap
    rest = gap * (1.0 + a + a * a)  # 1 - a^3 without cancellation
    return _steps(np.abs(gap), np.abs(3.0 * rate * a**2 * rest)), 0.5 * weight * rest**2


def _across(
    start: float, eta: float, weights: Floats, sizes: Floats, leak: Floats
) -> tuple[Floats, Floats]:
    """Times and losses of u' = -eta E[R dR/du], R = 3 leak g u + (g u)^3."""
    u = np.maximum(abs(start), np.finfo(float).eps) * FOLDS[:, None]
    residual = 3.0 * leak * sizes * u + (sizes * u) ** 3
    slope = 3.0 * leak * sizes + 3.0 * sizes**3 * u**2
    return _steps(u[:, 0], eta * (residual * slope) @ weights), 0.5 * residual**2 @ weights


def _exponential(loss: float, rate: float) -> tuple[Floats, Floats]:
    """Times and losses of a component that dies at one rate."""
    return -np.log(FOLDS) / max(rate, np.finfo(float).tiny), loss * FOLDS**2


def _steps(sizes: Floats, speeds: Floats) -> Floats:
    """Time to fall to each size, given how fast it falls there."""
    times: Floats = cumulative_trapezoid(sizes / speeds, -np.log(FOLDS), initial=0)
    return times
