"""From the losses of a run to its result: hitting times, the curve, and how it ended."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from motsim.experiments.result import Result
from motsim.mixture.status import Status

__all__ = ["result_of_losses"]

NEVER = -1  # a target that is not reached
CURVE_POINTS = 400


def result_of_losses(
    losses: ArrayLike,
    epsilons: Sequence[float] | NDArray[np.float64],
    *,
    steps: ArrayLike | None = None,
    **metrics: Any,
) -> Result:
    """Return the result of a run that logged its losses: T(eps), curve, final loss, status.

    Parameters
    ----------
    losses : array of shape (num_losses,)
        Gap to the least possible value. From the first value that is not finite on, nothing is
        used, and the run has diverged.
    epsilons : sequence or array of float
        Targets; T(eps) is the first step whose loss is at most eps.
    steps : array of shape (num_losses,), optional
        Increasing step numbers of the losses; default: 0, 1, 2, ...
    **metrics
        Numbers or strings that are kept beside, by name.

    Returns
    -------
    Result
        With the table "hits", the curve, and status `reached`, `max_steps` or `diverged`.

    Raises
    ------
    ValueError
        If there is no loss, a target is not positive, or the steps do not increase.

    Examples
    --------
    >>> result_of_losses([1.0, 0.3, 0.08], [0.5, 0.1, 0.01]).tables["hits"]["step"]
    [1, 2, -1]
    """
    values = np.asarray(losses, dtype=float)
    targets = np.sort(np.asarray(epsilons, dtype=float))[::-1]
    if values.ndim != 1 or not len(values):
        raise ValueError(f"losses must be one number a step; got shape {values.shape}")
    if not len(targets) or not (np.isfinite(targets) & (targets > 0)).all():
        raise ValueError(f"epsilons must be positive numbers; got {list(epsilons)}")
    number = np.arange(len(values)) if steps is None else np.asarray(steps)
    if number.shape != values.shape or (np.diff(number) <= 0).any():
        raise ValueError("steps must increase, one for each loss")
    finite = np.logical_and.accumulate(np.isfinite(values))
    values, number = values[finite], number[finite]
    diverged = not finite.all()
    hits = []
    for target in targets:
        below = np.flatnonzero(values <= target)
        hits.append(number[below[0]].item() if len(below) else NEVER)
    reached = bool(len(values)) and hits[-1] != NEVER
    last = number[-1].item() if len(number) else 0
    drawn = np.arange(len(values))
    if len(values) > CURVE_POINTS:  # as many points for each decade of steps
        drawn = np.unique(np.geomspace(1, len(values), CURVE_POINTS).round().astype(int) - 1)
    return Result(
        Status.DIVERGED if diverged else Status.REACHED if reached else Status.MAX_STEPS,
        {
            "num_steps": last,
            "stage_length": last,
            "final_loss": float(values[-1]) if len(values) else float("nan"),
            **metrics,
        },
        {
            "hits": {"epsilon": targets.tolist(), "step": hits, "stage_step": hits},
            "curve": {"step": number[drawn].tolist(), "loss": values[drawn].tolist()},
        },
    )
