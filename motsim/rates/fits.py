"""Least squares of one curve: residuals in ``x = log(1/eps)`` at given steps, for every law.

A censored curve adds one residual at its budget (tau = 1), zero unless the law is below `bound`.
Grids instead of solvers: nothing has to converge, and every fit is a fixed number of operations.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from motsim.rates.curves import Curve
from motsim.rates.laws import Array

COARSE = (3, 3)  # two refinements and a parabola: slopes to 1e-3, enough to compare laws
EXACT = (3,) * 16  # the last grid has a step of about 1e-9


def zoom(
    loss: Callable[[Array], Array], centre: Array, step: float, counts: tuple[int, ...]
) -> Array:
    """Minimise over grids of ``2 * count + 1`` points about `centre`, each four times finer.

    `loss` maps grids of shape (..., k) to values of that shape; `centre` and the answer have
    shape (...), and every entry is minimised on its own. The answer is the vertex of the parabola
    through the best point of the last grid and its neighbours.
    """
    for count in counts:
        grid = centre[..., None] + step * np.arange(-count, count + 1)
        values = loss(grid)
        index = values.argmin(axis=-1)[..., None]
        centre, step = np.take_along_axis(grid, index, axis=-1)[..., 0], step / 4
    inner = index.clip(1, 2 * count - 1)
    before, best, after = (
        np.take_along_axis(values, inner + k, axis=-1)[..., 0] for k in (-1, 0, 1)
    )
    bend = before - 2.0 * best + after
    lowest = (inner == index)[..., 0] & (bend > 0.0) & np.isfinite(bend)
    shift = 0.5 * (before - after) / np.where(lowest, bend, 1.0)  # in steps, within half of one
    return np.where(lowest, centre + 4.0 * step * np.where(lowest, shift, 0.0), centre)


def fit_powers(
    curve: Curve, exponents: Array, refine: tuple[int, ...] = COARSE
) -> tuple[Array, Array, Array]:
    """Fit ``x = c + log(tau + g) / p`` for each given p.

    For ``p < 0`` the curve ends at a finite step: ``x = c - log(1 - tau + g) / |p|``. The mean
    gives c; log g is zoomed in on, from the value that joins the end points (derived here).

    Parameters
    ----------
    curve : Curve
    exponents : array of shape (num_p,)
        Values of p, none of them 0.
    refine : tuple of int
        Half widths of the refining grids, `COARSE` or `EXACT`.

    Returns
    -------
    sse, c, g : arrays of shape (num_p,)
    """
    n, p = curve.x.size, exponents[:, None]
    up = p > 0
    start = np.where(up, curve.tau, 1.0 - curve.tau)[:, None, :]

    def fit(log_g: Array) -> tuple[Array, Array, Array]:
        g = np.exp(np.clip(log_g, -600.0, 60.0))
        r = curve.x - np.log(start + g[..., None]) / p[..., None]
        c = r.mean(axis=-1)
        r -= c[..., None]
        end = c + np.where(up, np.log1p(g), np.log(g)) / p
        excess = np.maximum(end - curve.bound, 0.0)  # the one-sided point: active or not
        sse = np.einsum("...i,...i->...", r, r) + excess**2 * n / (n + 1)
        return sse, c - excess / (n + 1), g

    rise = np.minimum(np.abs(exponents) * (curve.x[-1] - curve.x[0]), 600.0)
    log_g = zoom(lambda grid: fit(grid)[0], -np.log(np.expm1(rise)), 1.0, (8, *refine))
    sse, c, g = (value[:, 0] for value in fit(log_g[:, None]))
    return sse, c, g


def fit_line(curve: Curve, extra: Array | None = None) -> tuple[float, Array]:
    """Fit x on ``[1, tau]``, and on each candidate column of `extra` in turn; keep the best.

    Parameters
    ----------
    curve : Curve
    extra : array of shape (num_candidates, num_points + 1), optional
        The last entry of a column is its value at tau = 1, where a censored curve is bounded.

    Returns
    -------
    sse : float
    coefficients : array of shape (2,) or (3,)
    """
    x, tau = np.append(curve.x, curve.bound), np.append(curve.tau, 1.0)
    design = np.stack([np.ones_like(tau), tau], axis=1)[None]
    if extra is not None:
        base = np.broadcast_to(design, (len(extra), *design.shape[1:]))
        design = np.concatenate([base, extra[..., None]], axis=2)
    beta = np.linalg.pinv(design[:, :-1]) @ x[:-1]
    late = np.einsum("ki,ki->k", design[:, -1], beta) > curve.bound
    if late.any():  # the censored point contradicts the fit: it joins the data
        beta[late] = np.linalg.pinv(design[late]) @ x
    return _best(np.einsum("kni,ki->kn", design, beta) - x, beta)


def fit_kink(curve: Curve) -> float:
    """Return the smallest sse of a line that bends at an inner point (the last when censored)."""
    stop = curve.x.size if np.isfinite(curve.bound) else curve.x.size - 1
    knots = curve.tau[1:stop, None]
    return fit_line(curve, np.maximum(np.append(curve.tau, 1.0) - knots, 0.0))[0]


def fit_floor(curve: Curve, refine: tuple[int, ...] = ()) -> tuple[float, Array]:
    """Fit a geometric decay to a floor, ``log(1/(eps - eps_inf)) = c + slope * tau``.

    Lines are weighted by ``(1 - eps_inf/eps)**2``, which makes them least squares in x to first
    order (derived here); eps_inf is the best of a grid of shares of the smallest eps reached.

    Returns
    -------
    sse : float
    parameters : array ``[log(eps_inf), c, slope]``
    """
    tau = np.append(curve.tau, 1.0)

    def fit(gap: Array) -> tuple[Array, Array]:
        log_floor = (-np.log1p(10.0**gap) - curve.x[-1])[:, None]
        part = np.exp(log_floor + curve.x)  # eps_inf / eps
        y, w = curve.x - np.log1p(-part), (1.0 - part) ** 2  # dx = (1 - eps_inf/eps) dy
        w = w / w.sum(axis=1, keepdims=True)
        ym, tm = (w * y).sum(axis=1, keepdims=True), (w * curve.tau).sum(axis=1, keepdims=True)
        slope = (w * (curve.tau - tm) * (y - ym)).sum(axis=1, keepdims=True)
        slope = slope / (w * (curve.tau - tm) ** 2).sum(axis=1, keepdims=True)
        fitted = -np.logaddexp(log_floor, -(ym + slope * (tau - tm)))
        parameters = np.concatenate([log_floor, ym - slope * tm, slope], axis=1)
        return fitted - np.append(curve.x, curve.bound), parameters

    def loss(gap: Array) -> Array:
        return _squares(fit(gap)[0])

    # gap is log10(eps_last / eps_inf - 1), first from -6 to 3 in steps of 1/6
    gap = zoom(loss, np.array(-1.5), 1.0 / 6.0, (27, *refine))
    return _best(*fit(gap[None]))


def _squares(residual: Array) -> Array:
    """Sum the squares along the last axis, its last entry (the censored point) one-sided."""
    return np.sum(residual[:, :-1] ** 2, axis=1) + np.maximum(residual[:, -1], 0.0) ** 2


def _best(residual: Array, parameters: Array) -> tuple[float, Array]:
    sse = _squares(residual)
    best = sse.argmin()
    return float(sse[best]), parameters[best]
