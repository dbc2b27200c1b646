"""Shapes that other people's curves have, right by construction: each with its control."""

import numpy as np
import pytest

from motsim.rates import decide, fit_law, hitting_times, rate, supports
from tests.rates.exact_curves import exponential, frame, log_hits
from tests.rates.synthetic import (
    FACTORS,
    curves,
    grid,
    law_of,
    log_then_power,
    quadratic,
    wide_spectrum,
)

# --- exponents beyond the usual -------------------------------------------------------------------


@pytest.mark.parametrize("p", [0.3, 5.0, 6.6, 10.0])
def test_exponent_is_recovered(p):
    d = decide(grid(0.5, 6), 10.0 * FACTORS[:, None] * grid(0.5, 6) ** -p)
    assert d.law == "power"
    low, high = d.exponent_interval
    assert low < p < high
    assert high - low < 0.05 * p


def test_exponent_beyond_what_is_looked_at_is_an_open_end():
    eps = grid(0.5, 4)
    d = decide(eps, FACTORS[:, None] * eps**-60.0)
    assert d.exponent_interval[1] == np.inf
    assert "beyond what is looked at" in d.reason


def test_fitted_power_is_not_clamped():
    eps = grid(0.5, 6)
    fit = fit_law("power", eps, 10.0 * FACTORS[:, None] * eps**-0.05)
    assert fit.exponent == pytest.approx(0.05, rel=1e-6)
    assert fit_law("power", eps, FACTORS[:, None] * eps**-9.0).exponent == pytest.approx(9.0)
    assert fit_law("power", grid(0.5, 4), grid(0.5, 4)[None] ** -60.0).open_end == "p >= 39.4"


# --- regimes --------------------------------------------------------------------------------------


def test_second_term_of_a_sum_rules_below():
    eps = grid(0.5, 9)
    d = decide(eps, FACTORS[:, None] * (300.0 * np.log(1.0 / eps) + 0.05 / eps))
    assert d.law in ("inverse", "inconclusive")
    assert abs(d.exponent - 1.0) < 0.03 or "smaller half" in d.advice
    assert next(r.law for r in d.regimes) == "log"
    assert [r.law for r in d.regimes][-1] == "inverse"
    assert d.tried > 1


def test_descent_on_a_quadratic_is_logarithmic_below_its_transient():
    rng = np.random.default_rng(0)
    steps = np.arange(101)
    loss = quadratic(np.linspace(0.1, 1.0, 20), rng.normal(size=(5, 20)) ** 2, steps)
    found = rate(frame(steps, loss))
    assert found.law == "log"
    want = -np.log(10.0) / (2.0 * np.log(0.9))
    assert found.decision.steps_per_decade == pytest.approx(want, rel=0.05)
    assert found.decision.eps_range[1] < 1e-2


def test_stop_in_a_step_schedule_is_no_power():
    eps = grid(0.5, 7)
    times = FACTORS[:, None] * 2.0 / eps
    d = decide(eps, times + np.where(eps < 1e-4, 20_000.0, 0.0))
    assert "stop" in [r.law for r in d.regimes]
    assert d.law == "inconclusive" or d.eps_range[1] <= 1e-4
    control = decide(eps, times)
    assert (control.law, len(control.regimes)) == ("inverse", 1)


@pytest.mark.parametrize("name", ["log", "inverse", "power"])
def test_one_law_alone_is_one_regime(name):
    for seed in range(5):
        eps, hits, budget = curves(**law_of(name), seed=seed, n=6, decades=6.0)
        assert len(decide(eps, hits, budget).regimes) == 1


# --- what would decide it ------------------------------------------------------------------------


def test_newtons_method_has_too_few_steps():
    steps = np.arange(6)
    loss = FACTORS[:, None] * 0.3 ** (2.0**steps)
    found = rate(frame(steps, loss))
    assert "fewer than 6 distinct steps" in found.sentence
    assert found.advice
    leaps = rate(frame(np.arange(8), FACTORS[:, None] * 10.0 ** -(2.0 ** np.arange(8))))
    assert "each step passes over a decade" in leaps.sentence


def test_advice_knows_the_range_and_the_steps_already_taken():
    steps, loss = exponential()
    narrow = rate(frame(steps, loss), eps_range=(1e-2, 1.0))
    assert "state a wider range" in narrow.advice
    short = rate(frame(steps[:800], loss[:, :800]))
    step = float(short.advice.split("about step ")[1].split(" ")[0].replace(",", ""))
    assert step > 800
    alone = rate(loss[:1, :200].T)
    assert "2 more runs" in alone.advice
    assert "run to eps" in alone.advice


def test_intervals_are_wider_where_more_ranges_were_tried():
    eps = grid(0.5, 9)
    times = np.where(eps > 1e-3, 1 / eps, 1e3 + 200.0 * np.log10(1e-3 / eps))
    hits = FACTORS[:, None] * (1.0 + 0.02 * np.sin(np.arange(5.0)))[:, None] * times
    found, stated = decide(eps, hits), decide(eps, hits, eps_range=(1e-9, 1e-3))
    assert (found.tried, stated.tried) == (2, 1)
    assert np.diff(found.steps_per_decade_interval) > 1.1 * np.diff(
        stated.steps_per_decade_interval
    )


def test_every_inconclusive_says_what_would_decide_it():
    eps, hits = log_hits(1e9)
    steps, loss = exponential(steps=600)
    cases = [decide(eps, hits[:2]), decide(eps[:8], hits[:, :8]), decide(eps, hits, num_diverged=4)]
    cases += [rate(frame(steps, loss)).decision]
    for d in cases:
        assert d.law == "inconclusive"
        assert d.advice


# --- after first passage --------------------------------------------------------------------------


def test_rises_after_first_passage_are_told():
    steps, loss = exponential()
    loss[:3, -1] = 1e-3
    found = rate(frame(steps, loss))
    assert any("3 of 5 runs end above an eps that they had reached" in n for n in found.notes)
    assert not any("end above" in n for n in rate(frame(*exponential())).notes)


def test_bursts_are_reported_and_stay_below_is_another_law():
    steps, loss = exponential()
    loss[:, 3500] = 6e-5
    first = rate(frame(steps, loss))
    assert any("rises again, to 6e-05" in note for note in first.notes)
    stay = rate(frame(steps, loss), passage="stay")
    assert first.law == "log"
    times = stay.steps_to([1e-6])
    assert np.all(first.steps_to([1e-6]) < 3000)
    assert stay.passage == "stay"
    assert np.all(times > 3500)


# --- a sum of exponentials ------------------------------------------------------------------------


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize("condition", [100, 1000, 10_000])
@pytest.mark.parametrize("decades", [3, 4, 5])
def test_wide_spectrum_is_never_plainly_a_power(condition, decades, seed):
    steps, loss = wide_spectrum(condition, seed)
    eps = grid(0.25, decades + 0.25)
    d = decide(eps, hitting_times(loss, eps, steps), num_bootstrap=200)
    if d.law in ("power", "inverse"):
        assert d.rival.endswith("exponentials")
        assert "a power over this window: a sum of" in d.reason


@pytest.mark.parametrize("p", [1.0, 2.0])
def test_power_has_no_sum_of_exponentials_beside_it(p):
    eps = grid(0.25, 4.25)
    d = decide(eps, FACTORS[:, None] * (50.0 + 100.0 * eps**-p))
    assert (d.law, d.rival) == ("inverse" if p == 1.0 else "power", "")


# --- runs that decide otherwise -------------------------------------------------------------------


@pytest.mark.parametrize(("turned", "runs"), [(1, 4), (2, 10), (3, 10)])
def test_runs_that_decide_otherwise_are_named(turned, runs):
    d = decide(*log_then_power(turned, runs))
    assert d.law == "inconclusive"
    assert f"{runs - turned} of {runs} log, {turned} of {runs} power" in d.reason
    assert supports(d, "log") == "inconclusive"
    assert decide(*log_then_power(0, runs)).law == "log"


def test_runs_that_turn_late_are_named():
    eps, x = grid(0.5, 7.1), np.log(1.0 / grid(0.5, 7.1))
    turn = np.log(1.0 / 10.0**-5.4)
    size = 1.0 + 0.05 * np.arange(10.0)[:, None]
    times = size * np.exp(1.5 * x)
    late = np.exp(1.5 * turn) * (1.0 + 1.5 * np.maximum(x - turn, 0.0))
    times[:3] = np.where(x <= turn, times[:3], size[:3] * late)
    d = decide(eps, times)
    assert d.law == "inconclusive"
    assert "7 of 10 power, 3 of 10 log" in d.reason


def test_one_of_twenty_is_a_warning():
    d = decide(*log_then_power(1, 20))
    assert d.law == "log"
    assert "19 of 20 log, 1 of 20 power (run 0)" in d.warnings[-1]
