"""Curves of one law each, with the verdicts that are true of them.

Values are right by construction.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from motsim.rates import decide, rate
from motsim.rates.words import answer

FINE = 40  # intervals a decade of the grid on which T(eps) is summed up
POWERS = (0.25, 0.5, 0.8, 1.0, 1.5, 2.0)
ANY = (-np.inf, np.inf)


@dataclass(frozen=True, eq=False)
class Case:
    """Curves with the verdicts that are true of them; *inconclusive* is never wrong.

    `exponents` must meet the interval of a claimed power; a claimed log law must lie under `below`.
    """

    allowed: frozenset[str]
    hits: tuple = ()  # arguments of `decide`
    frame: pd.DataFrame | None = None  # argument of `rate`
    watched: float | None = None
    exponents: tuple[float, float] = ANY
    below: float = np.inf

    def sentence_and_decision(self):
        """Decide, and say so."""
        if self.frame is not None:
            found = rate(self.frame)
            return found.sentence, found.decision
        d = decide(*self.hits, watched=self.watched)
        return answer(d), d

    def grade(self, d):
        """Return right, wrong or inconclusive."""
        if d.law == "inconclusive":
            return d.law
        low, high = d.exponent_interval
        power = d.law in ("power", "inverse")
        apart = power and (high < self.exponents[0] or low > self.exponents[1])
        above = d.law == "log" and d.eps_range[1] > 1.01 * self.below
        return "wrong" if d.law not in self.allowed or apart or above else "right"


def truth(p, share=0.2):
    """Return what may be said of T = a + b eps^-p: keyword arguments of `Case`."""
    if p == 0:
        return {"allowed": frozenset({"log"})}
    names = {"power"} | ({"inverse"} if 0.75 <= p <= 1.25 else set())
    band = max(share * p, 0.06)
    return {"allowed": frozenset(names), "exponents": (p - band, p + band)}


def wander(rng, shape, noise, correlation=0.8):
    """Errors of log dT/dx, correlated over fifths of a decade."""
    r = correlation ** (5.0 / FINE)
    z = rng.normal(size=shape)
    for i in range(1, shape[1]):
        z[:, i] = r * z[:, i - 1] + np.sqrt(1.0 - r * r) * z[:, i]
    return noise * z


def summed(rng, log_rate, decades, n=None, noise=0.1, spread=(0.5, 0.3), start=400.0):
    """Return x = log(top/eps) and the times T(x) of n runs with dT/dx = b exp(log_rate(x))."""
    n = n or int(rng.integers(3, 11))
    x = np.linspace(0.0, decades * np.log(10.0), round(decades * FINE) + 1)
    middle = 0.5 * (x[1:] + x[:-1])
    rates = log_rate(middle) + wander(rng, (n, middle.size), noise)
    a, b = (
        start * np.exp(spread[0] * rng.normal(size=n)),
        40 * np.exp(spread[1] * rng.normal(size=n)),
    )
    rise = np.cumsum(np.exp(rates) * np.diff(x), axis=1)
    return x, a[:, None] + b[:, None] * np.concatenate([np.zeros((n, 1)), rise], axis=1)


def read_off(rng, x, times, per_decade=None, whole=True):
    """Return eps and hitting times on a grid of eps from 0.1 on, whole steps where they fit."""
    per_decade = per_decade or rng.choice([3, 4, 5, 8])
    grid_x = np.linspace(0.0, x[-1], round(x[-1] / np.log(10.0) * per_decade) + 1)
    hits = np.stack([np.interp(grid_x, x, row) for row in times])
    return 0.1 * np.exp(-grid_x), np.ceil(hits) if whole and hits.max() < 2**53 else hits


def simple(rng, p, *, least=3.2, most=9.0, n=None, noise=0.2, spread=(0.5, 0.3), start=400.0):
    """Times of T = a + b eps^-p over `least` to `most` decades."""
    return summed(rng, lambda x: p * x, rng.uniform(least, most), n, noise, spread, start)


def as_hits(rng, p, noise=0.2, share=0.2, **options):
    """Return eps, hits and the truth of a plain law."""
    per_decade = options.pop("per_decade", None)
    eps, hits = read_off(rng, *simple(rng, p, noise=noise, **options), per_decade)
    return eps, hits, truth(p, share)


def logged(rng, p, least=3.4, start=4.0, num=1200):
    """Return steps and losses of raw curves that go on until every run is `least` decades down."""
    decades = least + rng.uniform(0.0, 4.0 if p <= 0.25 else 2.5 if p <= 1.0 else 1.0)
    x, times = summed(
        rng, lambda x: p * x, decades + (0.6 / p if p else 1.5 * decades), spread=(0.2, 0.15),
        start=start,
    )  # fmt: skip
    end = max(np.interp(decades * np.log(10.0), x, row) for row in times)
    steps = np.unique(np.round((np.geomspace if p else np.linspace)(1.0, end, num)))
    return steps, np.stack([np.exp(-np.interp(steps, row, x)) for row in times])


def as_table(steps, losses):
    """Return a wide table of losses."""
    return pd.DataFrame({f"run {k}": row for k, row in enumerate(losses)}, index=steps)
