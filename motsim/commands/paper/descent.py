"""Gradient descent on a quadratic, x -> sum_k h_k x_k^2 / 2, from a random start."""

from typing import Literal

import numpy as np

from motsim import KindSettings, Result, result_of_losses


class Settings(KindSettings):
    """What a run is; every key can be set in the sweep file."""

    seed: int = 0
    dim: int = 500
    rate: float = 0.5
    steps: int = 2000
    curvature: Literal["bounded", "vanishing"] = "bounded"


def descend(curvature: np.ndarray, start: np.ndarray, rate: float, steps: int) -> np.ndarray:
    """Return the losses after 0, 1, ..., steps."""
    x, losses = start.copy(), []
    for _ in range(steps + 1):
        losses.append(0.5 * curvature @ x**2)
        x -= rate * curvature * x
    return np.array(losses) / losses[0]


def run(settings: Settings) -> Result:
    """Descend once; motsim calls this for each setting and seed."""
    s = settings
    least = 0.3 if s.curvature == "bounded" else 1.0 / s.dim
    curvature = np.linspace(least, 1.0, s.dim)
    start = np.random.default_rng(s.seed).standard_normal(s.dim)
    losses = descend(curvature, start, s.rate, s.steps)
    return result_of_losses(losses, epsilons=np.logspace(-1, -6, 16))


def cost(settings: Settings) -> float:
    """Return about how many seconds a run takes."""
    return 1e-8 * settings.dim * settings.steps
