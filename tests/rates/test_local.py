"""Local exponents and their limit: right by construction, each with its control."""

import numpy as np
import pytest

from motsim.rates import limit_exponent, local_exponents
from tests.rates.synthetic import FACTORS, grid

EPS = grid(1, 12)
X = np.log(1.0 / EPS)
ALL = FACTORS[:, None]
SIX = np.linspace(0.5, 2.0, 8)[:, None]


def at(found, values, eps):
    return values[:, np.abs(np.log(found.epsilons / eps)).argmin()]


@pytest.mark.parametrize("p", [0.4, 1.0, 2.0])
def test_a_power_has_one_exponent_everywhere(p):
    found = local_exponents(EPS, ALL * EPS**-p)
    assert found.exponents.shape == (5, found.epsilons.size)
    np.testing.assert_allclose(found.exponents, p, rtol=1e-10)
    assert np.ptp(np.log(found.steps_per_decade)) > 1.0  # control: no logarithm


def test_a_logarithm_has_the_same_steps_in_every_decade():
    found = local_exponents(EPS, ALL * X / np.log(10.0) * 50.0, decades=0.5)
    np.testing.assert_allclose(found.steps_per_decade, 50.0 * ALL + 0 * found.exponents, rtol=3e-3)
    assert np.ptp(found.exponents[0]) > 0.3  # control: no power; p = 1 / log(1/eps)


def test_a_kink_and_a_stop_are_where_they_are():
    log = 50.0 * X
    kink = np.where(EPS > 1e-6, log, log + 20.0 * ((1e-6 / EPS) ** 0.9 - 1.0))
    found = local_exponents(EPS, ALL * kink)
    assert (at(found, found.exponents, 1e-4) < 0.2).all()
    assert at(found, found.exponents, 1e-11) == pytest.approx(0.9, abs=0.01)
    stop = local_exponents(EPS, ALL * np.where(EPS > 1e-6, log, log + 1e8))
    assert (at(stop, stop.exponents, 1e-6) > 4.0).all()
    assert (at(stop, stop.exponents, 1e-9) < 0.01).all()
    # what a run did not reach is no number
    found = local_exponents(EPS, np.where(EPS > 1e-6, log, -1.0)[None])
    assert np.isfinite(at(found, found.exponents, 1e-5)).all()
    assert np.isnan(at(found, found.exponents, 1e-6)).all()


def test_an_exponent_that_rises_to_one():
    """As of the logistic loss: p(eps) = 1 - (4/3) / log(1/eps), and its limit."""
    times = SIX / EPS * X ** (-4.0 / 3.0)
    found = local_exponents(EPS, times)
    want = 1.0 - 4.0 / 3.0 / np.log(1.0 / found.epsilons)
    assert np.abs(found.exponents - want)[:, found.epsilons < 1e-4].max() < 2e-3
    assert at(found, found.exponents, 1e-11) == pytest.approx(0.947, abs=0.002)
    value, low, high = limit_exponent(EPS, times)
    assert value == pytest.approx(1.0, abs=1e-9)
    assert low <= value <= high
    # control: a power less than one stays one
    value, low, high = limit_exponent(EPS, SIX * EPS**-0.95)
    assert value == pytest.approx(0.95, abs=1e-9)
    assert high < 0.96


def test_what_the_form_leaves_out_widens_the_interval():
    """A transient 1 + 5/log(1/eps): the limit is off, and its interval says by how much."""
    times = SIX / EPS * X ** (-4.0 / 3.0) * (1.0 + 5.0 / X)
    value, low, high = limit_exponent(EPS, times)
    assert value != pytest.approx(1.0, abs=1e-3)
    assert low < 1.0 < high
    # control: without the difference of both halves it would not hold the truth
    alone = limit_exponent(EPS, times, (EPS[-1], EPS[len(EPS) // 2]))
    assert np.isnan(alone[0])  # less than six decades: no extrapolation
    assert high - low > 2.0 * abs(value - 1.0)


def test_the_limit_is_covered_seeds_from_950000():
    """Curves that wander by a tenth: at least 93 % of 200 intervals hold the limit."""
    inside = 0
    for seed in range(950_000, 950_200):
        rng = np.random.default_rng(seed)
        wander = np.exp(0.02 * rng.standard_normal((8, EPS.size)).cumsum(axis=1))
        _, low, high = limit_exponent(EPS, SIX / EPS * X ** (-4.0 / 3.0) * wander)
        inside += low <= 1.0 <= high
    assert inside >= 186


def test_band_is_of_order_statistics():
    times = np.linspace(1.0, 2.0, 7)[:, None] * EPS ** -np.linspace(0.7, 1.3, 7)[:, None]
    value, low, high = local_exponents(EPS, times).band()
    assert (value[0], low[0], high[0]) == pytest.approx((1.0, 0.7, 1.3))
    steps = local_exponents(EPS, times).steps_band()
    assert (steps[1] <= steps[0]).all()
    few = local_exponents(EPS, times[:5]).band()
    assert np.isnan(few[1]).all()  # no order statistics of five runs hold 95 %


@pytest.mark.parametrize("decades", [0.0, -1.0, np.inf, np.nan])
def test_bad_arguments_are_refused_in_one_line(decades):
    with pytest.raises(ValueError, match="decades must be finite and > 0; got"):
        local_exponents(EPS, ALL * X, decades=decades)
    for function in (local_exponents, limit_exponent):
        with pytest.raises(ValueError, match=r"epsilons \(E,\) must fall"):
            function(EPS[::-1], ALL * X)
