"""Runs that follow another law than the rest: each curve judged alone, by the noise of all.

In a pooled fit a curve that bends has a large noise level of its own and loses its vote. Here every
curve is measured by the noise that the curves have in common (the median of their best fits).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from motsim.rates.curves import Curve
from motsim.rates.evidence import NOISE, P, last_quarter, power_squares, smaller_half
from motsim.rates.laws import Array, log_limit, power_limit

SURPRISE = 25.0  # chi-squared that makes a single curve another law's


def own_laws(curves: Sequence[Curve], law: str) -> list[str]:
    """Return the law of each curve alone: `law`, unless it decides otherwise clearly.

    Parameters
    ----------
    curves : sequence of Curve
    law : str
        Law of the rest: ``log``, ``power`` or ``inverse``; any other is returned unasked.

    Notes
    -----
    A curve is asked as a whole, by its smaller half of eps and by its last quarter; the other law
    must fit better by `SURPRISE` in units of the common noise, and the curve's own exponent must
    lie with the other. Of runs that are logarithmic, one that stopped for good is a ``floor``.
    """
    if law not in ("log", "power", "inverse"):
        return [law] * len(curves)
    asked = [[part for part in (c, smaller_half(c), last_quarter(c)) if part] for c in curves]
    squares = [[power_squares(part) / part.x.size for part in parts] for parts in asked]
    common = float(np.median([s[0].min() for s in squares])) + NOISE**2
    found = []
    for parts, values in zip(asked, squares, strict=True):
        other = any(
            _decides_otherwise(part, value, law, common)
            for part, value in zip(parts, values, strict=True)
        )
        found.append(("power" if law == "log" else "log") if other else law)
    if law == "log":
        found = ["floor" if c.stopped else own for c, own in zip(curves, found, strict=True)]
    return found


def _decides_otherwise(curve: Curve, mean_square: Array, law: str, noise: float) -> bool:
    logs, powers = log_limit(curve.decades) > P, power_limit(curve.decades) < P
    ours, theirs = (logs, powers) if law == "log" else (powers, logs)
    gain = curve.effective_points * (mean_square[ours].min() - mean_square[theirs].min()) / noise
    return bool(gain > SURPRISE and theirs[mean_square.argmin()])
