"""Descent rules of one group of parameters: plain, normalised by expert, or Adam."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from motsim.kernel_cache import kernel
from motsim.minibatch.tiles import internal
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
        self.moments = moments(rule, value)

    @property
    def code(self) -> int:
        """Place of the rule in `OPTIMIZERS`; -1: frozen."""
        return OPTIMIZERS.index(self.rule.optimizer) if self.rule.rate > 0 else -1

    def step(self, gradient: Floats) -> None:
        """Move once. An expert without gradient does not move under `normalized_gd`."""
        self.steps += 1
        flat = [a.reshape(-1) for a in (self.value, gradient, *self.moments)]
        move(*flat, len(self.value), self.code, self.rule.rate, self.steps)


def moments(rule: Update, value: Floats) -> list[Floats]:
    """What Adam remembers of an array; nothing for other rules."""
    remember = rule.optimizer == "adam" and rule.rate > 0
    return [np.zeros_like(value) if remember else value[:0].copy() for _ in range(2)]


@kernel
def move(
    value: Floats,
    gradient: Floats,
    first: Floats,
    second: Floats,
    experts: int,
    code: int,
    rate: float,
    step: int,
) -> None:
    """Step number `step` (from 1) of a rule on flat arrays of so many experts.

    code: place in OPTIMIZERS, or -1 for nothing. first and second: Adam's moments, else empty.
    """
    if code < 0 or value.size == 0:
        return
    if code == 2:
        adam(value, gradient, first, second, rate, step)
        return
    size = value.size // experts
    for i in range(0, value.size, size):
        pace = rate
        if code == 1:
            norm = 0.0
            for k in range(i, i + size):
                norm += gradient[k] * gradient[k]
            if not norm > 0.0:  # nor where it is NaN
                continue
            pace = rate / np.sqrt(norm)
        for k in range(i, i + size):
            value[k] -= pace * gradient[k]


@internal
def adam(
    value: Floats, gradient: Floats, first: Floats, second: Floats, rate: float, step: int
) -> None:
    """Adam with its usual constants."""
    a, b = DECAYS
    pace = rate / (1.0 - a**step)
    scale = 1.0 / (1.0 - b**step)
    for k in range(value.size):
        first[k] += (1.0 - a) * (gradient[k] - first[k])
        second[k] += (1.0 - b) * (gradient[k] * gradient[k] - second[k])
        value[k] -= pace * first[k] / (np.sqrt(scale * second[k]) + 1e-8)
