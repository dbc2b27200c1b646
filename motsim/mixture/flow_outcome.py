"""What became of a gradient flow."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from motsim.mixture.status import Status
from motsim.mixture.trace import FlowCost

__all__ = ["Flow"]

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Flow:
    """What became of one integration.

    Attributes
    ----------
    status : Status
        As of a `Trace`.
    time, loss, state : float, float, (n,) array
        At the end: where the smallest target was reached, at t_end, or before it where nothing
        but rounding moves the parameters (`cost.ended_by_rounding`).
    hitting_times : (E,) array
        First time with loss <= target; inf if never.
    kept : dict of float to (float, (n,) array)
        Loss and state at the times that were asked for and passed.
    cost : FlowCost
    """

    status: Status
    time: float
    loss: float
    state: Floats
    hitting_times: Floats
    kept: dict[float, tuple[float, Floats]]
    cost: FlowCost

    @property
    def hitting_steps(self) -> NDArray[np.int64]:
        """Hitting times, up to whole steps; -1 if never."""
        found = np.where(np.isfinite(self.hitting_times), self.hitting_times, -1.0)
        return np.ceil(found).astype(np.int64)
