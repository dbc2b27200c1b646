"""Least squares of curves: residuals in ``x = log(1/eps)`` at given steps, for every law.

A censored curve adds one residual at its budget (tau = 1), zero unless the law is below `bound`.
Grids instead of solvers: nothing has to converge, and every fit is a fixed number of operations.
Every fit is of many curves at once and each curve's own: the first axis of its answers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from motsim.rates.curves import Curve
from motsim.rates.laws import Array
from motsim.rates.stacks import Rows, Stack, pieces, together

COARSE = (3, 3)  # two refinements and a parabola: slopes to 1e-3, enough to compare laws
EXACT = (3,) * 16  # the last grid has a step of about 1e-9


def zoom(
    loss: Callable[[Array], Array], center: Array, step: float, counts: tuple[int, ...]
) -> Array:
    """Minimize over grids of ``2 * count + 1`` points about `center`, each four times finer.

    `loss` maps grids of shape (..., k) to values of that shape; `center` and the answer have
    shape (...), and every entry is minimized on its own. The answer is the vertex of the parabola
    through the best point of the last grid and its neighbors.
    """
    for count in counts:
        values = loss(center[..., None] + step * np.arange(-count, count + 1))
        index = values.argmin(axis=-1)
        center, step = center + step * (index - count), step / 4
    inner = index.clip(1, 2 * count - 1)
    flat = values.ravel()
    lowest_at = inner + (2 * count + 1) * np.arange(inner.size).reshape(inner.shape)
    before, best, after = flat[lowest_at - 1], flat[lowest_at], flat[lowest_at + 1]
    bend = before - 2.0 * best + after
    lowest = (inner == index) & (bend > 0.0) & np.isfinite(bend)
    shift = 0.5 * (before - after) / np.where(lowest, bend, 1.0)  # in steps, within half of one
    return np.where(lowest, center + 4.0 * step * np.where(lowest, shift, 0.0), center)


def fit_powers(
    curves: Sequence[Curve], exponents: Array, refine: tuple[int, ...] = COARSE
) -> tuple[Array, Array, Array]:
    """Fit ``x = c + log(tau + g) / p`` for each given p.

    For ``p < 0`` the curve ends at a finite step: ``x = c - log(1 - tau + g) / |p|``. The mean
    gives c; log g is zoomed in on, from the value that joins the end points (derived here).

    Parameters
    ----------
    curves : sequence of Curve
    exponents : array of shape (num_p,) or (num_curves, num_p)
        Values of p, none of them 0.
    refine : tuple of int
        Half widths of the refining grids, `COARSE` or `EXACT`.

    Returns
    -------
    sse, c, g : arrays of shape (num_curves, num_p)
    """
    p = np.broadcast_to(exponents, (len(curves), np.shape(exponents)[-1]))
    found = []
    for part in pieces(p.shape[1], 17 * max(c.x.size for c in curves)):
        some = p[:, part]

        def fit(stack: Stack, rows: Rows, some: Array = some) -> tuple[Array, Array, Array]:
            return _fit_powers(stack, some[rows], refine)

        found.append(together(curves, 17 * some.shape[1], fit))
    sse, c, g = (np.concatenate(parts, axis=1) for parts in zip(*found, strict=True))
    return sse, c, g


def _fit_powers(
    stack: Stack, exponents: Array, refine: tuple[int, ...]
) -> tuple[Array, Array, Array]:
    n, p = stack.size, exponents[..., None]
    up, bound = p > 0, stack.bound[:, None, None]
    tau, x = stack.tau[:, None, None], stack.x[:, None, None]
    start, scale = np.where(up[..., None], tau, 1.0 - tau), -1.0 / p[..., None]

    def fit(log_g: Array) -> tuple[Array, Array, Array]:
        g = np.exp(np.clip(log_g, -600.0, 60.0))
        r = start + g[..., None]
        np.log(r, out=r)
        r *= scale
        r += x
        c = r.mean(axis=-1)
        r -= c[..., None]
        sse = _product(r, r)
        end = c + np.where(up, np.log1p(g), np.log(g)) / p
        excess = np.maximum(end - bound, 0.0)  # the one-sided point: active or not
        return sse + excess**2 * n / (n + 1), c - excess / (n + 1), g

    rise = np.minimum(np.abs(exponents) * (stack.x[:, -1:] - stack.x[:, :1]), 600.0)
    log_g = zoom(lambda grid: fit(grid)[0], -np.log(np.expm1(rise)), 1.0, (8, *refine))
    sse, c, g = (value[..., 0] for value in fit(log_g[..., None]))
    return sse, c, g


def fit_lines(curves: Sequence[Curve]) -> tuple[Array, Array]:
    """Fit the log law, x on ``[1, tau]``.

    Returns
    -------
    sse : array of shape (num_curves,)
    coefficients : array of shape (num_curves, 2)
    """
    sse, beta = together(curves, 1, lambda stack, _: _fit_lines(stack))
    return sse, beta


def _fit_lines(stack: Stack) -> tuple[Array, Array]:
    x, tau = _with_bound(stack)
    beta = _line(x[:, :-1], tau[:, :-1])
    late = beta.sum(axis=1) > stack.bound
    if late.any():  # the censored point contradicts the fit: it joins the data
        beta[late] = _line(x[late], tau[late])
    return _squares(beta[:, :1] + beta[:, 1:] * tau - x), beta


def _line(x: Array, tau: Array) -> Array:
    """Return intercept and slope of least squares along the last axis."""
    mean_x, mean_tau = x.mean(axis=-1, keepdims=True), tau.mean(axis=-1, keepdims=True)
    tau = tau - mean_tau
    slope = _product(x - mean_x, tau)[..., None] / _product(tau, tau)[..., None]
    return np.concatenate([mean_x - slope * mean_tau, slope], axis=-1)


def _with_bound(stack: Stack) -> tuple[Array, Array]:
    """Return x and tau with the bound as last point, where a censored curve is bounded."""
    one = np.ones((len(stack.x), 1))
    return np.append(stack.x, stack.bound[:, None], 1), np.append(stack.tau, one, 1)


def fit_kinks(curves: Sequence[Curve]) -> Array:
    """Return the smallest sse of a line that bends at an inner point (the last when censored)."""
    size = max(c.x.size for c in curves)
    return together(curves, 3 * size, lambda stack, _: (_fit_kinks(stack),))[0]


def _fit_kinks(stack: Stack) -> Array:
    x, tau = _with_bound(stack)
    bend = np.maximum(tau[:, None] - stack.tau[:, 1:, None], 0.0)
    design = np.stack(np.broadcast_arrays(1.0, tau[:, None], bend), axis=-1)
    beta = np.einsum("ckin,cn->cki", np.linalg.pinv(design[:, :, :-1]), x[:, :-1])
    late = np.einsum("cki,cki->ck", design[:, :, -1], beta) > stack.bound[:, None]
    if late.any():
        joined = np.linalg.pinv(design[late])
        beta[late] = np.einsum("kin,kn->ki", joined, x[np.nonzero(late)[0]])
    sse = _squares(np.einsum("ckni,cki->ckn", design, beta) - x[:, None])
    sse[~np.isfinite(stack.bound), -1] = np.inf
    return np.asarray(sse.min(axis=1))


def _product(one: Array, other: Array) -> Array:
    return np.asarray(np.einsum("...i,...i->...", one, other))


def fit_floors(curves: Sequence[Curve], refine: tuple[int, ...] = ()) -> tuple[Array, Array]:
    """Fit a geometric decay to a floor, ``log(1/(eps - eps_inf)) = c + slope * tau``.

    Lines are weighted by ``(1 - eps_inf/eps)**2``, which makes them least squares in x to first
    order (derived here); eps_inf is the best of a grid of shares of the smallest eps reached.

    Returns
    -------
    sse : array of shape (num_curves,)
    parameters : array of shape (num_curves, 3), ``[log(eps_inf), c, slope]``
    """
    sse, parameters = together(curves, 55, lambda stack, _: _fit_floors(stack, refine))
    return sse, parameters


def _fit_floors(stack: Stack, refine: tuple[int, ...]) -> tuple[Array, Array]:
    x, tau = (values[:, None] for values in _with_bound(stack))

    def fit(gap: Array) -> tuple[Array, Array]:
        log_floor = (-np.log1p(10.0**gap) - stack.x[:, -1:])[..., None]
        part = np.exp(log_floor + x[..., :-1])  # eps_inf / eps
        y, w = x[..., :-1] - np.log1p(-part), (1.0 - part) ** 2  # dx = (1 - eps_inf/eps) dy
        w /= w.sum(axis=-1, keepdims=True)
        ym, tm = (w * y).sum(axis=-1, keepdims=True), (w * tau[..., :-1]).sum(-1, keepdims=True)
        w *= tau[..., :-1] - tm
        slope = (w * (y - ym)).sum(axis=-1, keepdims=True)
        slope /= (w * (tau[..., :-1] - tm)).sum(axis=-1, keepdims=True)
        fitted = -np.logaddexp(log_floor, -(ym + slope * (tau - tm)))
        parameters = np.concatenate([log_floor, ym - slope * tm, slope], axis=-1)
        return _squares(fitted - x), parameters

    # gap is log10(eps_last / eps_inf - 1), first from -6 to 3 in steps of 1/6
    gap = zoom(lambda grid: fit(grid)[0], np.full(len(x), -1.5), 1.0 / 6.0, (27, *refine))
    sse, parameters = fit(gap[:, None])
    return sse[:, 0], parameters[:, 0]


def _squares(residual: Array) -> Array:
    """Sum the squares along the last axis, its last entry (the censored point) one-sided."""
    reached = residual[..., :-1]
    return _product(reached, reached) + np.maximum(residual[..., -1], 0.0) ** 2
