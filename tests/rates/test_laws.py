"""Hitting times, and the laws of curves computed by hand and measured."""

import numpy as np
import pytest

from motsim.rates import (
    CENSORED,
    LAWS,
    decide,
    hitting_times,
    supports,
)

# --- hitting times ------------------------------------------------------------------------------


def test_hitting_times_by_hand():
    loss = [[1.0, 0.5, 0.2, 0.3, 0.05], [1.0, 0.9, np.nan, 0.0, 0.0]]
    np.testing.assert_array_equal(
        hitting_times(loss, [1.0, 0.5, 0.2, 0.1, 0.01]),
        [[0, 1, 2, 4, -1], [0, -1, -1, -1, -1]],
    )
    np.testing.assert_array_equal(
        hitting_times(loss[0], [0.5, 0.01], steps=[0, 10, 20, 30, 40]), [10, -1]
    )


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_hitting_times_stop_at_the_first_non_finite_value(bad):
    assert hitting_times([1.0, bad, 0.0], [0.5])[0] == CENSORED


def test_hitting_times_refuses_bad_steps():
    with pytest.raises(ValueError, match="steps must be increasing"):
        hitting_times([1.0, 0.1], [0.5], steps=[3, 3])


# --- hand-computed curves -----------------------------------------------------------------------


def test_exact_log_law():
    eps = 10.0 ** -np.arange(1.0, 9.0)
    hits = np.array([[100.0], [200.0], [300.0]]) + 50.0 * np.arange(8)
    d = decide(eps, hits)
    assert (d.law, d.decades, d.num_curves, d.num_censored) == ("log", pytest.approx(7.0), 3, 0)
    assert d.steps_per_decade == pytest.approx(50.0, rel=1e-9)
    assert d.exponent == pytest.approx(0.0, abs=2e-3)
    assert d.rms["log"] < 1e-9
    assert [supports(d, law) for law in ("log", "inverse", "power", "floor")] == [
        "holds",
        "fails",
        "fails",
        "fails",
    ]


@pytest.mark.parametrize("p", [0.5, 1.0, 2.0])
def test_exact_power_law(p):
    eps = 10.0 ** -np.linspace(1.0, 5.0, 17)
    hits = np.array([[100.0], [200.0], [300.0]]) + 7.0 * eps**-p
    d = decide(eps, hits)
    assert d.law == ("inverse" if p == 1.0 else "power")
    assert d.exponent == pytest.approx(p, abs=5e-3)
    assert supports(d, "power") == "holds"
    assert supports(d, "log") == "fails"


@pytest.mark.parametrize("name", ["log", "inverse", "power", "floor"])
def test_design_gives_the_formula(name):
    shape = {"power": 0.5, "floor": 0.005}.get(name, 0.0)
    want = {"log": np.log(100.0), "inverse": 100.0, "power": 10.0, "floor": np.log(200.0)}[name]
    np.testing.assert_allclose(LAWS[name].design([0.01], shape), [[1.0, want]])


# --- measured curves ----------------------------------------------------------------------------


def measured(decades, steps, n, seed, offset=0.0):
    """Interpolate a measured curve to 5 points a decade, with seeds that differ by 10 %."""
    rng = np.random.default_rng(seed)
    grid = np.arange(decades[0], decades[-1] + 1e-9, 0.2)
    logs = np.interp(grid, decades, np.log(np.asarray(steps) - offset))
    return 10.0**-grid, np.ceil(offset + np.exp(logs + 0.1 * rng.normal(size=(n, 1))))


@pytest.mark.parametrize("seed", range(5))
def test_mot_linear_preset_is_at_most_logarithmic(seed):
    x, t = [1.0, 4.0, 8.0, 13.0], [491.0, 933.0, 1526.0, 1694.0]
    d = decide(*measured(x, t, 6, seed))
    assert d.law == "log", d.reason
    assert d.exponent < 0


@pytest.mark.parametrize("seed", range(5))
def test_mot_cubic_preset_with_a_plateau_before(seed):
    rng = np.random.default_rng(seed)
    x = np.arange(1.0, 10.01, 0.25)
    t = np.where(x < 2.0, 300.0 + 100.0 * x, 2300.0 + 50.0 * (x - 2.0))
    d = decide(10.0**-x, np.ceil(t * np.exp(0.05 * rng.normal(size=(6, 1)))))
    assert d.law == "log", d.reason


@pytest.mark.parametrize("seed", range(5))
def test_single_is_powers_one_after_the_other(seed):
    """Exponent 1.3 above 1e-4, 0.9 below: no single power over 3.6 decades, and no logarithm."""
    x = [2.0, 3.0, 4.0, 5.0, 5.7]
    d = decide(*measured(x, [11808.0, 12085.0, 18052.0, 60794.0, 200000.0], 6, seed, 11790.0))
    assert d.law == "inconclusive", d.reason
    assert "regimes" in d.reason
    assert {r.law for r in d.regimes} <= {"power", "inverse"}
    assert d.regimes[0].exponent > 1.15 > 0.95 > d.regimes[-1].exponent


@pytest.mark.parametrize("ratio", [0.5, 2.0])
@pytest.mark.parametrize("seed", range(3))
def test_log_with_one_change_of_rate_is_never_a_power(seed, ratio):
    rng = np.random.default_rng(seed)
    x = np.arange(1.0, 9.01, 0.25)
    t = 500.0 + 50.0 * (x + (ratio - 1.0) * np.maximum(x - 5.0, 0.0))
    d = decide(10.0**-x, np.ceil(t * np.exp(0.1 * rng.normal(size=(6, 1)))))
    assert d.law in (("log",) if ratio < 1 else ("log", "inconclusive")), d.reason
