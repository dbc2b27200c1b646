"""Runs that follow another law than the rest: each curve judged alone, by the noise of all.

In a pooled fit a curve that bends has a large noise level of its own and loses its vote. Here every
curve is measured by the noise that the curves have in common (the median of their best fits).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from motsim.rates.curves import Curve
from motsim.rates.evidence import NOISE, P, last_quarter, power_squares, smaller_half
from motsim.rates.fits import fit_lines, fit_powers
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
    whole = power_squares(curves)
    mean_square = whole / _sizes(curves)
    noise = float(np.median(mean_square.min(axis=1))) + NOISE**2
    other = _decide_otherwise(curves, whole, law, noise)
    for part_of in (smaller_half, last_quarter):
        parts = {i: part for i, c in enumerate(curves) if (part := part_of(c)) and not other[i]}
        doubted = _doubted(parts, mean_square, law, noise)
        if doubted:
            asked = [parts[i] for i in doubted]
            other[doubted] = _decide_otherwise(asked, power_squares(asked), law, noise)
    found = [("power" if law == "log" else "log") if o else law for o in other]
    if law == "log":
        found = ["floor" if c.stopped else own for c, own in zip(curves, found, strict=True)]
    return found


def _limits(curve: Curve, law: str) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return which of the exponents `P` are the law's, and which are the other's."""
    logs, powers = log_limit(curve.decades) > P, power_limit(curve.decades) < P
    return (logs, powers) if law == "log" else (powers, logs)


def _decide_otherwise(
    curves: Sequence[Curve], squares: Array, law: str, noise: float
) -> NDArray[np.bool_]:
    """Whether the other law fits better by `SURPRISE`, and best of all."""
    found = np.zeros(len(curves), dtype=bool)
    for i, (curve, values) in enumerate(zip(curves, squares / _sizes(curves), strict=True)):
        ours, theirs = _limits(curve, law)
        gain = curve.effective_points * (values[ours].min() - values[theirs].min()) / noise
        found[i] = gain > SURPRISE and theirs[values.argmin()]
    return found


def _doubted(parts: Mapping[int, Curve], whole: Array, law: str, noise: float) -> list[int]:
    """Return the numbers of parts that one exponent of the law does not fit within `SURPRISE`.

    That is the one of the whole curve. Where it fits, the other law cannot gain so much, and
    nothing else has to be fitted.
    """
    if not parts:
        return []
    curves = list(parts.values())
    if law == "log":
        squares = fit_lines(curves)[0]
    else:
        exponents = [P[np.where(_limits(c, law)[0], whole[i], np.inf).argmin()]
                     for i, c in parts.items()]  # fmt: skip
        squares = fit_powers(curves, np.array(exponents)[:, None])[0][:, 0]
    most = [c.effective_points * s / c.x.size / noise for c, s in zip(curves, squares, strict=True)]
    return [i for i, gain in zip(parts, most, strict=True) if gain > SURPRISE]


def _sizes(curves: Sequence[Curve]) -> Array:
    return np.array([[float(c.x.size)] for c in curves])
