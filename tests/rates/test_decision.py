"""Rate decisions: negative controls, scale invariance, what is refused."""

from collections import Counter

import numpy as np
import pytest

from motsim.rates import (
    CENSORED,
    RateDecision,
    decide,
    supports,
)
from tests.rates.synthetic import WRONG, curves, law_of
from tests.rates.verdicts import wrong_verdicts


def check_rates(name, count):
    total = sum(count.values()) - count["right claim fails"]
    bad = sum(count[law] for law in WRONG[name])
    assert bad <= 0.01 * total, f"{name}: {dict(count)}"
    assert count["right claim fails"] <= 0.01 * total, f"{name}: {dict(count)}"
    assert count["inconclusive"] <= 0.25 * total, f"{name}: {dict(count)}"


# --- F27: false passes and false failures ---------------------------------------------------------


@pytest.mark.parametrize("name", ["log", "inverse", "power", "floor"])
def test_law_is_recognized_and_rivals_rejected_seeds_0_to_11(name):
    check_rates(name, wrong_verdicts(name, range(12)))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["log", "inverse", "power", "floor"])
def test_law_is_recognized_and_rivals_rejected_seeds_1000_to_1999(name):
    check_rates(name, wrong_verdicts(name, range(1000, 2000)))


@pytest.mark.parametrize("seeds", [12, pytest.param(1000, marks=pytest.mark.slow)])
@pytest.mark.parametrize("p", [0.15, pytest.param(0.2, marks=pytest.mark.slow)])
def test_a_small_power_is_not_called_log(p, seeds):
    laws = [decide(*curves("power", 930_000 + s, decades=5.0, p=p)).law for s in range(seeds)]
    assert laws.count("log") <= 0.01 * seeds, Counter(laws)


@pytest.mark.parametrize("scale", [1e-2, 1.0, 1e4])
@pytest.mark.parametrize("name", ["log", "inverse", "power", "floor"])
def test_recognized_at_every_scale_seeds_0_to_3(name, scale):
    for seed in range(4):
        top = 10.0 ** -(seed % 4)
        d = decide(*curves(**law_of(name), seed=seed, n=8, scale=scale, top=top))
        assert d.law not in WRONG[name], d.reason


# --- invariance and repeatability ---------------------------------------------------------------


@pytest.mark.parametrize("name", ["log", "inverse", "power", "floor"])
@pytest.mark.parametrize("seed", [0, *(pytest.param(s, marks=pytest.mark.slow) for s in (1, 2))])
def test_factors_on_steps_and_eps_change_nothing(name, seed):
    eps, hits, budget = curves(**law_of(name), seed=seed)
    base = decide(eps, hits, budget)
    for on_steps, on_eps in [(1e-3, 1.0), (1e5, 1.0), (1.0, 1e-4), (1.0, 7.0), (3.7, 0.3)]:
        scaled = np.where(hits == CENSORED, CENSORED, hits * on_steps)
        d = decide(eps * on_eps, scaled, None if budget is None else budget * on_steps)
        assert d.law == base.law
        np.testing.assert_allclose(d.exponent_interval, base.exponent_interval, atol=1e-5)
        np.testing.assert_allclose(d.margin, base.margin, rtol=1e-3)
        np.testing.assert_allclose(d.steps_per_decade, base.steps_per_decade * on_steps)


def test_deterministic_and_independent_of_the_order_of_eps():
    eps, hits, _ = curves("log", 3)
    assert decide(eps, hits).margin == decide(eps[::-1], hits[:, ::-1]).margin


# --- gates --------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["log", "inverse"])
@pytest.mark.parametrize("seed", range(5))
def test_under_three_decades_is_inconclusive(name, seed):
    d = decide(*curves(**law_of(name), seed=seed, n=8, decades=2.8))
    assert d.law == "inconclusive"
    assert "decades" in d.reason
    assert supports(d, "log") == "inconclusive"


def test_too_few_curves_points_or_budget():
    eps, hits, _ = curves("log", 0)
    assert "usable curves" in decide(eps, hits[:2]).reason
    assert "1 more run" in decide(eps, hits[:2]).advice
    assert "distinct steps" in decide(eps[::6], hits[:, ::6]).reason
    cut = np.where(eps < eps[-3], CENSORED, hits)
    assert "no budget" in decide(eps, cut).reason
    assert "diverged" in decide(eps, hits, num_diverged=3).reason
    assert decide(eps, np.full_like(hits, CENSORED), 100.0).law == "inconclusive"
    assert decide(eps, hits, eps_range=(1e-4, 1e-2)).law == "inconclusive"


def test_eps_hit_at_one_step_count_once():
    eps = 10.0 ** -np.linspace(1.0, 8.0, 29)
    jump = np.where(eps > 1e-6, 100.0, 100.0 + 10.0 * np.arange(29))
    d = decide(eps, np.tile(np.maximum.accumulate(jump), (4, 1)))
    assert d.law == "inconclusive"
    assert d.decades < 3
    zero = decide(eps, np.tile(np.where(eps > 1e-6, 0.0, jump), (4, 1)))
    assert zero.decades < 3


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"epsilons": [0.1, 0.1, 0.01]}, "distinct, positive"),
        ({"epsilons": [0.1, -0.1, 0.01]}, "distinct, positive"),
        ({"hits": [[1, 2]]}, "shape"),
        ({"hits": [[1, 2, -3]]}, "MISSING"),
        ({"hits": [[1, 2, np.nan]]}, "MISSING"),
        ({"hits": [[1, 5, 2]]}, "must not decrease"),
        ({"budget": 2}, "budget must be"),
        ({"budget": np.inf}, "budget must be"),
        ({"eps_range": (0.1, 0.01)}, "eps_range"),
    ],
)
def test_bad_arguments_are_refused(change, message):
    good = {"epsilons": [0.1, 0.01, 0.001], "hits": [[1, 2, 3]]}
    with pytest.raises(ValueError, match=message):
        decide(**(good | change))


def test_supports_refuses_an_unknown_law():
    with pytest.raises(ValueError, match="law must be"):
        supports(RateDecision("log", "", 4.0, 3, 3, 0, 0, 0), "kink")
