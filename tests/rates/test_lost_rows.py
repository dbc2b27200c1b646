"""F12: censored and lost rows are counted, and turn no decision."""

import numpy as np
import pytest

from motsim.rates import (
    CENSORED,
    MISSING,
    decide,
    supports,
)
from tests.rates.synthetic import WRONG, censor, curves, grid
from tests.rates.verdicts import wrong_verdicts


def lose_at_random(hits, budget, rng):
    return np.where(rng.random(hits.shape) < 0.2, MISSING, hits), budget


def lose_but_call_it_censored(hits, budget, rng):
    cut = np.where(rng.random(hits.shape) < 0.2, CENSORED, hits)
    return cut, 2.0 * hits.max() if budget is None else budget


def lose_the_slowest(hits, budget, rng):
    late = np.quantile(hits, 0.8)
    return np.where(hits > late, MISSING, hits), budget


def stop_early(hits, budget, rng):
    return censor(hits, 0.2)


LOST = [lose_at_random, lose_but_call_it_censored, lose_the_slowest]
CASES = [(name, alter) for name in ("log", "inverse") for alter in (*LOST, stop_early)]


@pytest.mark.parametrize(("name", "alter"), [*CASES, *(("floor", alter) for alter in LOST)])
@pytest.mark.parametrize("seeds", [10, pytest.param(1000, marks=pytest.mark.slow)])
def test_a_fifth_of_the_rows_lost(name, alter, seeds):
    count = wrong_verdicts(name, range(seeds), alter)
    assert sum(count[law] for law in WRONG[name]) <= 0.01 * seeds, dict(count)


def test_lost_and_censored_rows_are_counted():
    eps, hits, _ = curves("log", 1)
    hits[0, 3], hits[1, 5], hits[2, -1] = MISSING, CENSORED, CENSORED  # the second contradicts
    d = decide(eps, hits, hits.max())
    assert (d.num_missing, d.num_censored) == (2, 1)


@pytest.mark.parametrize("seed", range(5))
def test_budget_contradicts_the_log_law(seed):
    """Positive control: the same reached points are log with a tight budget, not with a long one.

    Dropping the censored eps would give ``log`` in both cases.
    """
    eps, hits, _ = curves("log", seed, n=8, decades=7.0)
    cut = np.where(eps < 1.1e-6, CENSORED, hits)
    reached = cut.max(axis=1)
    assert decide(eps, cut, reached + 1).law == "log"
    assert decide(eps[cut[0] > 0], cut[:, cut[0] > 0]).law == "log"
    # told, not seen: the curves still fall at their last hit
    told = decide(eps, cut, 20 * reached)
    assert told.law == "log", told.reason
    assert "Nothing shows that the runs were watched" in told.warnings[0]
    d = decide(eps, cut, 20 * reached, watched=20 * reached)
    assert supports(d, "log") != "holds", d.reason
    assert d.law == "floor", d.reason
    assert d.floor == pytest.approx(1e-6, rel=0.5)


@pytest.mark.parametrize("stopped", [1, 2, 3])
def test_a_few_runs_that_stop_are_counted_apart(stopped):
    """30 logarithmic runs over 3.5 decades, `stopped` of which stand still from 1e-9 on."""
    eps = grid(7.5, 11)
    size = 1.0 + 0.02 * np.arange(30)[:, None]
    hits = 31.0 * size * np.log10(1.0 / eps) - 230.0
    hits[:stopped, eps < 0.9e-9] = CENSORED
    found = decide(eps, hits, 5000.0, watched=5000.0)
    assert found.law == "log"
    assert found.num_set_aside == stopped
    assert found.by_law == {"log": 30 - stopped, "floor": stopped}
    assert f"{stopped} of 30 floor" in " ".join(found.warnings)
    # control: more than a tenth of them is no minority
    hits[:9, eps < 0.9e-9] = CENSORED
    many = decide(eps, hits, 5000.0, watched=5000.0)
    assert many.law == "inconclusive"
    assert many.num_set_aside == 0
