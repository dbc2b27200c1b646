"""Descent rules of one group of parameters: plain, normalised by expert, or Adam."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from motsim.kernel_cache import kernel
from motsim.model import check_choice

__all__ = ["FROZEN", "OPTIMIZERS", "Update", "Updater"]

Floats = NDArray[np.float64]
OPTIMIZERS = ("gd", "normalized_gd", "adam")
DECAYS = (0.9, 0.999)  # of Adam's moments


@dataclass(frozen=True)
class Update:
    """Rule and step size of one group of parameters; rate 0 freezes it.

    `gd`: w - rate g. `normalized_gd`: w_i - rate g_i / |g_i|, for each expert i. `adam`: with its
    usual constants.
    """

    rate: float
    optimizer: Literal["gd", "normalized_gd", "adam"] = "gd"

    def __post_init__(self) -> None:
        check_choice("optimizer", self.optimizer, OPTIMIZERS)
        if not (np.isfinite(self.rate) and self.rate >= 0):
            raise ValueError(f"rate must be finite and >= 0; got {self.rate}")


FROZEN = Update(0.0)


class Updater:
    """Applies one rule to one contiguous array, in place, and keeps what the rule remembers."""

    def __init__(self, rule: Update, value: Floats) -> None:
        self.rule = rule
        self.value = value
        self.steps = 0
        remember = rule.optimizer == "adam" and rule.rate > 0
        self.moments = [np.zeros_like(value) for _ in range(2)] if remember else []

    def step(self, gradient: Floats) -> None:
        """Move once. An expert without gradient does not move under `normalized_gd`."""
        rate = self.rule.rate
        if rate == 0:
            return
        if self.rule.optimizer == "gd":
            self.value -= rate * gradient
        elif self.rule.optimizer == "normalized_gd":
            axes = tuple(range(1, gradient.ndim))
            norms = np.sqrt((gradient**2).sum(axis=axes, keepdims=True))
            self.value -= rate * np.divide(
                gradient, norms, out=np.zeros_like(gradient), where=norms > 0
            )
        else:
            self.steps += 1
            flat = (a.reshape(-1) for a in (self.value, gradient, *self.moments))
            adam(*flat, DECAYS, rate, self.steps)


@kernel
def adam(
    value: Floats,
    gradient: Floats,
    first: Floats,
    second: Floats,
    decays: tuple[float, float],
    rate: float,
    step: int,
) -> None:
    """Step number `step` (from 1) of Adam on flat arrays; decays (2,) of its two moments."""
    a, b = decays
    pace = rate / (1.0 - a**step)
    scale = 1.0 / (1.0 - b**step)
    for k in range(value.size):
        first[k] += (1.0 - a) * (gradient[k] - first[k])
        second[k] += (1.0 - b) * (gradient[k] * gradient[k] - second[k])
        value[k] -= pace * first[k] / (np.sqrt(scale * second[k]) + 1e-8)
