"""Predicted curves T(eps), and how far a run's is from one.

T(eps) of a staircase jumps where a stop is: a plateau that is one percent off puts T off by powers
of ten there. Curves are therefore compared in both directions at once (Levy's distance): a run lies
within a factor f of a prediction if at every eps it comes between the prediction at f eps, f times
as early, and that at eps / f, f times as late.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["Staircase", "factor_apart"]

LATEST, NUM_TIMES = 1e20, 8000  # steps
LARGEST = 1e12  # factor: what is farther apart is infinitely so
Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Staircase:
    """A predicted loss curve: log(1 + t) and log L, which falls, on a fine grid."""

    late: Floats
    log_loss: Floats

    @classmethod
    def of(cls, loss: Callable[[Floats], Floats], pace: float = 1.0) -> "Staircase":
        """Tabulate L(t); `pace` makes all rates so many times as large (the control)."""
        late = np.linspace(0.0, np.log(LATEST), NUM_TIMES)
        values = np.maximum(loss(np.expm1(late) * pace), np.finfo(float).tiny)
        return cls(late, np.log(np.minimum.accumulate(values)))

    def times(self, epsilons: ArrayLike) -> Floats:
        """T(eps); inf where it is never reached."""
        wanted = np.log(np.asarray(epsilons, float))
        found = np.expm1(np.interp(-wanted, -self.log_loss, self.late))
        return np.where(wanted < self.log_loss[-1], np.inf, found)


def factor_apart(predicted: Staircase, epsilons: Floats, hits: Floats, budget: float) -> float:
    """Smallest factor f >= 1 within which a run lies; inf without any eps to compare.

    `hits` are whole steps, rounded up: T is up to one less. Negative: not within `budget`, which
    asks for T(eps) above it. Zero: passed before the stage, and left out.
    """
    used = hits != 0
    eps, t = epsilons[used], hits[used].astype(float)
    if not eps.size:
        return float("inf")
    latest = np.where(t < 0, np.inf, t)
    earliest = np.where(t < 0, budget, t - 1.0)

    def within(log_factor: float) -> bool:
        f = np.exp(log_factor)
        early, late = predicted.times(eps * f) / f, predicted.times(eps / f) * f
        return bool((early <= latest).all() and (late >= earliest).all())

    low, high = 0.0, np.log(LARGEST)
    if not within(high):
        return float("inf")
    while high - low > 1e-6:
        middle = 0.5 * (low + high)
        low, high = (low, middle) if within(middle) else (middle, high)
    return float(np.exp(high))
