"""The crossover: exact root, closed expression for two tasks, and simulation on both sides."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import optimize

from motsim.rehearsal import (
    Rehearsal,
    clustered_tasks,
    equicorrelated_tasks,
    expected_errors,
    find_crossover,
    memory_phases,
    ratio_phases,
    simulate_errors,
    threshold_table,
    two_task_distance,
)

QUANTITIES = ("forgetting", "generalization")


def equal(num_tasks, dimension, samples, memory, noise, norm=1.0):
    """A problem of unrelated tasks of equal norm."""
    tasks = equicorrelated_tasks(num_tasks, dimension, 0.0, norm)
    return Rehearsal(tasks, samples, memory, noise)


def gap(cosine, quantity, num_tasks, dimension, samples, memory, noise, norm=1.0):
    tasks = equicorrelated_tasks(num_tasks, dimension, cosine, norm)
    concurrent, sequential = (
        getattr(expected_errors(Rehearsal(tasks, samples, memory, noise, s)), quantity)
        for s in ("concurrent", "sequential")
    )
    return concurrent - sequential


@pytest.mark.parametrize("quantity", QUANTITIES)
@pytest.mark.parametrize(
    "setting", [(2, 100, 30, 24, 0.1), (4, 80, 20, 21, 0.1), (7, 150, 10, 40, 0.0)]
)
def test_root_agrees_with_brent_on_the_vectors(quantity, setting):
    found = find_crossover(equal(*setting), quantity=quantity)
    low = -1 / (setting[0] - 1)
    root = optimize.brentq(gap, low, 1.0, args=(quantity, *setting), xtol=1e-13)
    assert found.status == "crossover"
    assert found.cosine == pytest.approx(root, abs=1e-10)
    assert found.interval == (low, 1.0)
    assert (
        gap(found.cosine - 0.01, quantity, *setting)
        > 0
        > gap(found.cosine + 0.01, quantity, *setting)
    )


@pytest.mark.parametrize("quantity", QUANTITIES)
@pytest.mark.parametrize("seed", range(8))
def test_closed_expression_for_two_tasks(quantity, seed):
    rng = np.random.default_rng(seed)
    p = int(rng.integers(40, 200))
    n1, n2, m = (int(rng.integers(1, p // 3)) for _ in range(3))
    noise, norm = float(rng.uniform(0, 0.3)), float(rng.uniform(0.5, 2))
    distance = two_task_distance(p, n1, n2, m, noise, quantity=quantity, norm=norm)
    found = find_crossover(equal(2, p, (n1, n2), m, noise, norm), quantity=quantity)
    cosine = 1 - distance / (2 * norm**2)
    if -1 <= cosine <= 1:
        assert found.cosine == pytest.approx(cosine, abs=1e-9)
    else:
        assert np.isnan(found.cosine)
        assert found.status == "second"


def test_bounds_without_noise():
    """Derived in docs/rehearsal.md §5: at least 3/4 for forgetting, 2/3 for generalization."""
    rng = np.random.default_rng(0)
    for _ in range(200):
        p = int(rng.integers(10, 400))
        n1, n2, m = (int(rng.integers(1, max(p // 3, 2))) for _ in range(3))
        cosines = [1 - two_task_distance(p, n1, n2, m, 0.0, quantity=q) / 2 for q in QUANTITIES]
        assert 1 > cosines[0] >= 3 / 4
        assert 1 > cosines[1] >= 2 / 3
        assert cosines[1] < cosines[0]


@pytest.mark.parametrize(
    ("quantity", "setting", "away"),
    [
        ("forgetting", (2, 60, 25, 20, 0.0), 0.1),
        ("generalization", (4, 60, 15, 15, 0.1), 0.06),
        pytest.param("generalization", (2, 60, 25, 20, 0.0), 0.1, marks=pytest.mark.slow),
        pytest.param("forgetting", (4, 60, 15, 15, 0.1), 0.06, marks=pytest.mark.slow),
    ],
)
def test_simulation_confirms_both_sides(quantity, setting, away):
    """The strategy that the closed form names is better by more than 4 standard errors."""
    num_tasks, dimension, samples, memory, noise = setting
    cosine = find_crossover(equal(*setting), quantity=quantity).cosine
    for side, better in ((cosine - away, "sequential"), (cosine + away, "concurrent")):
        tasks = equicorrelated_tasks(num_tasks, dimension, min(side, 1.0))
        runs = [
            simulate_errors(
                Rehearsal(tasks, samples, memory, noise, s), repetitions=20_000, seed=seed
            )
            for seed, s in enumerate(("concurrent", "sequential"))
        ]
        difference = getattr(runs[0], quantity) - getattr(runs[1], quantity)
        z = difference / np.hypot(*(getattr(r, f"{quantity}_se") for r in runs))
        assert (z > 4) if better == "sequential" else (z < -4), (side, z)


def test_no_crossover_is_said():
    noisy = find_crossover(equal(5, 100, 10, 24, 5.0))
    assert (noisy.status, np.isnan(noisy.cosine)) == ("second", True)
    assert "no crossover: sequential has the smaller forgetting at every cosine" in noisy.reason
    swapped = find_crossover(equal(5, 100, 10, 24, 5.0), first="sequential", second="concurrent")
    assert swapped.status == "first"
    assert swapped.gap_lowest == -noisy.gap_lowest
    crowded = find_crossover(equal(2, 100, (90, 2), 2, 2.0))
    assert (crowded.status, np.isnan(crowded.cosine)) == ("first", True)
    assert two_task_distance(100, 90, 2, 2, 2.0) > 4  # beyond the largest distance of unit tasks
    none = find_crossover(equal(3, 100, 10, 0, 0.1))
    assert (none.status, np.isnan(none.cosine)) == ("equal", True)
    with pytest.raises(ValueError, match="num_tasks must be an integer >= 2, got 1"):
        find_crossover(equal(1, 100, 10, 0, 0.1))
    with pytest.raises(ValueError, match="memory 'fresh', got 'replayed'"):
        find_crossover(replace(equal(2, 100, 10, 5, 0.1), memory="replayed"))
    with pytest.raises(ValueError, match="must have equal norms, got squared norms 1 to 4"):
        find_crossover(Rehearsal(np.diag([1.0, 2.0] + 7 * [0.0])[:2], 3, 2, 0.1))
    with pytest.raises(ValueError, match="norm > 0, got 0"):
        find_crossover(Rehearsal(np.zeros((2, 9)), 3, 2, 0.1))
    with pytest.raises(ValueError, match="first must be one of concurrent, sequential"):
        find_crossover(equal(2, 100, 10, 5, 0.1), first="hybrid")


def test_noise_level_beyond_which_sequential_always_wins():
    """σ*² = r² (1 − n/p) / (p²ν₁/(nm) − N₁(n)), with ν₁ and N₁ per unit of σ² (docs §5)."""
    p, n, m = 100, 30, 24

    def label(k):
        return k / (p - k - 1)

    excess = label(n + m) - (1 - m / p) * label(n) - label(m)
    level = np.sqrt((1 - n / p) / (p**2 * excess / (n * m) - label(n)))
    for quantity in QUANTITIES:
        assert (
            find_crossover(equal(2, p, n, m, 0.999 * level), quantity=quantity).status
            == "crossover"
        )
        assert (
            find_crossover(equal(2, p, n, m, 1.001 * level), quantity=quantity).status == "second"
        )


def test_phase_tables():
    table = memory_phases(equal(2, 100, 30, 9, 0.1), [0.0, 0.8, 1.0], [4, 24])
    assert len(table) == 6
    row = table[(table.similarity == 0.0) & (table.memory == 24)].iloc[0]
    assert row.forgetting_concurrent == pytest.approx(0.5517, abs=1e-4)
    assert row.generalization_better == "sequential"
    exact = find_crossover(equal(2, 100, 30, 24, 0.1)).cosine
    assert row.forgetting_crossover == pytest.approx(exact)
    for name in QUANTITIES:
        below = table.similarity < table[f"{name}_crossover"]
        assert (table[f"{name}_better"] == np.where(below, "sequential", "concurrent")).all()
    three = equal(3, 100, 20, 20, 0.1)
    ratios = ratio_phases(three, [0.5], [2.5, 5.01])
    assert list(ratios.dimension) == [50, 100]
    assert list(ratios.ratio) == [2.5, 5.0]
    with pytest.raises(ValueError, match="uses 40 columns in dimension 30"):
        ratio_phases(three, [0.5], [1.5])


HYBRID = ((0, 0, 0, 0, 1, 0), 100, 0.98, -0.3)  # one task of another kind, but not the last


def test_hybrid_beats_both_on_clusters():
    tasks = clustered_tasks(*HYBRID)
    table = threshold_table(Rehearsal(tasks, 50, 30, 0.1), [-1.0, 0.5, 0.99])
    pure = table[table.strategy != "hybrid"].set_index("strategy")
    between = table[table.threshold == 0.5].iloc[0]
    for quantity in QUANTITIES:
        assert between[quantity] < pure[quantity].min() - 0.02
        ends = table[table.strategy == "hybrid"][quantity].iloc[[0, 2]]
        np.testing.assert_allclose(ends, pure[quantity], rtol=1e-12)


def test_simulation_confirms_the_hybrid():
    tasks = clustered_tasks(*HYBRID)
    call = (tasks, 50, 30, 0.1)
    hybrid = simulate_errors(Rehearsal(*call, "hybrid", threshold=0.5), repetitions=3000, seed=1)
    for seed, strategy in ((2, "concurrent"), (3, "sequential")):
        other = simulate_errors(Rehearsal(*call, strategy), repetitions=3000, seed=seed)
        for quantity in QUANTITIES:
            se = np.hypot(getattr(hybrid, f"{quantity}_se"), getattr(other, f"{quantity}_se"))
            assert (getattr(other, quantity) - getattr(hybrid, quantity)) / se > 4


def test_hybrid_is_not_always_best():
    """The limit of the claim: with the odd task last, sequential forgets less than hybrid."""
    tasks = clustered_tasks((0, 0, 0, 0, 0, 1), 100, 0.98, 0.0)
    table = threshold_table(Rehearsal(tasks, 20, 40, 0.1), [0.5]).set_index("strategy")
    assert table.forgetting["sequential"] < table.forgetting["hybrid"]
