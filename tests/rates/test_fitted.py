"""Laws that are fitted: they reproduce exact data and say what they cannot do."""

import numpy as np
import pytest

from motsim.rates import (
    CENSORED,
    MISSING,
    decide,
    fit_law,
)
from tests.rates.synthetic import curves, law_of

OFFSET, RATE = np.array([100.0, 250.0, 30.0]), np.array([7.0, 9.0, 12.0])
EPS = 10.0 ** -np.linspace(1.0, 6.0, 21)
FLOOR = EPS[-1] * np.array([0.3, 0.6, 0.9])
EXACT = [("log", 0.0), ("inverse", 1.0), ("power", 0.3), ("power", 0.5), ("power", 1.7)]
EXACT += [("floor", FLOOR)]


def exact_steps(law, shape, eps):
    """Write ``T = a + b h(eps)`` out for three curves."""
    eps = np.broadcast_to(eps, (3, len(eps)))
    if law in ("inverse", "power"):
        h = eps**-shape
    else:
        h = -np.log(eps - np.broadcast_to(shape, 3)[:, None])
    return OFFSET[:, None] + RATE[:, None] * h


@pytest.mark.parametrize("censored", [False, True])
@pytest.mark.parametrize(("law", "shape"), EXACT)
def test_fit_reproduces_and_extrapolates_exact_data(law, shape, censored):
    hits, budget = exact_steps(law, shape, EPS), None
    if censored:
        budget = hits[:, -1] * (1.0 - 1e-6)
        hits[:, -1] = CENSORED
    fit = fit_law(law, EPS, hits, budget)
    np.testing.assert_allclose(fit.offset, OFFSET, rtol=1e-4, atol=1e-3)
    np.testing.assert_allclose(fit.rate, RATE, rtol=1e-5)
    want = exact_steps(law, shape, EPS)
    np.testing.assert_allclose(fit.predict(EPS), want, rtol=1e-6)
    np.testing.assert_allclose(fit.median_curve(EPS), np.median(want, axis=0), rtol=1e-6)
    further = np.array([0.99, 0.95]) * EPS[-1] if law == "floor" else 10.0 ** -np.array([7.0, 9.0])
    np.testing.assert_allclose(fit.predict(further), exact_steps(law, shape, further), rtol=1e-6)
    if law in ("inverse", "power"):
        assert fit.exponent == pytest.approx(shape, rel=1e-7)
    else:
        assert fit.exponent is None
    if law == "floor":
        np.testing.assert_allclose(fit.floor, FLOOR, rtol=1e-6)
        assert np.all(fit.predict([FLOOR.min(), 1e-9]) == np.inf)
        assert np.all(fit.median_curve([1e-9]) == np.inf)
    else:
        assert fit.floor is None
    if law == "log":
        mean = np.exp(np.mean(np.log(RATE))) * np.log(10.0)
        assert fit.steps_per_decade == pytest.approx(mean, rel=1e-9)
    else:
        assert fit.steps_per_decade is None


def test_fit_of_the_wrong_law_neither_reproduces_nor_extrapolates():
    """Negative control: each law is far off on data of another."""
    far = np.array([1e-9])
    pairs = [("power", 0.5, "log"), ("power", 0.5, "floor")]
    for law, shape, wrong in [*pairs, ("log", 0.0, "inverse")]:
        fit = fit_law(wrong, EPS, exact_steps(law, shape, EPS))
        error = np.abs(fit.predict(EPS) / exact_steps(law, shape, EPS) - 1.0)
        beyond = np.abs(fit.predict(far) / exact_steps(law, shape, far) - 1.0)
        assert np.all(error.max(axis=1) > 1e-2)
        assert np.all(beyond > 0.2)


def test_a_power_fitted_to_a_logarithm_says_that_it_is_none():
    fit = fit_law("power", EPS, exact_steps("log", 0.0, EPS))
    assert fit.open_end == "p <= 0.001"
    assert fit_law("power", EPS, exact_steps("power", 0.5, EPS)).open_end == ""


@pytest.mark.parametrize("seed", range(5))
def test_fit_uses_the_space_of_decide(seed):
    eps, hits, _ = curves("log", seed)
    fit, d = fit_law("log", eps, hits), decide(eps, hits)
    last = np.append(np.diff(hits, axis=1) > 0, np.ones((len(hits), 1), dtype=bool), axis=1)
    residual = ((hits - fit.predict(eps)) / (fit.rate[:, None] * np.log(10.0)))[last]
    assert np.sqrt(np.mean(residual**2)) == pytest.approx(d.rms["log"], rel=1e-6)
    assert fit.steps_per_decade == pytest.approx(d.steps_per_decade, rel=1e-9)
    eps, hits, _ = curves("power", seed, p=0.5)
    d = decide(eps, hits)
    half_a_step = 0.0125  # decide looks on a grid of p, fit_law between its points
    assert fit_law("power", eps, hits).exponent == pytest.approx(d.exponent, abs=half_a_step)


@pytest.mark.parametrize("law", ["log", "inverse", "power", "floor"])
def test_fit_is_scale_free(law):
    eps, hits, budget = curves(**law_of(law), seed=1)
    base = fit_law(law, eps, hits, budget).predict(eps[:-6])
    scaled = np.where(hits == CENSORED, CENSORED, 1e3 * hits)
    fit = fit_law(law, 0.2 * eps, scaled, None if budget is None else 1e3 * budget)
    np.testing.assert_allclose(fit.predict(0.2 * eps[:-6]), 1e3 * base, rtol=1e-5)


def test_a_curve_that_cannot_be_fitted_is_nan_and_out_of_the_median():
    hits = exact_steps("log", 0.0, EPS)
    hits[1] = MISSING
    fit = fit_law("log", EPS, hits)
    assert np.isnan(fit.predict(EPS)[1]).all()
    np.testing.assert_allclose(fit.median_curve(EPS), hits[[0, 2]].mean(axis=0))
    shuffled = np.random.default_rng(0).permutation(EPS.size)
    again = fit_law("log", EPS[shuffled], hits[:, shuffled], eps_range=(1e-6, 1e-1))
    np.testing.assert_allclose(again.offset, fit.offset)


@pytest.mark.parametrize(
    ("law", "hits", "message"),
    [
        ("kink", [[1, 2, 3, 4]], "law must be"),
        ("log", [[1, 2, 3, -1]], "budget must be given"),
        ("log", [[1, 2, 3, 3]], "four distinct"),
    ],
)
def test_fit_refuses_bad_arguments(law, hits, message):
    with pytest.raises(ValueError, match=message):
        fit_law(law, [0.1, 0.01, 0.001, 0.0001], hits)


@pytest.mark.parametrize("bad", [[0.0], [[0.1]], [np.nan]])
def test_predict_refuses_bad_epsilons(bad):
    with pytest.raises(ValueError, match="positive and finite"):
        fit_law("log", EPS, exact_steps("log", 0.0, EPS)).predict(bad)
