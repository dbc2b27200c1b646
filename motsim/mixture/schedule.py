"""A schedule as data: stages, and in each which parts train, how, and with what routing."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from motsim.checks import check_choice, check_integer
from motsim.mixture.model import Model, Routing

__all__ = ["FROZEN", "LONGEST_FLOW", "Descent", "Solver", "Stage", "check_dynamics"]

OPTIMIZERS = ("gd", "normalized_gd", "momentum", "adam")
LONGEST_FLOW = 10**16  # whole numbers beyond are no longer all floats


@dataclass(frozen=True)
class Descent:
    """How one part is trained; a rate of 0 is read as: it is frozen (`trains`).

    Normalized descent divides by the Frobenius norm, separately for each expert's FFN and for
    each attention matrix. Adam has its usual constants (motsim/mixture/kernels/adam.py).

    Parameters
    ----------
    rate : float
        Step size, >= 0.
    optimizer : {"gd", "normalized_gd", "momentum", "adam"}
        The rule of a step.
    momentum : float
        In [0, 1), for the optimizer of that name, Polyak's heavy ball:
        w + momentum (w - the w before) - rate g.

    Raises
    ------
    ValueError
        If one is out of range.
    """

    rate: float = 0.0
    optimizer: Literal["gd", "normalized_gd", "momentum", "adam"] = "gd"
    momentum: float = 0.9

    def __post_init__(self) -> None:
        check_choice("optimizer", self.optimizer, OPTIMIZERS)
        if not 0 <= self.momentum < 1:
            raise ValueError(f"momentum must be >= 0 and < 1; got {self.momentum}")
        if not (np.isfinite(self.rate) and self.rate >= 0):
            raise ValueError(f"step size must be finite and >= 0; got {self.rate}")

    @property
    def trains(self) -> bool:
        """Whether the part moves; everything behind this door asks here, none for a rate of 0."""
        return self.rate > 0


FROZEN = Descent()


@dataclass(frozen=True)
class Solver:
    """How a gradient flow is integrated (motsim/mixture/flow.py).

    Parameters
    ----------
    method : {"LSODA", "BDF", "Radau"}
    rtol : float
        Change of the loss, relative to itself, that errors of one step may make.
    atol : float
        No error smaller than this part of the largest parameter is asked for.
    """

    method: Literal["LSODA", "BDF", "Radau"] = "LSODA"
    rtol: float = 1e-6
    atol: float = 3e-14

    def __post_init__(self) -> None:
        check_choice("flow_method", self.method, ("LSODA", "BDF", "Radau"))
        if not 1e-13 <= self.rtol <= 0.01:
            near = "0.01" if self.rtol > 0.01 else "1e-13" if self.rtol < 1e-13 else "1e-06"
            raise ValueError(
                f"flow_rtol must be between 1e-13 and 0.01; got {self.rtol}: use {near}"
            )
        if not 0 < self.atol <= 0.01:  # there is no smallest number > 0: the default
            near = "0.01" if self.atol > 0.01 else "3e-14"
            raise ValueError(f"flow_atol must be > 0 and <= 0.01; got {self.atol}: use {near}")


@dataclass(frozen=True)
class Stage:
    """One stage of the schedule: which parts train, how, for how long, with what routing.

    Parameters
    ----------
    name : str
        Of the stage, for messages and traces.
    steps : int
        Number of steps, or time of a flow.
    ffn, attention, gate : Descent
        How each part is trained; frozen by default.
    routing : Routing
        In training.
    dynamics : {"descent", "flow"}
        A flow is what plain descent becomes as its step sizes go to 0 together.
    solver : Solver
        What follows a flow.
    kept_attention : {"double", "single"}
        Precision in which a frozen attention of each expert's own is kept between steps; what is
        computed with it is double. Single halves what a step reads of it, and moves outputs by some
        1e-7 of their terms (docs/reductions.md).

    Raises
    ------
    ValueError, TypeError
        If `steps` is no count, or `dynamics` or `kept_attention` is unknown.
    """

    name: str
    steps: int
    ffn: Descent = FROZEN
    attention: Descent = FROZEN
    gate: Descent = FROZEN
    routing: Routing = field(default_factory=Routing)
    dynamics: Literal["descent", "flow"] = "descent"
    solver: Solver = field(default_factory=Solver)
    kept_attention: Literal["double", "single"] = "double"

    def __post_init__(self) -> None:
        check_integer(f"steps of stage {self.name!r}", self.steps, 0)
        check_choice("dynamics", self.dynamics, ("descent", "flow"))
        check_choice("kept_attention", self.kept_attention, ("double", "single"))


def check_dynamics(model: Model, stages: Sequence[Stage]) -> None:
    """ValueError if a stage cannot run as a gradient flow but is to; it names what could."""
    for i_stage, stage in enumerate(stages):
        if stage.dynamics != "flow":
            continue
        front = f"dynamics 'flow' of stage {stage.name!r}"
        other = "or dynamics 'descent'"
        parts = {"ffn": stage.ffn}
        if model.num_attentions:
            parts["attention"] = stage.attention
        if model.gated:
            parts["gate"] = stage.gate
        for name, part in parts.items():
            if part.trains and part.optimizer != "gd":
                raise ValueError(
                    f"{front} needs optimizer 'gd'; got {part.optimizer!r} for {name}: use 'gd',"
                    f" {other}"
                )
        if not any(part.trains for part in parts.values()):
            raise ValueError(
                f"{front} needs a step size > 0; got 0 for {', '.join(parts)}: use one > 0 for"
                f" ffn, {other}"
            )
        if model.gated and model.top_k > 1:  # has no expected routing
            raise ValueError(
                f"{front} needs top_k 1; got {model.top_k}: use 1, {other} with routing 'sampled'"
            )
        if stage.kept_attention != "double":  # its Jacobian is that of the exact attention
            raise ValueError(
                f"{front} needs kept_attention 'double'; got {stage.kept_attention!r}: use"
                f" 'double', {other}"
            )
        if model.gated and stage.routing.mode != "expected":
            raise ValueError(
                f"{front} needs routing 'expected'; got {stage.routing.mode!r}: use 'expected',"
                f" {other}"
            )
        if not 0 < stage.steps <= LONGEST_FLOW:
            over = stage.steps - LONGEST_FLOW
            near = "1" if over < 0 else f"1e16, which is {over} fewer"
            raise ValueError(f"{front} needs 0 < steps <= 1e16; got {stage.steps}: use {near}")
        if i_stage < len(stages) - 1:
            raise ValueError(
                f"{front} needs the last stage; got stage {i_stage + 1} of {len(stages)}: use"
                f" {stages[-1].name!r}, {other}"
            )
