r"""Sums of exponentials, ``L(t) = sum_j w_j exp(-k_j t)``, w >= 0: the plainest rival of a power.

Descent on a quadratic is such a sum, with one term for every curvature; over a few decades of eps
a wide spectrum looks like a power, and a power is a sum of infinitely many terms. Fitted in log L,
from non-negative least squares on a grid of rates.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from scipy.optimize import least_squares, nnls

from motsim.rates.curves import Curve
from motsim.rates.laws import Array

RATES_PER_DECADE = 6
MAX_TERMS = 5


def fit_exponentials(curve: Curve, num_terms: int) -> float:
    """Return the least sum of squares in x of a sum of at most `num_terms` exponentials.

    0 where there are more numbers than points.
    """
    if curve.x.size < 2 * num_terms:
        return 0.0
    return _polish(curve, *_spectra(curve)[num_terms - 1])


def _polish(curve: Curve, rates: Array, weights: Array) -> float:
    """Return the sum of squares after least squares in the logarithms of weights and rates."""

    def values(theta: Array) -> tuple[Array, Array]:
        log_w, log_k = np.clip(theta, -700.0, 700.0).reshape(2, -1)
        terms = log_w[:, None] - np.exp(np.minimum(log_k, 60.0))[:, None] * curve.tau
        top = terms.max(axis=0)
        part = np.exp(terms - top)
        total = part.sum(axis=0)
        return curve.x + top + np.log(total), part / total

    def residual(theta: Array) -> Array:
        return values(theta)[0]

    def jacobian(theta: Array) -> Array:
        share = values(theta)[1]
        rate = np.exp(np.minimum(theta.reshape(2, -1)[1], 60.0))[:, None]
        return np.concatenate([share, -share * rate * curve.tau]).T

    start = np.concatenate([np.log(weights), np.log(rates)])
    found = least_squares(
        residual, start, jacobian, method="lm", xtol=1e-5, ftol=1e-5, max_nfev=100
    )
    return float(2.0 * found.cost)


@lru_cache(maxsize=1024)
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
            parts = [np.delete(kept, i) for i in range(kept.size)]
            fits = [nnls(design[:, part], one, maxiter=3000) for part in parts]
            best = int(np.argmin([error for _, error in fits]))
            kept, weights = parts[best], np.zeros(rates.size)
            weights[kept] = fits[best][0]
            kept = kept[weights[kept] > 0]
        scale = np.exp(np.clip(-np.log(norm[kept]) - curve.x[0], -700.0, 700.0))
        found.append((rates[kept], np.maximum(weights[kept] * scale, 1e-300)))
    return found[::-1]
