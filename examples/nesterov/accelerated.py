"""Descent and Nesterov's acceleration on a convex quadratic that is hard for both.

Curvatures h lie evenly in log h from 1e-10 to 1 and the start is as far in each direction: there is
always a direction just too flat to have been crossed. The loss after t steps is then about
sum of h exp(-2 h t) ~ 1/t for descent and ~ 1/t^2 with momentum (k - 1)/(k + 2): T(eps) ~ eps^-p
with p = 1 against p = 1/2, the rates of the upper bounds.
"""

from typing import Literal

import numpy as np

from motsim import KindSettings, Result, result_of_losses

FLATTEST = 1e-10


class Settings(KindSettings):
    """One run."""

    seed: int = 0
    dim: int = 200
    steps: int = 50_000
    method: Literal["descent", "nesterov"] = "descent"
    epsilon_min: float = 3e-5


def run(settings: Settings) -> Result:
    """Minimize once, with step size 1 over the largest curvature, until the smallest eps."""
    s = settings
    curvature = np.geomspace(FLATTEST, 1.0, s.dim)
    x = 1.0 + 0.1 * np.random.default_rng(s.seed).standard_normal(s.dim)
    ahead, first = x, float(curvature @ x**2)
    losses = [1.0]
    for k in range(1, s.steps + 1):
        before, x = x, ahead - curvature * ahead
        momentum = (k - 1) / (k + 2) if s.method == "nesterov" else 0.0
        ahead = x + momentum * (x - before)
        losses.append(float(curvature @ x**2) / first)
        if losses[-1] <= s.epsilon_min:
            break
    targets = np.geomspace(0.1, s.epsilon_min, round(3 * np.log10(0.1 / s.epsilon_min)) + 1)
    return result_of_losses(losses, epsilons=targets)


def cost(settings: Settings) -> float:
    """Return about how many seconds a run takes."""
    return 1e-5 * settings.steps
