"""Floors, plateaus, budgets: when runs stopped, and when they were cut; each with its control."""

import numpy as np
import pytest

from motsim.rates import CENSORED, decide, hitting_times, rate
from tests.rates.cases import as_hits
from tests.rates.exact_curves import exponential, frame, log_hits
from tests.rates.synthetic import (
    FACTORS,
    floored_power,
    grid,
)

# --- a floor taken from the same run --------------------------------------------------------------


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


# --- a power towards a floor ----------------------------------------------------------------------


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


def test_a_run_that_rises_at_its_end_did_not_stop():
    steps, loss = exponential()
    loss[:3, -100:] *= 1e4
    found = rate(frame(steps, loss))
    assert found.law == "log"
    assert any("end above" in note for note in found.notes)


# --- curves that bend, runs that stop -------------------------------------------------------------


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


@pytest.mark.parametrize(
    ("total", "stops", "law"),
    [(60, 8, "log"), (60, 14, "inconclusive"), (20, 2, "log"), (20, 3, "inconclusive")],
)
def test_a_few_runs_that_stop_leave_the_law_to_the_others(total, stops, law):
    """A tenth of few runs; of many, a share that is surely less than a third."""
    epsilons = np.logspace(-1, -7, 25)
    noise = np.random.default_rng(0).normal(0.0, 2.0, (total, 25))
    hits = np.rint(100 - 50 * np.log10(epsilons) + np.sort(noise, axis=1)).astype(int)
    hits[:stops, epsilons < 1e-5] = CENSORED
    decision = decide(epsilons, hits, 5_000, watched=5_000)
    assert decision.law == law
    assert f"{stops} of {total}" in f"{decision.reason} {decision.warnings}"  # said in either case
