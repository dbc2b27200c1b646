"""Momentum and Adam: what remembers between steps, around the engine's own plain step.

A stage that asks for neither goes through the compiled loop as ever, and compiles nothing more.
"""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from motsim.mixture import kernels
from motsim.mixture.engine.reduction import Reduction
from motsim.mixture.schedule import Descent, Stage

__all__ = ["Memory", "memories"]

Floats = NDArray[np.float64]


class Memory(Protocol):
    """What one part remembers."""

    def note(self) -> None:
        """Look at the part before a plain step."""
        ...

    def correct(self) -> None:
        """Turn the plain step that was taken into the optimizer's own."""
        ...


class _HeavyBall:
    """Polyak's momentum: a plain step, and `momentum` times the whole step before.

    Linear in the coordinates, as the plain step is, so it commutes with every change of them.
    """

    def __init__(self, rule: Descent, value: Floats) -> None:
        self.momentum, self.value = rule.momentum, value
        self.now, self.before = value.copy(), value.copy()

    def note(self) -> None:
        self.now, self.before = self.before, self.now
        self.now[...] = self.value

    def correct(self) -> None:
        self.value += self.momentum * (self.now - self.before)


class _Adam:
    """Adam, in place of the plain step; of that only the gradient is kept."""

    def __init__(self, rule: Descent, value: Floats, gradient: Floats) -> None:
        rows = (-1, value.shape[-1])
        self.rate, self.steps = float(rule.rate), 0
        self.value, self.gradient = value.reshape(rows), gradient.reshape(rows)
        self.now, self.first, self.second = (np.zeros_like(self.value) for _ in range(3))

    def note(self) -> None:
        self.now[...] = self.value

    def correct(self) -> None:
        self.steps += 1
        self.value[...] = self.now
        kernels.adam_step(self.value, self.gradient, self.first, self.second, self.rate, self.steps)


def memories(
    stage: Stage, problem: Reduction, value: kernels.Parameters, gradient: kernels.Parameters
) -> list[Memory]:
    """Return what the parts of a stage remember, from nothing; empty for plain descent.

    Raises
    ------
    ValueError
        If Adam is to go in coordinates that are not the data's own.
    """
    found: list[Memory] = []
    for name in ("ffn", "attention", "gate"):
        rule, part = getattr(stage, name), getattr(value, name)
        if not rule.trains or not part.size:
            continue
        if rule.optimizer == "momentum":
            found.append(_HeavyBall(rule, part))
        elif rule.optimizer == "adam":
            if not problem.whole:
                raise ValueError(
                    f"optimizer 'adam' of stage {stage.name!r} depends on the coordinates: it needs"
                    " those of the data (whole_problem), not reduced ones; 'momentum' takes both"
                )
            found.append(_Adam(rule, part, getattr(gradient, name)))
    return found
