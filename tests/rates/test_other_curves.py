"""Shapes that other people's curves have, right by construction: each with its control."""

import numpy as np
import pandas as pd
import pytest

from motsim.rates import CENSORED, decide, fit_law, hitting_times, rate, supports
from tests.rates.synthetic import (
    FACTORS,
    floored_power,
    grid,
    log_then_power,
    quadratic,
    wide_spectrum,
)


def frame(steps, losses):
    """Put curves into a wide table."""
    return pd.DataFrame({f"run {k}": loss for k, loss in enumerate(losses)}, index=steps)


def exponential(per_decade=300.0, steps=4000):
    t = np.arange(1, steps + 1)
    return t, np.exp(-np.log(10.0) * t / (per_decade * FACTORS[:, None]))


# --- 1: a floor taken from the same run -----------------------------------------------------------


def square_root():
    steps = np.unique(np.geomspace(1.0, 2e5, 4000))
    return steps, 2.0 + FACTORS[:, None] * steps**-0.5


def test_no_law_where_each_runs_own_minimum_was_subtracted():
    steps, loss = square_root()
    own = loss - loss.min(axis=1, keepdims=True)
    eps = grid(0.5, 6)
    d = decide(eps, hitting_times(own, eps, steps), steps[-1])
    assert d.law == "inconclusive"
    assert "the floor was taken from the same run" in d.reason
    found = rate(frame(steps, own))
    assert found.law == "inconclusive"
    assert "its own minimum was subtracted, or it reached 0 in one step" in found.sentence


def test_true_floor_leaves_two_decades():
    steps, loss = square_root()
    d = decide(grid(0.5, 6), hitting_times(loss - 2.0, grid(0.5, 6), steps), steps[-1])
    assert (d.law, round(d.decades, 2)) == ("inconclusive", 2.0)
    assert "decades" in rate(frame(steps, loss), floor=2.0).sentence


# --- 2: exponents beyond the usual ----------------------------------------------------------------


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


# --- 3, 18: budgets -------------------------------------------------------------------------------


def log_hits(budget=5000.0):
    eps = grid(0.5, 9)
    times = FACTORS[:, None] * (50.0 + 300.0 * np.log(1.0 / eps))
    return eps, np.where(times > budget, CENSORED, times)


@pytest.mark.parametrize("told", [10_000, 20_000])
def test_budget_that_nothing_supports_is_a_warning(told):
    eps, hits = log_hits()
    d = decide(eps, hits, told)
    assert d.law == "log"
    assert "Nothing shows that the runs were watched beyond step" in d.warnings[0]
    assert decide(eps, hits, 5000).warnings == ()
    # control: the runs were seen to stand still
    assert decide(eps, hits, told, watched=told).law == "floor"


@pytest.mark.parametrize("factor", [2, 10])
def test_steep_powers_cut_short_are_no_floors_whatever_budget_is_told(factor):
    from tests.rates.synthetic import as_hits

    for seed in range(920_000, 920_008):
        rng = np.random.default_rng([seed])
        eps, hits, _ = as_hits(rng, 2.0, least=4.0, most=6.0, n=5)
        end = np.ceil(np.quantile(hits, 0.85))
        d = decide(eps, np.where(hits > end, CENSORED, hits), factor * end, num_bootstrap=100)
        assert d.law in ("power", "inconclusive"), (seed, d.reason)


@pytest.mark.parametrize("level", [1e-4, 1e-5])
def test_plateau_is_stopped_within_this_budget(level):
    steps, loss = exponential(steps=5000)
    found = rate(frame(steps, loss + level * FACTORS[:, None]))
    assert found.law == "floor"
    assert "stopped within this budget" in found.sentence
    assert "a plateau that ends later looks the same" in found.sentence
    assert rate(frame(steps, loss)).law == "log"


# --- 4: diverged, or not logged -------------------------------------------------------------------


def test_nan_to_the_end_is_diverged():
    steps, loss = exponential()
    loss[:, 400:] = np.nan
    found = rate(frame(steps, loss))
    assert found.law == "inconclusive"
    assert "5 runs diverged" in found.decision.reason
    assert found.decision.num_diverged == 5


def test_one_of_five_diverged_is_counted_and_left_out():
    steps, loss = exponential()
    loss[2, 400:] = np.nan
    found = rate(frame(steps, loss))
    assert (found.law, found.decision.num_diverged, found.decision.num_used) == ("log", 1, 4)
    assert any("1 of 5 runs diverged (first at step 401)" in note for note in found.notes)


def test_infinity_is_diverged_even_if_numbers_follow():
    steps, loss = exponential()
    loss[:, 400] = np.inf
    assert rate(frame(steps, loss)).decision.num_diverged == 5


def test_nan_where_a_column_was_not_logged_is_dropped():
    steps, loss = exponential()
    sparse = np.where(steps % 10 == 0, loss, np.nan)
    found = rate(frame(steps, sparse))
    assert (found.law, found.decision.num_diverged) == ("log", 0)
    assert found.decision.steps_per_decade == pytest.approx(
        rate(frame(steps, loss)).decision.steps_per_decade, rel=1e-6
    )
    assert any("not logged" in note for note in found.notes)


def test_rows_of_negative_steps_are_counted():
    steps, loss = exponential()
    found = rate(frame(steps - 20, loss))
    text = "The step is negative in 95 rows of 5 of 5 runs: no T is read off there."
    assert text in found.notes
    assert min(float(c.times[0]) for c in found.curves) > 0.0
    assert not any("negative" in note for note in rate(frame(steps, loss)).notes)


# --- 5: exact zeros -------------------------------------------------------------------------------


def test_zeros_are_named_and_no_eps_is_read_off_them():
    steps = np.unique(np.geomspace(1.0, 1e5, 2000).round())
    loss = FACTORS[:, None] * 10.0 / steps
    loss[1, steps >= 30_000] = 0.0
    found = rate(frame(steps, loss))
    assert any("exactly 0 in 1 of 5 runs (first at step" in note for note in found.notes)
    assert found.law == "inverse"
    smallest = min(float(np.exp(-c.x[-1])) for c in found.curves)
    assert smallest > 5e-5  # the last losses are 1e-4
    eps = grid(0.5, 6)
    jump = decide(eps, hitting_times(loss, eps, steps), steps[-1])
    assert jump.decades < 4.5  # the zero passes ten eps in one step: one observation


# --- 6, 15: a power towards a floor ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("floor", "p", "budget"), [(1e-4, 1.0, 1e7), (1e-4, 2.0, 1e9), (3e-4, 0.5, 1e5)]
)
def test_power_towards_a_floor(floor, p, budget):
    d = decide(*floored_power(floor, p, budget))
    if d.law == "inconclusive":  # three decades are not there at 3e-4
        assert "decades" in d.reason
        assert "running on does not help" in d.advice
        return
    low, high = d.exponent_interval
    assert d.law == "floor"
    assert low < p < high
    assert high - low < 0.1
    assert d.floor == pytest.approx(floor, rel=0.3)


@pytest.mark.parametrize("budget", [1e5, 1e6, 1e8])
def test_exponent_does_not_depend_on_idle_budget(budget):
    eps = grid(0.5, 6)
    gap = eps - 2e-5
    times = np.where(gap > 0, 1.0 / np.where(gap > 0, gap, 1.0), np.inf)
    times = np.ceil(times) * (1.0 + 1e-3 * np.arange(5)[:, None])
    d = decide(eps, np.where(times > budget, CENSORED, times), budget)
    assert d.law == "floor"
    assert d.exponent_interval[0] < 1.0 < d.exponent_interval[1]
    steps = np.unique(np.geomspace(1.0, 1e8, 4000).round())
    loss = FACTORS[:, None] / steps + 2e-5
    assert "1/eps towards a floor" in rate(frame(steps, loss)).sentence
    # not yet levelled off, at 1.3 times the floor: a floor fits better, but no run has stopped
    early = rate(frame(steps[steps < 1.6e5], loss[:, steps < 1.6e5]))
    assert early.law == "inconclusive"
    assert "floor law fits better" in early.sentence


# --- 7, 9, 17: regimes ----------------------------------------------------------------------------


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
    from tests.rates.synthetic import curves, law_of

    for seed in range(5):
        eps, hits, budget = curves(**law_of(name), seed=seed, n=6, decades=6.0)
        assert len(decide(eps, hits, budget).regimes) == 1


# --- 8: copies ------------------------------------------------------------------------------------


@pytest.mark.parametrize("copies", [3, 8])
def test_copies_are_one_run(copies):
    steps, loss = exponential()
    found = rate(frame(steps, loss[[0] * copies]))
    assert found.law == "inconclusive"
    assert "1 distinct run" in found.decision.reason
    assert f"{copies - 1} of {copies} runs are copies" in found.decision.warnings[0]
    eps, hits = log_hits(1e9)
    assert "1 distinct run" in decide(eps, hits[[1] * copies]).reason


def test_no_interval_has_width_zero():
    eps, hits = log_hits(1e9)
    d = decide(eps, np.concatenate([hits, hits[:2] * (1 + 1e-12)]))
    assert d.exponent_interval[0] < d.exponent < d.exponent_interval[1]
    low, high = d.steps_per_decade_interval
    assert low < d.steps_per_decade < high


# --- 10, 11: the grid comes from the data, steps are numbers --------------------------------------


def test_three_decades_are_three_decades():
    steps = np.arange(1, 1001)
    found = rate(frame(steps, FACTORS[:, None] / steps))
    assert found.decision.decades == pytest.approx(3.0, abs=1e-9)
    assert found.law == "inverse"


def test_steps_are_numbers_as_they_are():
    np.testing.assert_array_equal(
        hitting_times([1.0, 0.5, 0.1], [0.5, 0.1], [0.5, 1.5, 2.7]), [1.5, 2.7]
    )
    assert hitting_times([1.0, 0.1], [0.1], [1e18, 1e20])[0] == 1e20
    assert hitting_times([1.0, 0.1], [0.1], [1, 2]).dtype == np.int64
    steps, loss = exponential()
    whole, scaled = rate(frame(steps, loss)), rate(frame(steps * 1e17, loss))
    assert scaled.decision.steps_per_decade == pytest.approx(1e17 * whole.decision.steps_per_decade)


@pytest.mark.parametrize(
    ("steps", "message"),
    [([0.0, 1.0, 1.0], "row 2 is 1 after 1"), ([0.0, np.nan, 2.0], "row 1 is nan")],
)
def test_bad_steps_are_named_by_row(steps, message):
    with pytest.raises(ValueError, match=message):
        hitting_times([3.0, 2.0, 1.0], [1.0], steps)


# --- 9 again: the true reason ---------------------------------------------------------------------


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


def test_a_run_that_rises_at_its_end_did_not_stop():
    steps, loss = exponential()
    loss[:3, -100:] *= 1e4
    found = rate(frame(steps, loss))
    assert found.law == "log"
    assert any("end above" in note for note in found.notes)


def test_every_inconclusive_says_what_would_decide_it():
    eps, hits = log_hits(1e9)
    steps, loss = exponential(steps=600)
    cases = [decide(eps, hits[:2]), decide(eps[:8], hits[:, :8]), decide(eps, hits, num_diverged=4)]
    cases += [rate(frame(steps, loss)).decision]
    for d in cases:
        assert d.law == "inconclusive"
        assert d.advice


# --- 13, 19: after first passage ------------------------------------------------------------------


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


# --- 14: a sum of exponentials --------------------------------------------------------------------


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


# --- 16: runs that decide otherwise ---------------------------------------------------------------


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


# --- what a referee found later -------------------------------------------------------------------


def turning(eps, decades, p):
    """Logarithmic over the first decades, then a power with exponent p; nothing is censored."""
    x, turn = np.log(eps[0] / eps), decades * np.log(10.0)
    late = np.expm1(p * np.maximum(x - turn, 0.0)) / p
    return 300.0 * FACTORS[:, None] * (1.0 + np.where(x < turn, x, turn + late))


@pytest.mark.parametrize(("most", "decades", "p"), [(4, 3, 1.0), (5.5, 4, 1.0), (6, 4.5, 2.0)])
def test_curves_that_bend_but_never_stop_are_no_floor(most, decades, p):
    eps = grid(0.5, most)
    hits = turning(eps, decades, p)
    assert decide(eps, hits).law == "inconclusive"
    # control: the same runs, which then stand still for long
    below = np.concatenate([eps, eps[-1] * 10.0 ** -np.arange(0.25, 2.01, 0.25)])
    stopped = np.concatenate([hits, np.full((5, 8), CENSORED)], axis=1)
    budget = 100.0 * hits.max()
    assert decide(below, stopped, budget, watched=budget).law != "log"


@pytest.mark.parametrize(("runs", "stops"), [(10, 0), (10, 1), (20, 2)])
def test_runs_that_stop_do_not_hide_an_end_at_a_finite_step(runs, stops):
    eps = grid(0.5, 6.5)
    x, turn = np.log(eps[0] / eps), 4.0 * np.log(10.0)
    size = (1.0 + 0.03 * np.arange(runs))[:, None]
    late = turn + 1.0 - np.exp(-np.maximum(x - turn, 0.0))
    hits = 300.0 * size * (1.0 + np.where(x < turn, x, late))
    budget = 2.0 * hits.max()
    hits[:stops, eps < 1e-3] = CENSORED
    assert decide(eps, hits, budget, watched=budget).law == "inconclusive"
    # control: a logarithm all the way, with as many stops
    hits = 300.0 * size * (1.0 + x)
    hits[:stops, eps < 1e-3] = CENSORED
    assert decide(eps, hits, budget, watched=budget).law == "log"


@pytest.mark.parametrize("other", [0.0, 1e-13])
def test_one_curve_cut_at_several_lengths_is_one_run(other):
    steps = np.arange(1, 600)
    loss = np.exp(-0.02 * steps)
    table = pd.concat(
        pd.DataFrame(
            {"run": i, "step": steps[: 599 - i], "loss": loss[: 599 - i] * (1 + other * i)}
        )
        for i in range(5)
    )
    found = rate(table)
    assert found.law == "inconclusive"
    assert "1 distinct run" in found.sentence
    # control: as many curves of their own, cut in the same way
    own = table.assign(loss=table["loss"] ** (1.0 + 0.02 * table["run"]))
    assert rate(own).law == "log"


@pytest.mark.parametrize("unit", [1e-12, 1e-7, 1.0, 5.24e8, 1e18, 1e290])
def test_numbers_of_the_answer_are_short_whatever_the_unit_of_a_step(unit):
    steps = np.arange(1, 600)
    loss = np.exp(-0.02 * FACTORS[:, None] * steps)
    table = pd.DataFrame(loss.T).assign(hour=steps * unit).melt("hour", var_name="run")
    found = rate(table, step="hour", loss="value")
    numbers = found.sentence.split(": ")[1].split(" per decade")[0]
    assert len(numbers) < 45
    value, low, high = (float(word.strip("[],")) for word in numbers.removesuffix(" hours").split())
    assert 0.0 < low < value < high
    assert value == pytest.approx(found.decision.steps_per_decade, rel=0.05)
