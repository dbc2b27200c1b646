r"""A power law towards a floor: ``T = a + b (eps - eps_inf)^-p``, fitted to one curve.

At a given step the law reads ``log 1/(eps - eps_inf) = c + log(tau + g) / p``. With weights
``(1 - eps_inf/eps)^2`` the left side is least squares in ``x = log(1/eps)`` to first order
(derived here, as for `fits.fit_floor`), so c is a weighted mean and two numbers are searched for:
the floor, as a share of the smallest eps reached, and g.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from motsim.rates.curves import Curve
from motsim.rates.fits import fit_floor
from motsim.rates.laws import Array

#: Exponents that are tried; 0 is the log law towards a floor.
FLOOR_P = np.concatenate(
    [np.arange(0, 20) / 10.0, np.arange(4, 8) / 2.0, 4.0 * 1.5 ** np.arange(6)]
)

STANDSTILL = 4.0  # times the steps expected
WATCHED = 0.9  # of the budget: a last hit before it was followed by steps in vain


def fit_floored_powers(curve: Curve, exponents: Array = FLOOR_P) -> tuple[Array, Array]:
    """Fit the law for each given p.

    Parameters
    ----------
    curve : Curve
    exponents : array of shape (num_p,)
        Values of p, none negative.

    Returns
    -------
    sse : array of shape (num_p,)
        Sum of squares in x, the one-sided point of a censored curve included.
    log_floor : array of shape (num_p,)
        log(eps_inf) of the best fit.
    """
    zero = exponents == 0.0
    sse, log_floor = np.empty(exponents.size), np.empty(exponents.size)
    if zero.any():
        sse[zero], parameters = fit_floor(curve, (3, 3))
        log_floor[zero] = parameters[0]
    if not zero.all():
        sse[~zero], log_floor[~zero] = _search(curve, exponents[~zero])
    return sse, log_floor


def _search(curve: Curve, exponents: Array) -> tuple[Array, Array]:
    """Search floor and g for every p together: a grid, then finer grids about the best."""
    rows, p = np.arange(exponents.size), exponents[:, None, None]
    rise = np.minimum(exponents * (curve.x[-1] - curve.x[0]), 600.0)[:, None, None]
    # gap is log10(eps_last / eps_inf - 1); where it is small the curve rises further than to x[-1]
    step_gap, step_g, offsets = 0.5, 0.75, np.arange(-2, 3)
    gap = np.arange(-4.0, 3.1, step_gap)[None, :]
    extra = -np.log1p(-1.0 / (1.0 + 10.0**gap))[..., None] * p
    log_g = np.log(curve.tau[-1]) - np.log(np.expm1(np.minimum(rise + extra, 600.0)))
    log_g = log_g + step_g * np.arange(-4, 5)
    for _ in range(6):
        best_gap, best_g = _best(_squares(curve, p, gap, log_g), gap, log_g, rows)
        step_gap, step_g = step_gap / 2, step_g / 2
        gap = best_gap[:, None] + step_gap * offsets
        log_g = np.repeat((best_g[:, None] + step_g * offsets)[:, None, :], offsets.size, axis=1)
    loss = _squares(curve, p, gap, log_g)
    best_gap, _ = _best(loss, gap, log_g, rows)
    least = loss.reshape(len(rows), -1).min(axis=1)
    return least, -np.log1p(10.0**best_gap) - curve.x[-1]


def _best(loss: Array, gap: Array, log_g: Array, rows: NDArray[np.intp]) -> tuple[Array, Array]:
    """Return gap and log g of the smallest loss for every p."""
    flat = loss.reshape(len(rows), -1).argmin(axis=1)
    return (
        np.broadcast_to(gap[..., None], loss.shape).reshape(len(rows), -1)[rows, flat],
        np.broadcast_to(log_g, loss.shape).reshape(len(rows), -1)[rows, flat],
    )


def _squares(curve: Curve, p: Array, gap: Array, log_g: Array) -> Array:
    """Return the sums of squares for grids of shape (num_p, num_gap, num_g).

    `gap` has shape (num_p or 1, num_gap).
    """
    floor = (-np.log1p(10.0**gap) - curve.x[-1])[..., None]  # log(eps_inf)
    part = np.exp(floor + curve.x)  # eps_inf / eps, (num_p or 1, num_gap, num_points)
    y, weight = curve.x - np.log1p(-part), (1.0 - part) ** 2
    weight = weight / weight.sum(axis=-1, keepdims=True)
    g = np.exp(np.clip(log_g, -600.0, 60.0))
    rise = np.log(curve.tau + g[..., None]) / p[..., None]
    c = (weight * y).sum(axis=-1)[..., None] - np.einsum("...gn,...n->...g", rise, weight)
    rise += c[..., None]
    # log(eps_inf + exp(-rise)), the floor added to what decays
    residual = np.log1p(np.exp(np.minimum(floor[..., None] + rise, 700.0))) - rise + curve.x
    squares = np.einsum("...n,...n->...", residual, residual)
    end = -np.logaddexp(floor, -(c + np.log1p(g) / p))
    return np.asarray(squares + np.maximum(end - curve.bound, 0.0) ** 2)


def bends_like_a_floor(curve: Curve) -> bool:
    """Whether the local exponent grows as towards a floor, rather than evenly in log(1/eps).

    In ``s = log(dT/dx)`` a floor is ``s = const + p x - (p + 1) log(1 - eps_inf/eps)``, which bends
    in its last decade, and an exponent that drifts (as that of logistic loss does) is a parabola
    (derived here). Both have three numbers; the smaller sum of squares decides.
    """
    if curve.x.size < 6:
        return False
    s = np.log(np.diff(curve.tau) / np.diff(curve.x))
    x = 0.5 * (curve.x[1:] + curve.x[:-1])
    drift = float(np.sum((s - np.polyval(np.polyfit(x, s, 2), x)) ** 2))
    least = np.inf
    for gap in np.linspace(-3.0, 1.0, 41):
        # s is a mean over an interval: so is the logarithm, by its ends
        part = np.log1p(-np.exp(curve.x - curve.x[-1]) / (1.0 + 10.0**gap))
        shift = -0.5 * (part[1:] + part[:-1])
        rest = s - shift
        line = np.polyval(np.polyfit(x + shift, rest, 1), x + shift)
        least = min(least, float(np.sum((rest - line) ** 2)))
    return least < drift


def levelled_off(curve: Curve) -> bool:
    """Whether a curve stood still at its end, rather than only slowed down.

    Either it was watched for a while after its last hit, in vain, or its last interval took
    `STANDSTILL` times the steps that the four before it lead one to expect (a power takes no more,
    a logarithm that turns into one at most 3 times).
    """
    if np.isfinite(curve.bound) and curve.tau[-1] < WATCHED:
        return True
    s = np.log(np.diff(curve.tau) / np.diff(curve.x))
    if s.size < 5:
        return False
    x = curve.x[1:]
    expected = np.polyval(np.polyfit(x[-5:-1], s[-5:-1], 1), x[-1])
    return bool(s[-1] - expected > np.log(STANDSTILL))
