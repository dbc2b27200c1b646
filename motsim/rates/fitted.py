"""The fitted law: parameters of every curve, to draw through hitting times and to extrapolate."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from motsim.rates.curves import Curve, check_epsilons, read_curves
from motsim.rates.evidence import P, likelihood
from motsim.rates.fits import EXACT, fit_floors, fit_lines, fit_powers, zoom
from motsim.rates.laws import LAWS, Array, check_law

LEAST_EXPONENT = 1e-3  # of a power: a smaller one is a log law in any range of doubles


@dataclass(frozen=True, eq=False)
class LawFit:
    """A law ``T = a + b * h(eps)`` fitted to curves; a curve that could not be used is NaN.

    Attributes
    ----------
    law : str
        ``log``, ``inverse``, ``power`` or ``floor``.
    offset, rate : arrays of shape (num_curves,)
        a and b of each curve, in steps (for a power, b times the unit of eps to the p).
    exponent : float or None
        p, shared by the curves (1 for ``inverse``); None for ``log`` and ``floor``.
    floor : array of shape (num_curves,) or None
        eps_inf of each curve; None for other laws.
    """

    law: str
    offset: Array
    rate: Array
    exponent: float | None = None
    floor: Array | None = None

    @property
    def open_end(self) -> str:
        """Which end of what is looked at the exponent of a power lies at; "" inside."""
        if self.law != "power" or self.exponent is None:
            return ""
        if self.exponent >= P[-1] * (1 - 1e-6):
            return f"p >= {P[-1]:.3g}"
        return f"p <= {LEAST_EXPONENT:g}" if self.exponent <= LEAST_EXPONENT * (1 + 1e-6) else ""

    @property
    def steps_per_decade(self) -> float | None:
        """Slope of the log law, geometric mean over the curves as in `decide`; None otherwise."""
        if self.law != "log":
            return None
        return float(np.exp(np.nanmean(np.log(self.rate))) * np.log(10.0))

    def predict(self, epsilons: ArrayLike) -> Array:
        """Return the fitted steps, (num_curves, num_eps); infinite at and below a floor.

        Parameters
        ----------
        epsilons : array of shape (num_eps,)
            Accuracies, inside or outside the range of the fit.
        """
        eps = np.asarray(epsilons, dtype=np.float64)
        check_epsilons(eps)
        shape = self.exponent if self.floor is None else self.floor[:, None]
        h = LAWS[self.law].term(eps, 0.0 if shape is None else shape)
        return self.offset[:, None] + self.rate[:, None] * h

    def median_curve(self, epsilons: ArrayLike) -> Array:
        """Return the median of the fitted steps over the used curves, (num_eps,)."""
        return np.median(self.predict(epsilons)[np.isfinite(self.offset)], axis=0)


def fit_law(
    law_name: str,
    epsilons: ArrayLike,
    hits: ArrayLike,
    budget: ArrayLike | None = None,
    *,
    eps_range: tuple[float, float] | None = None,
) -> LawFit:
    """Fit one law to all curves by the least squares of `decide`: residuals in log(1/eps).

    Whether the law is the right one is not asked here; `decide` does that.

    Parameters
    ----------
    law_name : str
        ``log``, ``inverse``, ``power`` or ``floor``.
    epsilons, hits, budget, eps_range
        As for `decide`.

    Returns
    -------
    LawFit
        Rows in the order of `hits`.

    Raises
    ------
    ValueError
        If the law is unknown, the hitting times are inconsistent, entries are censored without
        a budget, or no curve has four distinct points.

    Notes
    -----
    The parameters follow from the fits in tau (derived here): with ``T = first + span * tau``,
    ``x = c + log(tau + g)/p`` is ``T = first - span g + span exp(-p c) eps^-p``, and a line
    ``y = c + s tau`` is ``T = first + span (y - c)/s``. The exponent of a power maximizes the
    likelihood of `decide` between the ends that `LawFit.open_end` names.

    Examples
    --------
    >>> fit = fit_law("log", [0.1, 0.01, 0.001, 0.0001], [[15, 20, 25, 30]])
    >>> fit.predict([1e-6]).round(6), round(fit.steps_per_decade, 6)
    (array([[40.]]), 5.0)
    """
    check_law(law_name)
    table = read_curves(epsilons, hits, budget, eps_range)
    if table.lacks_budget:
        raise ValueError("budget must be given when entries are censored, got None")
    found = [table.curve(row) for row in range(len(table.hits))]
    curves = [curve for curve in found if curve is not None]
    if not curves:
        raise ValueError("hits must have four distinct positive times in some curve, got none")
    exponent = 1.0 if law_name == "inverse" else None
    if law_name == "power":
        exponent = _shared_exponent(curves)
    rows = np.full((len(found), 3), np.nan)
    rows[[curve is not None for curve in found]] = _parameters(curves, law_name, exponent)
    offset, rate, floor = rows.T
    return LawFit(law_name, offset, rate, exponent, floor if law_name == "floor" else None)


def _parameters(curves: list[Curve], law: str, exponent: float | None) -> Array:
    """Return offset, rate and floor of each curve, (num_curves, 3)."""
    first, span = np.array([(c.first, c.span) for c in curves]).T
    if exponent is not None:
        _, c, g = (value[:, 0] for value in fit_powers(curves, np.array([exponent]), EXACT))
        rate = span * np.exp(-exponent * c)
        return np.stack([first - span * g, rate, np.zeros_like(rate)], axis=1)
    if law == "floor":
        log_floor, c, slope = fit_floors(curves, EXACT)[1].T
    else:
        log_floor, (c, slope) = np.full(len(curves), -np.inf), fit_lines(curves)[1].T
    rate = span / slope
    return np.stack([first - rate * c, rate, np.exp(log_floor)], axis=1)


def _shared_exponent(curves: list[Curve]) -> float:
    """Maximize the likelihood of `decide` over p > 0."""
    low, high = LEAST_EXPONENT, float(P[-1])

    def loss(p: Array) -> Array:
        inside = np.clip(p, low, high)
        return -likelihood(fit_powers(curves, inside, EXACT)[0], curves).sum(axis=0)

    coarse = np.append(low, P[low < P])
    sums = likelihood(fit_powers(curves, coarse)[0], curves).sum(axis=0)
    best = zoom(loss, np.array(coarse[sums.argmax()]), 0.1, (4, *EXACT[:14]))
    return float(np.clip(best, low, high))
