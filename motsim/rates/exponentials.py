r"""Sums of exponentials, ``L(t) = sum_j w_j exp(-k_j t)``, w >= 0: the plainest rival of a power.

Descent on a quadratic is such a sum, with one term for every curvature; over a few decades of eps
a wide spectrum looks like a power, and a power is a sum of infinitely many terms. Fitted in log L,
from non-negative least squares on a grid of rates.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import leastsq, nnls

from motsim.rates.curves import Curve
from motsim.rates.laws import Array
from motsim.rates.stacks import Known

RATES_PER_DECADE = 6
MAX_TERMS = 5
SLACK = 1e-6  # of a bound, for rounding


def fit_exponentials(curves: Sequence[Curve], num_terms: int) -> Array:
    """Return the least sums of squares in x of at most `num_terms` exponentials, (num_curves,).

    0 where there are more numbers than points.
    """
    return np.array(_FITS[num_terms](curves))


def _polish(curve: Curve, rates: Array, weights: Array) -> float:
    """Return the sum of squares after least squares in the logarithms of weights and rates."""
    seen: list[Array] = []  # theta, rates and shares of the last residual: its Jacobian comes next

    def residual(theta: Array) -> Array:
        log_w, log_k = np.clip(theta, -700.0, 700.0).reshape(2, -1, 1)
        rate = np.exp(np.minimum(log_k, 60.0))
        terms = log_w - rate * curve.tau
        top = terms.max(axis=0)
        part = np.exp(terms - top)
        total = part.sum(axis=0)
        seen[:] = theta.copy(), rate, part / total
        return curve.x + top + np.log(total)

    def jacobian(theta: Array) -> Array:
        if not (seen[0] == theta).all():
            residual(theta)
        _, rate, share = seen
        return np.concatenate([share, -share * rate * curve.tau])

    start = np.concatenate([np.log(weights), np.log(rates)])
    with np.errstate(over="ignore", invalid="ignore"):  # in a covariance that nobody asks for
        found = leastsq(
            residual, start, Dfun=jacobian, col_deriv=True, full_output=True,
            xtol=1e-5, ftol=1e-5, gtol=1e-8, maxfev=100,
        )  # fmt: skip
    rest = found[2]["fvec"]
    return float(rest @ rest)


def _fit(curves: Sequence[Curve], num_terms: int) -> list[float]:
    many = [c.x.size >= 2 * num_terms for c in curves]
    spectra = iter(_SPECTRA([c for c, enough in zip(curves, many, strict=True) if enough]))
    return [
        _polish(c, *next(spectra)[num_terms - 1]) if enough else 0.0
        for c, enough in zip(curves, many, strict=True)
    ]


def _spectra(curve: Curve) -> list[tuple[Array, Array]]:
    """Return rates and weights of non-negative fits with 1, 2, ... `MAX_TERMS` terms.

    From the fit on a grid of rates, the term that is missed least is left out again and again.
    """
    low, high = 0.05, 10.0 / max(float(np.diff(curve.tau).min()), 1e-14)
    count = max(int(RATES_PER_DECADE * np.log10(high / low)), 2)
    rates = np.geomspace(low, high, min(count, 120))
    # rows divided by L: residuals are relative errors
    exponent = curve.x[:, None] - curve.x[0] - rates * curve.tau[:, None]
    design = np.exp(np.clip(exponent, -700.0, 300.0))
    norm = design.max(axis=0)
    rates, design, norm = rates[norm > 0], (design / norm)[:, norm > 0], norm[norm > 0]
    one = np.ones(curve.x.size)
    weights = nnls(design, one, maxiter=3000)[0]
    kept = np.flatnonzero(weights > 0)
    found = []
    for num_terms in range(MAX_TERMS, 0, -1):
        while kept.size > num_terms:
            kept, weights = _without_one(design, one, kept, weights[kept])
        scale = np.exp(np.clip(-np.log(norm[kept]) - curve.x[0], -700.0, 700.0))
        found.append((rates[kept], np.maximum(weights[kept] * scale, 1e-300)))
    return found[::-1]


_SPECTRA = Known(lambda curves: [_spectra(c) for c in curves])
_FITS = {k: Known(partial(_fit, num_terms=k)) for k in range(1, MAX_TERMS + 1)}


def _without_one(
    design: Array, one: Array, kept: NDArray[np.intp], weights: Array
) -> tuple[NDArray[np.intp], Array]:
    """Leave out the term that is missed least, and those that are 0 without it.

    Weights that are free to be negative miss a term no more than weights that are not, and say so
    in closed form for all terms at once: a term that even they miss more than another one is
    missed is not tried.
    """
    least = _least_errors(design[:, kept], one, weights)
    best, error = np.empty(0), np.inf
    dropped = -1
    for i in np.argsort(least, kind="stable"):
        if least[i] > error:
            break
        found, missed = nnls(design[:, np.delete(kept, i)], one, maxiter=3000)
        if missed < error or (missed == error and i < dropped):
            best, error, dropped = found, missed, int(i)
    kept, all_weights = np.delete(kept, dropped), np.zeros(design.shape[1])
    all_weights[kept] = best
    return kept[best > 0], all_weights


def _least_errors(design: Array, one: Array, weights: Array) -> Array:
    """Return, for each column, what least squares without it misses at least (a norm).

    `weights` are the least squares with all columns. Derived: without column i the sum of squares
    grows by ``w_i^2 / (G^-1)_ii``, G the normal matrix. `SLACK` is for rounding.
    """
    rest = one - design @ weights
    try:
        inverse = np.linalg.inv(np.linalg.qr(design, mode="r"))
    except np.linalg.LinAlgError:
        return np.zeros(weights.size)
    growth = weights**2 / (inverse**2).sum(axis=1)
    return np.asarray(np.sqrt(rest @ rest + growth) * (1.0 - SLACK) - SLACK)
