"""The numbers a decision rests on: likelihoods of curves, resampled with curves as units."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtri

from motsim.rates.curves import Curve
from motsim.rates.exponentials import MAX_TERMS, fit_exponentials
from motsim.rates.fits import fit_floors, fit_kinks, fit_lines, fit_powers
from motsim.rates.floors import FLOOR_P, fit_floored_powers
from motsim.rates.laws import LAWS, Array, log_limit
from motsim.rates.profile import between, interval, of_profile, peak
from motsim.rates.stacks import Known

NOISE = 0.01  # nats: differences of one per cent of the loss are never evidence
#: Exponents that are looked at, 0 and 1 exactly; refined about the peak of a sample.
P = np.concatenate(
    [np.arange(-20, 30) / 20.0, np.arange(12, 33) / 8.0, 4.0 * 1.1 ** np.arange(1, 25)]
)


@dataclass(frozen=True, eq=False)
class Evidence:
    """Likelihoods of the laws, (num_curves, num_shapes), and how the curves are resampled."""

    curves: Sequence[Curve]
    weights: Array  # (num_draws, num_curves); row 0 is the sample
    grid: Array  # (num_p,) exponents of the family without a floor
    squares: Array  # (num_curves, num_p) sums of squares in x
    column: dict[str, Array]  # log likelihood of each law for each of its shapes
    log_slope: Array  # (num_curves,) log of the steps per nat of the log law
    rms: dict[str, float]  # residual of some laws, in decades of eps

    def in_decades(self, squares: float) -> float:
        """Root mean square residual, in decades of eps, of a sum of squares over all points."""
        return float(np.sqrt(squares / sum(c.x.size for c in self.curves)) / np.log(10.0))

    def criterion(self, name: str) -> Array:
        """BIC of a law in every draw; ``at most log`` has the parameters of a power."""
        law = LAWS["power" if name == "at most log" else name]
        size = np.log(sum(c.effective_points for c in self.curves))
        best = (self.weights @ self.column[name]).max(axis=1)
        return np.asarray(size * law.num_parameters(len(self.curves)) - 2.0 * best)

    @property
    def exponent(self) -> Array:
        """Exponent p of the family without a floor in every draw."""
        return peak(self.weights @ self.column["all"], self.grid)

    @property
    def power_residual(self) -> float:
        """Root mean square residual (in x) of the best power."""
        size = sum(c.x.size for c in self.curves)
        return float(np.sqrt(self.squares[:, self.grid > 0].sum(axis=0).min() / size))

    def exponent_interval(self, level: float) -> tuple[float, float]:
        """Interval of p; its ends are infinite where p is beyond what is looked at."""
        common = common_error(self.curves, self.squares.min(axis=1))
        return of_profile(self.column["all"], self.grid, self.weights, level, common)

    def steps_per_decade(self, level: float) -> tuple[float, float, float]:
        """Geometric mean over the curves of the log law's slope, with its interval."""
        n = len(self.curves)
        draws = self.weights @ self.log_slope / n + np.log(np.log(10.0))
        low, high = interval(draws, level, n)
        # what a residual of NOISE leaves open in a slope: no interval has width 0
        spread = [float(np.std(c.x)) * np.sqrt(c.effective_points) for c in self.curves]
        least = -float(ndtri(0.5 * (1.0 - level))) * NOISE / (np.mean(spread) * np.sqrt(n))
        low, high = min(low, draws[0] - least), max(high, draws[0] + least)
        return float(np.exp(draws[0])), float(np.exp(low)), float(np.exp(high))


def likelihood(sse: Array, curves: Sequence[Curve]) -> Array:
    """Profile log likelihood with the effective number of points, noise level free per curve.

    `sse` has the shape (num_curves, num_shapes), as the answer.
    """
    size, least, points = np.array(
        [(c.x.size, NOISE**2 + c.blur, c.effective_points) for c in curves]
    ).T[..., None]
    return np.asarray(-0.5 * points * np.log(sse / size + least))


def power_squares(curves: Sequence[Curve]) -> Array:
    """Sum of squares of each exponent in `P`, (num_curves, num_p); p = 0 is the log law."""
    return np.stack(_POWERS(curves))


@lru_cache(maxsize=1024)
def smaller_half(curve: Curve) -> Curve | None:
    """Return the part of a curve below the middle of its range; None under five points."""
    half = curve.below(0.5 * (curve.x[0] + curve.x[-1]))
    return half if half is not None and half.x.size >= 5 else None


@lru_cache(maxsize=1024)
def last_quarter(curve: Curve) -> Curve | None:
    """Return the last quarter of a curve's range; None under five points or one decade."""
    part = curve.below(0.25 * curve.x[0] + 0.75 * curve.x[-1])
    return part if part is not None and part.x.size >= 5 and part.decades >= 1.0 else None


def _squares(curves: Sequence[Curve], exponents: Array) -> Array:
    sse, smooth = np.empty((len(curves), exponents.size)), exponents != 0.0
    if smooth.any():
        sse[:, smooth] = fit_powers(curves, exponents[smooth])[0]
    if not smooth.all():
        sse[:, ~smooth] = fit_lines(curves)[0][:, None]
    return sse


_POWERS = Known(lambda curves: list(_squares(curves, P)))


def resample(num_curves: int, num_draws: int, seed: int) -> Array:
    """Return how often each curve counts, (1 + num_draws, num_curves); row 0 is the sample."""
    share = np.full(num_curves, 1.0 / num_curves)
    draws = np.random.default_rng(seed).multinomial(num_curves, share, size=num_draws)
    return np.concatenate([np.ones((1, num_curves)), draws])


def weigh(curves: Sequence[Curve], weights: Array, decades: float) -> Evidence:
    """Fit every law without a floor to every curve, and the log law towards a floor."""
    size = sum(c.x.size for c in curves)
    grid, squares = P, power_squares(curves)
    for _ in range(2):
        extra = between(grid, likelihood(squares, curves).sum(axis=0))
        squares = np.concatenate([squares, _squares(curves, extra)], axis=1)
        grid = np.concatenate([grid, extra])
        order = np.argsort(grid)
        grid, squares = grid[order], squares[:, order]
    profile = likelihood(squares, curves)
    slope = fit_lines(curves)[1][:, 1]
    rms = {
        "log": squares[:, grid == 0.0],
        "inverse": squares[:, grid == 1.0],
        "power": squares[:, squares[:, grid > 0.0].sum(axis=0).argmin() + np.sum(grid <= 0.0)],
        "floor": fit_floors(curves)[0],
        "kink": fit_kinks(curves),
    }
    column = {
        "all": profile,
        "log": profile[:, grid == 0.0],
        "inverse": profile[:, grid == 1.0],
        "power": profile[:, log_limit(decades) <= grid],
        "at most log": profile[:, log_limit(decades) > grid],  # p <= 0 is faster, still O(log)
        "floor": likelihood(rms["floor"][:, None], curves),
        "kink": likelihood(rms["kink"][:, None], curves),
    }
    return Evidence(
        curves,
        weights,
        grid,
        squares,
        column,
        np.log(np.array([c.span for c in curves]) / slope),
        {k: float(np.sqrt(v.sum() / size) / np.log(10.0)) for k, v in rms.items()},
    )


@dataclass(frozen=True, eq=False)
class Floors:
    """Powers towards a floor, fitted to every curve; p = 0 is the log law towards a floor."""

    grid: Array  # (num_p,)
    profile: Array  # (num_curves, num_p) log likelihood
    log_floor: Array  # (num_curves, num_p)
    common: float  # share of the error that the curves have in common

    @property
    def exponent(self) -> float:
        """Exponent p that the curves share."""
        return float(peak(self.profile.sum(axis=0)[None], self.grid)[0])

    @property
    def floor(self) -> Array:
        """Floor of every curve at the best exponent, (num_curves,)."""
        return np.asarray(np.exp(self.log_floor[:, self.profile.sum(axis=0).argmax()]))

    def exponent_interval(self, weights: Array, level: float) -> tuple[float, float]:
        """Interval of the exponent; 0 is the log law."""
        low, high = of_profile(self.profile, self.grid, weights, level, self.common)
        return max(low, 0.0), high


def add_floors(evidence: Evidence) -> Floors:
    """Fit powers towards a floor too, and add them to the evidence as ``power floor``."""
    curves, grid = evidence.curves, FLOOR_P
    squares, floors = fit_floored_powers(curves)
    extra = between(grid, likelihood(squares, curves).sum(axis=0))
    finer, finer_floors = fit_floored_powers(curves, extra)
    grid = np.concatenate([grid, extra])
    order = np.argsort(grid)
    grid = grid[order]
    squares = np.concatenate([squares, finer], axis=1)[:, order]
    floors = np.concatenate([floors, finer_floors], axis=1)[:, order]
    profile = likelihood(squares, curves)
    evidence.column["power floor"] = profile[:, grid > 0.0]
    evidence.rms["power floor"] = evidence.in_decades(squares[:, grid > 0.0].sum(axis=0).min())
    return Floors(grid, profile, floors, common_error(curves, squares.min(axis=1)))


def add_exponentials(evidence: Evidence, max_terms: int) -> tuple[str, str]:
    """Fit sums of exponentials too, up to one term a decade or `max_terms`.

    Returns
    -------
    best : str
        Name of the sum with the best criterion; terms are added while they improve it.
    plain : str
        Name of the first sum, with at most one term a decade, whose residual is no larger than
        that of the best power (or than twice `NOISE`); "" without one.
    """
    curves, best, plain, least = evidence.curves, "", "", np.inf
    size = sum(c.x.size for c in curves)
    as_good = max(evidence.power_residual, 2.0 * NOISE) ** 2 * size
    most = int(np.clip(round(float(np.median([c.decades for c in curves]))), 2, MAX_TERMS))
    for k in range(2, max(most, max_terms) + 1):
        name = f"{k} exponentials"
        squares = fit_exponentials(curves, k)
        evidence.column[name] = likelihood(squares[:, None], curves)
        evidence.rms[name] = evidence.in_decades(squares.sum())
        if k <= most and not plain and squares.sum() <= as_good:
            plain = name
        found = float(evidence.criterion(name)[0])
        if found >= least:
            break
        best, least = name, found
    return best, plain


def common_misfit(evidence: Evidence) -> float:
    """Return by how much the mean residual of the best power exceeds its noise.

    Mean square of the mean over the curves, in units of what independent curves would leave
    (about 1 where the law is right; the part below `NOISE` is not counted).
    """
    curves, n = evidence.curves, len(evidence.curves)
    p = float(max(evidence.exponent[0], 1e-3))
    low, high = max(c.x[0] for c in curves), min(c.x[-1] for c in curves)
    x = np.linspace(low, high, 25)
    _, start, g = fit_powers(curves, np.array([p]))
    rows = [
        np.interp(x, c.x, c.x - c_start - np.log(c.tau + c_g) / p)
        for c, c_start, c_g in zip(curves, start[:, 0], g[:, 0], strict=True)
    ]
    residual = np.array(rows)
    noise = float(np.mean(residual.var(axis=0, ddof=1))) / n + NOISE**2
    return float(np.mean(residual.mean(axis=0) ** 2) / noise)


def common_error(curves: Sequence[Curve], least: ArrayLike) -> float:
    """Share of the error that curves have in common: whole steps and `NOISE`, not chance.

    `least` holds the smallest sum of squares of each curve.
    """
    own = sum(float(s) / c.x.size for s, c in zip(np.ravel(np.asarray(least)), curves, strict=True))
    common = sum(c.blur + NOISE**2 for c in curves)
    return common / (own + common)
