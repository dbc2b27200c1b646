"""How deep a logarithm goes: right by construction, one entry a run."""

import numpy as np
import pytest

from motsim.rates import log_depth
from tests.rates.synthetic import FACTORS, grid

EPS = grid(1, 16)
X = np.log10(1.0 / EPS)


def log_then(x, end, after):
    """50 steps a decade down to 10^-end, then `after` (steps from there, a decade below)."""
    return 50.0 * np.minimum(x, end) + np.where(x > end, after(np.maximum(x - end, 0.0)), 0.0)


def test_a_logarithm_is_kept_to_the_end_of_what_was_looked_at():
    found = log_depth(EPS, FACTORS[:, None] * 50.0 * X, 1e9)
    assert found.num_kept == 5
    assert found.eps_low == pytest.approx([EPS[-1]] * 5)
    assert found.steps_per_decade == pytest.approx(50.0 * FACTORS)
    assert not found.ended.any()


@pytest.mark.parametrize("end", [5.0, 9.25, 12.0])
def test_a_stop_a_power_and_a_slower_logarithm_end_it(end):
    laws = {
        "stop": lambda u: np.where(u > 0, 1e8, 0.0),
        "power": lambda u: 50.0 / np.log(10) * np.expm1(np.log(10) * u),
        "slower log": lambda u: 1e5 * u,
    }
    times = np.stack([log_then(X, end, law) for law in laws.values()])
    found = log_depth(EPS, times, 1e12)
    assert found.ended.all()
    assert found.num_kept == 0
    # a power leaves the factor three only after a while
    late = np.log10(found.eps_low * 10.0**end)
    assert late[0] == pytest.approx(0.0, abs=1e-6)
    assert -1.0 < late[1] <= 0.0
    assert late[2] == pytest.approx(0.0, abs=1e-6)
    assert found.growth[0] == pytest.approx(1e8 / (50 * end), rel=0.05)
    assert found.growth[2] == pytest.approx(1e5 / (50 * end), rel=0.05)


def test_control_one_power_alone_has_no_logarithm():
    found = log_depth(EPS, FACTORS[:, None] * EPS**-0.5, 1e12)
    assert found.num_kept == 0
    assert np.isinf(found.eps_low).all()
    assert found.median()[0] == np.inf


def test_a_run_that_ends_its_budget_has_not_ended_its_logarithm():
    times = np.where(50.0 * X <= 500.0, 50.0 * X, -1.0)[None]
    short, long = (log_depth(EPS, times, budget) for budget in (510.0, 5000.0))
    assert not short.ended[0]
    assert long.ended[0]  # control: it had the time, and stood still
    assert short.eps_low == long.eps_low == pytest.approx([1e-10])


def test_whole_steps_and_a_start_below_the_first_eps_do_not_matter():
    """Four steps a decade: one a quarter, now and then none; reached at once down to 1e-5."""
    times = np.round(np.maximum(4.3 * (X - 5.0), 0.0))[None]
    found = log_depth(EPS, times, 1e6)
    assert found.num_kept == 1
    assert found.eps_high[0] == pytest.approx(1e-5, rel=1.0)
    assert found.steps_per_decade[0] == pytest.approx(4.0, abs=1.0)


def test_the_last_logarithm_is_another_one():
    """50 steps a decade, a stop at 1e-7, then 1e5 a decade to the end."""
    times = log_then(X, 7.0, lambda u: np.where(u > 0, 1e7 + 1e5 * u, 0.0))[None]
    first, last = (log_depth(EPS, times, 1e12, last=last) for last in (False, True))
    assert first.eps_low == pytest.approx([1e-7])
    assert last.num_kept == 1
    assert last.eps_high[0] == pytest.approx(1e-7, rel=1.0)
    assert last.steps_per_decade == pytest.approx([1e5])
    # control: a power has none
    assert log_depth(EPS, EPS[None] ** -0.5, 1e12, last=True).num_kept == 0


def test_median_is_of_order_statistics():
    ends = np.array([4.0, 6.0, 7.0, 8.0, 9.0, 10.0, 11.0])
    times = np.stack([log_then(X, e, lambda u: np.where(u > 0, 1e8, 0.0)) for e in ends])
    value, low, high = log_depth(EPS, times, 1e12).median()
    assert (value, low, high) == pytest.approx((1e-8, 1e-11, 1e-4), rel=1e-6)
    few = log_depth(EPS, times[:5], 1e12).median()
    assert np.isnan(few[1:]).all()  # no order statistics of five runs hold 95 %


def test_coverage_of_the_median_seeds_from_940000():
    """94 to 98 % for 12 runs whose logarithms end at log-normal eps; true median 1e-8."""
    inside, sets = 0, 400
    for seed in range(940_000, 940_000 + sets):
        ends = np.random.default_rng(seed).normal(8.0, 1.0, 12)
        # the look is a quarter of a decade coarse: compare with the eps looked at
        ends = np.round(ends * 4) / 4
        times = np.stack([log_then(X, e, lambda u: np.where(u > 0, 1e8, 0.0)) for e in ends])
        _, low, high = log_depth(EPS, times, 1e12).median()
        inside += low * 0.99 <= 1e-8 <= high * 1.01
    assert 0.93 <= inside / sets <= 1.0


def test_bad_shapes_are_refused_in_one_line():
    with pytest.raises(ValueError, match=r"epsilons \(E,\) must fall"):
        log_depth(EPS[::-1], np.ones((2, EPS.size)), 10)
    with pytest.raises(ValueError, match="got shapes"):
        log_depth(EPS, np.ones(EPS.size), 10)


def test_no_runs_have_no_median():
    found = log_depth(EPS, np.ones((0, EPS.size)), 10)
    assert found.num_kept == 0
    assert np.isnan(found.median()).all()
