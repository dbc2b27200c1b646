"""Descent rules of one group of parameters: plain, normalized by expert, or Adam."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from motsim.checks import check_choice
from motsim.mixture.kernels.adam import adam
from motsim.vectors.compiling import kernel

__all__ = ["FROZEN", "OPTIMIZERS", "Update", "Updater"]

Floats = NDArray[np.float64]
OPTIMIZERS = ("gd", "normalized_gd", "adam")


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
        """Index of the rule in `OPTIMIZERS`; -1: frozen."""
        return OPTIMIZERS.index(self.rule.optimizer) if self.rule.rate > 0 else -1

    def step(self, gradient: Floats) -> None:
        """Move once. An expert without gradient does not move under `normalized_gd`."""
        self.steps += 1
        shape = (len(self.value), 1, -1) if self.value.size else (0, 1, 1)
        parts = (
            a.reshape(shape) if a.size else a.reshape(0, 1, 1)
            for a in (self.value, gradient, *self.moments)
        )
        value, slope, first, second = parts
        move(value, slope, (first, second), self.code, self.rule.rate, self.steps)


def moments(rule: Update, value: Floats) -> list[Floats]:
    """What Adam remembers of an array; nothing for other rules."""
    remember = rule.optimizer == "adam" and rule.rate > 0
    return [np.zeros_like(value) if remember else value[:0].copy() for _ in range(2)]


@kernel
def move(
    value: Floats,
    gradient: Floats,
    moments: tuple[Floats, Floats],
    code: int,
    rate: float,
    step: int,
) -> None:
    """Step number `step` (from 1) of a rule on arrays (M, r, c), of M experts.

    code: index in OPTIMIZERS, or -1 for nothing. moments: Adam's first and second, else empty.
    """
    if code < 0 or value.size == 0:
        return
    first, second = moments
    for i in range(value.shape[0]):
        if code == 2:
            adam(value[i], gradient[i], first[i], second[i], rate, step)
            continue
        # w_i becomes w_i - pace g_i, pace = rate / |g_i| if normalized, else rate
        pace = rate
        if code == 1:
            norm = 0.0
            for r in range(value.shape[1]):
                for k in range(value.shape[2]):
                    norm += gradient[i, r, k] * gradient[i, r, k]
            if not norm > 0.0:  # nor where it is NaN
                continue
            pace = rate / np.sqrt(norm)
        for r in range(value.shape[1]):
            for k in range(value.shape[2]):
                value[i, r, k] -= pace * gradient[i, r, k]
