r"""A power law towards a floor: ``T = a + b (eps - eps_inf)^-p``, fitted to one curve.

At a given step the law reads ``log 1/(eps - eps_inf) = c + log(tau + g) / p``. With weights
``(1 - eps_inf/eps)^2`` the left side is least squares in ``x = log(1/eps)`` to first order
(derived here, as for `fits.fit_floors`), so c is a weighted mean and two numbers are searched for:
the floor, as a share of the smallest eps reached, and g.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from motsim.rates.curves import Curve
from motsim.rates.fits import fit_floors
from motsim.rates.laws import Array
from motsim.rates.stacks import Known, Stack, pieces, together

#: Exponents that are tried; 0 is the log law towards a floor.
FLOOR_P = np.concatenate(
    [np.arange(0, 20) / 10.0, np.arange(4, 8) / 2.0, 4.0 * 1.5 ** np.arange(6)]
)

STANDSTILL = 4.0  # times the steps expected
WATCHED = 0.9  # of the budget: a last hit before it was followed by steps in vain


def fit_floored_powers(curves: Sequence[Curve], exponents: Array = FLOOR_P) -> tuple[Array, Array]:
    """Fit the law for each given p.

    Parameters
    ----------
    curves : sequence of Curve
    exponents : array of shape (num_p,)
        Values of p, none negative.

    Returns
    -------
    sse : array of shape (num_curves, num_p)
        Sum of squares in x, the one-sided point of a censored curve included.
    log_floor : array of shape (num_curves, num_p)
        log(eps_inf) of the best fit.
    """
    if exponents is FLOOR_P:
        sse, log_floor = np.stack(_KNOWN(curves), axis=1)
        return sse, log_floor
    return _fit(curves, exponents)


def _fit(curves: Sequence[Curve], exponents: Array) -> tuple[Array, Array]:
    zero = exponents == 0.0
    sse, log_floor = np.empty((2, len(curves), exponents.size))
    if zero.any():
        squares, parameters = fit_floors(curves, (3, 3))
        sse[:, zero], log_floor[:, zero] = squares[:, None], parameters[:, :1]
    if not zero.all():
        p = exponents[~zero]
        sse[:, ~zero], log_floor[:, ~zero] = together(
            curves, 25 * p.size, lambda stack, _: _search(stack, p)
        )
    return sse, log_floor


_KNOWN = Known(lambda curves: list(np.stack(_fit(curves, FLOOR_P), axis=1)))


def _search(stack: Stack, exponents: Array) -> tuple[Array, Array]:
    """Search floor and g for every p together: a grid, then finer grids about the best."""
    p, last = exponents[:, None, None], stack.x[:, -1:]
    rise = np.minimum(exponents * (last - stack.x[:, :1]), 600.0)[..., None, None]
    # gap is log10(eps_last / eps_inf - 1); where it is small the curve rises further than to x[-1]
    step_gap, step_g, offsets = 0.5, 0.75, np.arange(-2, 3)
    gap = np.arange(-4.0, 3.1, step_gap)
    extra = -np.log1p(-1.0 / (1.0 + 10.0**gap))[:, None] * p
    log_g = np.log(stack.tau[:, -1])[:, None, None, None]
    log_g = log_g - np.log(np.expm1(np.minimum(rise + extra, 600.0)))
    log_g = log_g + step_g * np.arange(-4, 5)
    best_gap, best_g = np.empty((2, *log_g.shape[:2]))
    for part in pieces(exponents.size, log_g[:, 0].size * stack.size):
        grid = log_g[:, part]
        i, j = _least(_squares(stack, p[part], gap[None, None], grid))
        best_gap[:, part], best_g[:, part] = gap[i], grid[(*np.indices(i.shape), i, j)]
    for _ in range(6):
        step_gap, step_g = step_gap / 2, step_g / 2
        loss = _squares(
            stack,
            p,
            best_gap[..., None] + step_gap * offsets,
            (best_g[..., None] + step_g * offsets)[..., None, :],
        )
        i, j = _least(loss)
        best_gap, best_g = best_gap + step_gap * offsets[i], best_g + step_g * offsets[j]
    return loss.min(axis=(2, 3)), -np.log1p(10.0**best_gap) - last


def _least(loss: Array) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the indices of floor and g of the smallest loss for every curve and p."""
    flat = loss.reshape(*loss.shape[:2], -1)
    return np.divmod(flat.argmin(axis=-1), loss.shape[-1])


def _squares(stack: Stack, p: Array, gap: Array, log_g: Array) -> Array:
    """Return the sums of squares for grids of shape (num_curves, num_p, num_gap, num_g).

    `gap` has shape (num_curves or 1, num_p or 1, num_gap), and `log_g` may have one gap for all:
    what does not depend on the floor is then computed once.
    """
    x = (stack.x - stack.x[:, -1:])[:, None, None]  # what follows is free of a unit of eps
    floor = -np.log1p(10.0**gap)[..., None]  # log(eps_inf)
    part = np.exp(floor + x)  # eps_inf / eps, (num_curves, num_p or 1, num_gap, num_points)
    y, weight = x - np.log1p(-part), (1.0 - part) ** 2
    weight /= weight.sum(axis=-1, keepdims=True)
    g = np.exp(np.clip(log_g, -600.0, 60.0))[..., None]
    end = stack.tau[:, -1, None, None, None, None] + g
    rise = stack.tau[:, None, None, None] + g
    rise /= end
    np.log(rise, out=rise)  # log(tau + g) / p, less what it is at the last point
    rise /= p[..., None]
    most = np.minimum(200.0 - x[..., :1], 700.0)[..., None]
    np.maximum(rise, -most, out=rise)  # what is farther off than this fits nothing
    c = (weight * y).sum(axis=-1)[..., None] - np.einsum("...gn,...n->...g", rise, weight)
    np.negative(rise, out=rise)
    np.exp(rise, out=rise)
    with np.errstate(over="ignore"):
        fitted = rise * np.exp(np.minimum(-c, 700.0))[..., None]
    fitted += np.exp(floor)[..., None]  # the floor added to what decays
    np.log(fitted, out=fitted)
    fitted += x[:, None]
    squares = np.einsum("...n,...n->...", fitted, fitted)
    bound = (stack.bound - stack.x[:, -1])[:, None, None, None]
    if np.isfinite(bound).any():
        late = c + (np.log((1.0 + g) / end) / p[..., None])[..., 0]
        squares += np.maximum(-np.logaddexp(floor, -late) - bound, 0.0) ** 2
    return np.asarray(squares)


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
    gap = np.linspace(-3.0, 1.0, 41)[:, None]
    # s is a mean over an interval: so is the logarithm, by its ends
    part = np.log1p(-np.exp(curve.x - curve.x[-1]) / (1.0 + 10.0**gap))
    shift = -0.5 * (part[:, 1:] + part[:, :-1])
    rest, moved = s - shift, x + shift
    rest -= rest.mean(axis=1, keepdims=True)
    moved -= moved.mean(axis=1, keepdims=True)
    slope = (moved * rest).sum(axis=1) / (moved * moved).sum(axis=1)
    least = ((rest - slope[:, None] * moved) ** 2).sum(axis=1).min()
    return bool(least < drift)


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
