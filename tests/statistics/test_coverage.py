"""Coverage of every kind of interval that a verdict uses, by simulation.

In CI a few thousand samples a kind; `-m slow -s` takes more and prints the table of
motsim/statistics/intervals.py. Seeds are in the test's name; the band is 93 to 97 %.
"""

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from scipy.special import ndtri

from motsim.claims import Interval
from motsim.claims._simulation import agreement
from motsim.claims._steps import step_ratio
from motsim.claims.rehearsal_crossover import crossing as gap_crossing
from motsim.claims.schedule import gate_exponent
from motsim.statistics.interval import stacked
from motsim.statistics.intervals import (
    jackknife_interval,
    least_interval,
    mean_interval,
    mean_share_interval,
    median_interval,
    share_interval,
)
from motsim.statistics.transitions import area, crossing
from tests.claims.step_tables import steps

BAND = (0.93, 0.97)
SEED = 20
#: Similarities, shares of specialized experts and experts, as the cubic cases of `similarity` find.
TRANSITIONS = {
    "n3": ([0.1, 0.2, 0.24, 0.28, 0.32], [0.95, 0.84, 0.68, 0.17, 0.0], 12),
    "n4": ([0.0, 0.1, 0.17, 0.21, 0.25, 0.29, 0.5], [1.0, 0.93, 0.84, 0.72, 0.41, 0.12, 0.0], 16),
    "n8": ([0.12, 0.16, 0.2], [0.81, 0.61, 0.09], 40),
}  # fmt: skip


def covered(interval, draw, truth, runs, seed=SEED):
    """Share of `runs` samples whose interval holds the truth."""
    rng = np.random.default_rng(seed)
    return float(np.mean([interval(draw(rng)).contains(truth) for _ in range(runs)]))


def percentile_bootstrap(values, statistic=None, resamples=200):
    """The interval that verdicts used before: ends of the resampled statistic."""
    x, rng = np.asarray(values, dtype=float), np.random.default_rng(0)
    drawn = x[rng.integers(len(x), size=(resamples, len(x)))]
    found = [statistic(y) for y in drawn] if statistic else drawn.mean(axis=1)
    return Interval(np.mean(found), *np.quantile(found, [0.025, 0.975]))


def normal(n):
    return lambda rng: rng.normal(size=n)


def happen(rng, n, chances, shared, repeats=1):
    """Share of events (n seeds, chances) of `repeats`, dependent within a seed.

    They happen where normal values, of correlation `shared` in a seed, fall below a threshold.
    """
    own = rng.normal(size=(n, len(chances), repeats))
    below = ndtri(chances)[:, None]
    value = np.sqrt(1 - shared) * own + np.sqrt(shared) * rng.normal(size=(n, 1, 1))
    return (value < below).mean(axis=2)


def specialized(case, n, shared):
    """Draw of shares of specialized experts (n seeds, similarities)."""
    _, p, experts = TRANSITIONS[case]
    return lambda rng: happen(rng, n, p, shared, experts)


def at(case):
    rho, p, _ = (np.array(x) for x in TRANSITIONS[case])
    return (lambda x: crossing(x, rho)), crossing(p[None].astype(float), rho)


def kinds(n):
    """Interval, draw and truth of each kind whose coverage depends on the sample alone."""
    found = {
        "mean": (mean_interval, normal(n), 0.0),
        "jackknife of a mean": (lambda x: jackknife_interval(x, np.mean), normal(n), 0.0),
        "least of one": (lambda x: least_interval([x]), normal(n), 0.0),
    }
    for case in TRANSITIONS:
        statistic, truth = at(case)
        found[f"crossing {case}"] = (
            lambda x, f=statistic: jackknife_interval(x, f), specialized(case, n, 0.1), truth
        )  # fmt: skip
    return found


@pytest.mark.parametrize("n", [3, 5, 10], ids=lambda n: f"n{n}-seed{SEED}")
@pytest.mark.parametrize("kind", list(kinds(3)))
def test_intervals_of_few_seeds_cover(kind, n):
    interval, draw, truth = kinds(n)[kind]
    share = covered(interval, draw, truth, 1500)
    assert BAND[0] < share < BAND[1]


@pytest.mark.parametrize("n", [6, 12, 30, 60], ids=lambda n: f"n{n}-seed{SEED}")
@pytest.mark.parametrize("shape", ["normal", "lognormal", "outliers"])
def test_the_interval_of_a_median_covers_whatever_the_values(shape, n):
    """At least 95 %, and no more than order statistics have to: their shares are steps."""

    def draw(rng):
        x = rng.normal(size=n)
        if shape == "outliers":  # one run in ten in another way
            x = np.where(rng.random(n) < 0.1, 100.0 * rng.normal(size=n), x)
        return np.exp(x) if shape == "lognormal" else x

    share = covered(median_interval, draw, 1.0 if shape == "lognormal" else 0.0, 1500)
    place = int(stats.binom.ppf(0.025, n, 0.5))
    exact = 1.0 - 2.0 * stats.binom.cdf(place - 1, n, 0.5)
    assert exact >= 0.95
    assert share == pytest.approx(exact, abs=0.02)


@pytest.mark.parametrize("n", [3, 5, 10], ids=lambda n: f"n{n}-seed{SEED}")
def test_the_percentile_bootstrap_does_not_cover(n):
    """Negative control: the harness sees it."""
    assert covered(percentile_bootstrap, normal(n), 0.0, 1500) < BAND[0]
    statistic, truth = at("n3")
    draw = specialized("n3", n, 0.1)
    if n < 10:
        old = covered(lambda x: percentile_bootstrap(x, statistic, 100), draw, truth, 150)
        assert old < BAND[0]


@pytest.mark.parametrize("n", [6, 10, 24], ids=lambda n: f"n{n}-seed{SEED}")
@pytest.mark.parametrize("shared", [0.0, 0.9])
def test_the_ratio_of_steps_covers(n, shared):
    """Logs of steps of two models by seed, normal, unequal spread, sharing a draw or not."""

    def draw(rng):
        common = np.sqrt(shared) * rng.normal(size=n)
        own, other = (common + np.sqrt(1 - shared) * rng.normal(size=n) for _ in range(2))
        return 7.0 + 0.3 * own, 6.0 + 0.1 * other

    def interval(logs):
        return median_interval(logs[0] - logs[1])

    exact = {6: 0.969, 10: 0.979, 24: 0.977}[n]  # tables of the sign test
    assert covered(interval, draw, 1.0, 2000) == pytest.approx(exact, abs=0.015)
    theirs, ours = draw(np.random.default_rng(SEED))  # the claim's own function does just this
    found = step_ratio(steps(theirs), steps(ours), 1e-3, 4)
    wanted = interval((theirs, ours)).map(np.exp)
    assert vars(found.interval) == pytest.approx(vars(wanted))
    few = median_interval(np.arange(5.0))
    assert np.isnan([few.low, few.high]).all()


@pytest.mark.parametrize("trials", [5, 6, 12, 20, 60, 200])
def test_the_share_covers_on_average(trials):
    """Exact, over a fine grid of shares: no interval of a share covers 95 % at every one."""
    p, k = (np.arange(2000) + 0.5) / 2000, np.arange(trials + 1)
    _, low, high = stacked(share_interval(int(i), trials) for i in k)
    held = (low[:, None] <= p) & (p <= high[:, None])
    chance = stats.binom.pmf(k[:, None], trials, p)
    share = (chance * held).sum(axis=0)
    assert BAND[0] < share.mean() < BAND[1]
    assert 0.82 < share.min() < 0.87
    wrong = (chance * (low[:, None] > 0.5)).sum(axis=0)[p <= 0.5].max()
    assert wrong < 0.032  # a share of 1/2 called more than 1/2


@pytest.mark.parametrize("n", [20, 60], ids=lambda n: f"n{n}-seed{SEED}")
@pytest.mark.parametrize("shared", [0.0, 0.5, 1.0])
def test_the_mean_share_covers_near_one(n, shared):
    """As in `coverage`: three settings a seed, each covered with a probability of 0.85 to 0.98."""

    def draw(p):
        return lambda rng: happen(rng, n, [p] * 3, shared).mean(axis=1)

    chances = (0.85, 0.9, 0.95, 0.98)
    shares = [covered(mean_share_interval, draw(p), p, 600) for p in chances]
    assert BAND[0] < np.mean(shares) < BAND[1] + 0.005
    # negative control: Student's interval does not at 0.98
    assert covered(mean_interval, draw(0.98), 0.98, 600) < 0.90


@pytest.mark.parametrize("n", [5, 10], ids=lambda n: f"n{n}-seed{SEED}")
@pytest.mark.parametrize("apart", [0.0, 0.5, 5.0], ids=lambda a: f"apart{a:g}")
def test_the_least_of_nine_means_covers(n, apart):
    """Each end wrong in 2.5 % at most, so together in 5 %; equal means are the hardest case."""

    def draw(rng):
        return list((rng.normal(size=(n, 9)) + apart * np.arange(9)).T)

    assert BAND[0] < covered(least_interval, draw, 0.0, 500)
    if apart == 0:  # negative control: the interval of the one that came out least

        def chosen(samples):
            return mean_interval(min(samples, key=np.mean))

        assert covered(chosen, draw, 0.0, 500) < BAND[0]


def test_the_area_of_a_transition_covers():
    """As in `similarity`: runs that specialize or not, at similarities that share their start."""
    rho = np.array([-0.3, -0.15, 0.0, 0.15, 0.3, 0.5, 0.8])
    p = np.array([0.9, 0.75, 0.6, 0.4, 0.2, 0.1, 0.02])
    truth = float(area(p, rho))
    shares = [
        covered(
            mean_interval, lambda rng, s=s: area(happen(rng, 12, p, s), rho), truth,
            1500,
        )
        for s in (0.0, 0.5)
    ]  # fmt: skip
    assert all(BAND[0] - 0.01 < share < BAND[1] for share in shares), shares
    assert BAND[0] < np.mean(shares)


def test_the_bracketed_exponent_covers_at_least():
    """As in `schedule`: thresholds between two lengths that were tried; the brackets only add."""
    tried = np.array([120, 140, 160, 200, 240, 300, 360, 400, 480.0])

    def draw(rng):
        rows = []
        for rate, center in ((2.5, 370.0), (160.0, 370.0 * 64**-0.25)):
            for seed, value in enumerate(center * np.exp(0.1 * rng.normal(size=6))):
                i = int(np.searchsorted(tried, value))
                rows.append((rate, seed, tried[i - 1], tried[min(i, 8)]))
        return pd.DataFrame(rows, columns=["gate_rate", "seed", "fails", "succeeds"])

    assert covered(gate_exponent, draw, -0.25, 50) > BAND[0]


def test_standard_errors_of_rehearsal_cover_together():
    """560 comparisons of a claim, all inside 4 standard errors with the right mean square."""
    rng, inside, runs = np.random.default_rng(SEED), 0, 600
    for _ in range(runs):
        z = rng.normal(size=(5, 112))
        one = np.ones(112)
        inside += all(agreement(row, one, 0 * one, 0 * one + 9).verdict == "holds" for row in z)
    assert BAND[0] < inside / runs < BAND[1] + 0.01


def test_the_crossover_of_two_strategies_covers():
    """As in `rehearsal-crossover`: the root of a weighted line, at 1.96 standard errors."""
    c, se = np.linspace(0.6, 1.0, 8), 0.02

    def draw(rng):
        return pd.DataFrame({"cosine": c, "gap": 2.0 * (0.9 - c) + se * rng.normal(size=8),
                             "gap_se": se})  # fmt: skip

    def interval(points):
        root, error = gap_crossing(points)
        return Interval(root, root - 1.96 * error, root + 1.96 * error)

    assert BAND[0] < covered(interval, draw, 0.9, 1000) < BAND[1]


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_long_table_of_coverage():
    """Prints the table of motsim/statistics/intervals.py (`-s`)."""
    for n in (3, 5, 6, 8, 10, 12, 20, 60):
        for kind, (interval, draw, truth) in kinds(n).items():
            share = covered(interval, draw, truth, 10000 if "cross" not in kind else 4000, n)
            print(f"n = {n:2d}  {kind:22s} {share:.3f}")
            assert BAND[0] < share < BAND[1], (n, kind)
        old = covered(percentile_bootstrap, normal(n), 0.0, 1500, n)
        skewed = covered(
            mean_interval, lambda rng, n=n: rng.lognormal(0, 0.5, n), np.exp(0.125), 10000, n
        )
        print(f"n = {n:2d}  percentile bootstrap {old:.3f}; mean of log-normal {skewed:.3f}")
        assert 0.90 < skewed < BAND[1]
