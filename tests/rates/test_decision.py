"""Rate decisions: negative controls, censoring, lost rows, scale invariance."""

from collections import Counter

import numpy as np
import pytest

from motsim.rates import (
    CENSORED,
    MISSING,
    RateDecision,
    decide,
    fit_law,
    supports,
)
from tests.rates.synthetic import GRID, WRONG, censor, curves, grid, law_of


def wrong_verdicts(name, seeds, alter=None):
    """Count the decided laws, and how often the right claim fails, over seeds and sizes."""
    count = Counter()
    for seed in seeds:
        n, decades = GRID[seed % (len(GRID) if alter is None else 3)]
        eps, hits, budget = curves(**law_of(name), seed=seed, n=n, decades=decades)
        if alter is not None:
            hits, budget = alter(hits, budget, np.random.default_rng(seed))
        d = decide(eps, hits, budget, num_bootstrap=200)
        count[d.law] += 1
        count["right claim fails"] += supports(d, name) == "fails"
    return count


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


# --- F12: censored and lost rows ------------------------------------------------------------------


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


# --- fitted laws ----------------------------------------------------------------------------------

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
