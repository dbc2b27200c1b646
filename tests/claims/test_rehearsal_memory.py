"""Replayed memory, on the quick tier, and the fresh formula that must be rejected for it."""

import pytest

from motsim.claims.rehearsal_memory import judge
from motsim.figures import draw
from tests.claims.rehearsal_controls import (
    QUANTITIES,
    assert_judge_copes,
    swapped,
    verdicts,
    with_main,
)


@pytest.fixture(scope="module")
def tables(run_sweep):
    return run_sweep("rehearsal-memory")


def test_the_fresh_formula_is_rejected_on_replayed_memory(tables):
    main = tables.main.copy()
    for name in QUANTITIES:
        main[f"{name}_predicted"] = main[f"{name}_rival"]
    found = verdicts(judge(with_main(tables, main)))
    assert found["two tasks, concurrent"] == found["two tasks, sequential"] == "fails"


def test_swapped_strategies_are_rejected(tables):
    """Simulated values of one strategy beside the formula of the other."""
    other = swapped(tables, "concurrent", "sequential").main
    keys = ["case", "strategy", "similarity", "memory_size", "noise_std", "num_tasks", "seed"]
    formula = [f"{name}_predicted" for name in QUANTITIES]
    main = tables.main.drop(columns=formula).merge(other[[*keys, *formula]], on=keys)
    found = verdicts(judge(with_main(tables, main)))
    assert found["two tasks, concurrent"] == found["two tasks, sequential"] == "fails"


def test_fresh_memory_has_no_excess(run_sweep):
    broken = run_sweep("rehearsal-memory", seeds=3, cases=["dissimilar", "similar"], memory="fresh")
    fresh = {f"{name}_rival": broken.main[f"{name}_predicted"] for name in QUANTITIES}
    found = verdicts(judge(with_main(broken, broken.main.assign(**fresh))))
    for case in ("dissimilar", "similar"):
        for name in QUANTITIES:
            assert found[f"{case}: {name}"] == "inconclusive"


def test_poor_tables(tables):
    assert_judge_copes(judge, tables)


def test_the_figure_draws(tables, tmp_path):
    assert draw("rehearsal-memory", tables, tmp_path)
