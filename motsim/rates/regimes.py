r"""Regimes: the list of laws that hitting times follow one after the other as eps falls.

All smooth laws have ``dT/dx = b exp(p x)``, ``x = log(1/eps)`` (derived here): in
``s = log(dT/dx)`` a law is a straight line whose slope is its exponent, a change of regime a bend
or a jump, and a stop one interval that stands out. The mean of s over the curves, each about its
own level, is cut where a penalized sum of squares is least (dynamic programming over quarters of
a decade). The noise of that mean is measured between the curves, so wander of single curves makes
no regime, and differences that do not matter (`TOLERANCE`) are not told apart.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from scipy.special import ndtri, stdtrit

from motsim.rates.curves import Curve
from motsim.rates.laws import Array

INTERVALS_PER_DECADE = 4
MIN_INTERVALS = 3  # of a law: three quarters of a decade
TOLERANCE = 0.08  # relative error of dT/dx that is never evidence of a change
PENALTY = 14.0  # chi-squared a further regime has to explain: three numbers, found by searching
SAME_EXPONENT = 0.2  # neighbors whose exponents differ by less, without a jump, are one regime
STOP_FACTOR = 2.0  # a stop takes this many times the steps of its neighbors


@dataclass(frozen=True)
class Regime:
    """One law over one range of eps: ``log``, ``inverse``, ``power``, ``fast`` or ``stop``.

    ``fast`` is faster than logarithmic (p < 0). `exponent` and its 95 % interval are of
    ``dT/dx``, `steps_per_decade` is the median over the curves at the middle of the range;
    `factor` is the growth of T across the range.
    """

    law: str
    eps_high: float
    eps_low: float
    exponent: float
    exponent_interval: tuple[float, float]
    steps_per_decade: float
    factor: float

    @property
    def decades(self) -> float:
        """Length of the range."""
        return float(np.log10(self.eps_high / self.eps_low))

    def __str__(self) -> str:
        where = f"{self.eps_high:.1e} to {self.eps_low:.1e}"
        if self.law == "stop":
            return f"{where}: a stop (T grows {self.factor:.3g}-fold)"
        if self.law == "log":
            return f"{where}: log, {self.steps_per_decade:.3g} steps per decade"
        low, high = self.exponent_interval
        name = {"fast": "faster than log", "inverse": "1/eps", "power": "power"}[self.law]
        return f"{where}: {name}, p = {self.exponent:.2f} [{low:.2f}, {high:.2f}]"


def find_regimes(curves: Sequence[Curve]) -> tuple[Regime, ...]:
    """Cut the common range of the curves into regimes.

    Parameters
    ----------
    curves : sequence of Curve
        At least two, of one method.

    Returns
    -------
    tuple of Regime
        From large eps to small; empty where the curves share less than two decades or have fewer
        than two distinct points a decade.
    """
    if len(curves) < 2:
        return ()
    low = float(np.quantile([c.x[0] for c in curves], 0.75, method="higher"))
    high = float(np.quantile([c.x[-1] for c in curves], 0.25, method="lower"))
    count = int((high - low) / np.log(10.0) * INTERVALS_PER_DECADE + 1e-6)
    used = [c for c in curves if c.x[0] <= low + 1e-9 and c.x[-1] >= high - 1e-9]
    sparse = min((c.x.size - 1) / max(c.decades, 1e-9) for c in curves) < 2.0
    if count < 2 * INTERVALS_PER_DECADE or len(used) < 2 or sparse:
        return ()
    knots = np.linspace(low, high, count + 1)
    times = np.stack([np.interp(knots, c.x, c.times) for c in used])
    with np.errstate(divide="ignore"):
        rate = np.log(np.diff(times, axis=1) / np.diff(knots))
    if not np.all(np.isfinite(rate)):
        return ()
    level = rate - rate.mean(axis=1, keepdims=True)
    mean, noise = level.mean(axis=0), _noise(level)
    cuts = _cut(0.5 * (knots[1:] + knots[:-1]), mean, noise)
    return tuple(_describe(a, b, knots, times, rate, noise) for a, b in pairwise(cuts))


def _noise(level: Array) -> float:
    """Return the standard deviation of the mean of the curves, inflated for its correlation."""
    n, count = level.shape
    apart = level - level.mean(axis=0)
    # the trend of a single curve is its own exponent, not noise of the mean's shape
    x = np.linspace(-1.0, 1.0, count)
    apart = apart - (apart @ x / (x @ x))[:, None] * x
    variance = float((apart**2).sum() / ((n - 1) * max(count - 2, 1)) / n)
    total = float((apart**2).sum())
    r = float((apart[:, 1:] * apart[:, :-1]).sum()) / total if total > 0 else 0.0
    inflation = (1.0 + min(max(r, 0.0), 0.9)) / (1.0 - min(max(r, 0.0), 0.9))
    few = stdtrit(n - 1, 0.025) / ndtri(0.025)  # few curves know their noise badly
    return float(np.sqrt(variance * inflation * few**2 + TOLERANCE**2))


def _cut(x: Array, mean: Array, noise: float) -> list[int]:
    """Return the cuts (indices of knots) of the least penalized sum of squares."""
    count = x.size
    best = np.full(count + 1, np.inf)
    best[0] = -PENALTY
    before = np.zeros(count + 1, dtype=int)
    one, sx, sy = _sums(np.ones(count)), _sums(x), _sums(mean)
    sxx, sxy, syy = _sums(x * x), _sums(x * mean), _sums(mean * mean)
    for stop in range(1, count + 1):
        for start in range(stop):
            size = stop - start
            if size == 1 and start > 0 and stop < count:
                cost = PENALTY / 3.0  # a stop: one number, one place
            elif size >= MIN_INTERVALS:
                n, mx, my = (v[stop] - v[start] for v in (one, sx, sy))
                xx = sxx[stop] - sxx[start] - mx * mx / n
                xy = sxy[stop] - sxy[start] - mx * my / n
                yy = syy[stop] - syy[start] - my * my / n
                cost = PENALTY + max(yy - xy * xy / xx, 0.0) / noise**2
            else:
                continue
            if best[start] + cost < best[stop] - 1e-9:
                best[stop], before[stop] = best[start] + cost, start
    cuts = [count]
    while cuts[-1] > 0:
        cuts.append(int(before[cuts[-1]]))
    return _join(cuts[::-1], x, mean)


def _sums(values: Array) -> Array:
    return np.concatenate([[0.0], np.cumsum(values)])


def _join(cuts: list[int], x: Array, mean: Array) -> list[int]:
    """Undo the cuts between neighbors that no reader would call different."""
    changed = True
    while changed:
        changed = False
        for k in range(1, len(cuts) - 1):
            a, b, c = cuts[k - 1 : k + 2]
            if min(b - a, c - b) == 1:  # a stop stays only if it stands out
                i = a if b - a == 1 else b
                around = mean[[j for j in (i - 1, i + 1) if 0 <= j < mean.size]]
                alike = bool(mean[i] - around.mean() < np.log(STOP_FACTOR))
            else:
                left, right = np.polyfit(x[a:b], mean[a:b], 1), np.polyfit(x[b:c], mean[b:c], 1)
                edge = 0.5 * (x[b - 1] + x[b])
                jump = abs(np.polyval(left, edge) - np.polyval(right, edge))
                alike = abs(left[0] - right[0]) < SAME_EXPONENT and jump < np.log(STOP_FACTOR)
            if alike:
                del cuts[k]
                changed = True
                break
    return cuts


def _describe(a: int, b: int, knots: Array, times: Array, rate: Array, noise: float) -> Regime:
    """Describe the regime between two knots."""
    part, x = rate[:, a:b], 0.5 * (knots[1:] + knots[:-1])[a:b]
    factor = float(np.median(times[:, b] / np.maximum(times[:, a], 1e-300)))
    slope = float(np.median(np.exp(np.median(part, axis=1))) * np.log(10.0))
    eps = (float(np.exp(-knots[a])), float(np.exp(-knots[b])))
    if b - a < MIN_INTERVALS:
        nothing = (float("nan"), float("nan"))
        return Regime("stop", *eps, float("nan"), nothing, slope, factor)
    p = float(np.polyfit(x, part.mean(axis=0), 1)[0])
    half = 1.96 * noise / np.sqrt(((x - x.mean()) ** 2).sum())
    law = (
        "log" if abs(p) < 0.15 else "fast" if p < 0 else "inverse" if abs(p - 1) < 0.2 else "power"
    )
    return Regime(law, *eps, p, (p - half, p + half), slope, factor)
