"""Logistic regression on separable data: descent, and descent by normalized gradients.

The infimum 0 is not attained. Along descent the loss falls like 1/t, so that T(eps) ~ 1/eps. A
gradient divided by its norm keeps its length: the loss falls exponentially, T(eps) = O(log 1/eps).
"""

from typing import Literal

import numpy as np
from scipy.special import expit

from motsim import KindSettings, Result, result_of_losses


class Settings(KindSettings):
    """One run."""

    seed: int = 0
    num_points: int = 40
    dim: int = 5
    rate: float = 1.0
    steps: int = 20_000
    method: Literal["descent", "normalized"] = "descent"
    epsilon_min: float = 1e-4


def points(settings: Settings) -> np.ndarray:
    """Return labels times features (n, d), all on one side of a plane."""
    random = np.random.default_rng(settings.seed)
    return 1.0 + 0.5 * random.standard_normal((settings.num_points, settings.dim))


def gradient(weights: np.ndarray, data: np.ndarray) -> np.ndarray:
    """Return the gradient of the mean of log(1 + exp(-x.w))."""
    return -(expit(-(data @ weights)) @ data) / len(data)


def loss(weights: np.ndarray, data: np.ndarray) -> float:
    """Return the mean loss; exact where it is tiny."""
    return float(np.logaddexp(0.0, -(data @ weights)).mean())


def run(settings: Settings) -> Result:
    """Train once, until the smallest eps."""
    s, data = settings, points(settings)
    weights = np.zeros(s.dim)
    losses = [loss(weights, data)]
    while len(losses) <= s.steps and losses[-1] > s.epsilon_min:
        slope = gradient(weights, data)
        if s.method == "normalized":
            slope = slope / np.linalg.norm(slope)
        weights = weights - s.rate * slope
        losses.append(loss(weights, data))
    decades = round(-3 * np.log10(s.epsilon_min))
    return result_of_losses(losses, epsilons=10.0 ** (-np.arange(1, decades + 1) / 3))


def cost(settings: Settings) -> float:
    """Return about how many seconds a run takes."""
    return 2e-5 * settings.steps
