"""Gradient flow: a stage followed in continuous time, far beyond what steps of descent reach.

Plain descent is Euler's method with unit step for dp/dt = -D grad L(p), D the step size of each
part and t counted in steps. It is integrated in tau = log(1 + t) by SciPy's stiff solvers, and
T(epsilon) is the first t with L <= epsilon along the solver's dense output.
How errors are kept in bounds: `flow_path`.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from motsim.mixture.flow_outcome import Flow
from motsim.mixture.flow_path import Jacobian, Path, Velocity
from motsim.mixture.schedule import Solver
from motsim.threads import one_thread

__all__ = ["Flow", "Velocity", "disagreement", "integrate"]

Floats = NDArray[np.float64]


def integrate(
    velocity: Velocity,
    start: Floats,
    t_end: float,
    targets: Sequence[float] | Floats = (),
    *,
    solver: Solver | None = None,
    rates: Floats | float = 1.0,
    jacobian: Jacobian | None = None,
    parts: NDArray[np.int64] | None = None,
    keep: Sequence[float] = (),
) -> Flow:
    """Follow dp/dt = velocity(p) from t = 0 until the smallest target is reached, or t_end.

    Parameters
    ----------
    velocity : callable
        p -> (loss, dp/dt).
    start : (n,) array
    t_end : float
    targets : sequence of float
        Values of the loss whose first times are wanted.
    solver : Solver, optional
    rates : float or (n,) array
        D: the velocity is about -D times the gradient of the loss. For error control only.
    jacobian : callable, optional
        p -> (n, n) derivative of the velocity. Default: central differences. One that is wrong
        costs evaluations, and changes no result.
    parts : (n,) integer array, optional
        The part that each number belongs to: errors are kept small beside its largest number.
        Default: all are of one.
    keep : sequence of float
        Times at which to keep loss and state.

    Raises
    ------
    ValueError
        If t_end is not positive.
    RuntimeError
        If the solver gives up.
    """
    if not (np.isfinite(t_end) and t_end > 0):
        near = "1e16" if t_end == np.inf else "1"
        raise ValueError(f"t_end must be finite and > 0; got {t_end}: use {near}, or any other")
    state, rates = np.array(start, dtype=float), np.asarray(rates, dtype=float)
    parts = np.zeros(len(state), dtype=np.int64) if parts is None else parts
    path = Path(velocity, jacobian, rates, solver or Solver(), parts)
    with one_thread():  # the solver's matrices are small: more threads take up to 20 times as long
        return path.follow(state, t_end, np.asarray(targets, float), keep)


def disagreement(run: Callable[[Solver], Floats], solver: Solver) -> float:
    """Largest relative difference of T(epsilon) at `solver` and at a tenth of its tolerances.

    `run` gives the hitting times at a solver. Infinite if one of the two reaches a target that the
    other does not.
    """
    finer = replace(solver, rtol=solver.rtol / 10.0, atol=solver.atol / 10.0)
    one, other = (np.asarray(run(s), dtype=float) for s in (solver, finer))
    if (np.isfinite(one) != np.isfinite(other)).any():
        return math.inf
    both = np.isfinite(one)
    scale = np.maximum(np.abs(other[both]), 1.0)
    return float((np.abs(one[both] - other[both]) / scale).max(initial=0.0))
