"""Axes of a sweep that change nothing are said, and no others."""

import itertools

import numpy as np
import pandas as pd
import pytest

from motsim.commands.idle import idle_axes, idle_lines
from motsim.results.tables import Tables
from motsim.sweep import main

SWEEP = """
title = "an axis without effect"
kind = "mixture"
seeds = 2
[fixed]
preset = "single"
converge_steps = 3
[grid]
num_tokens = [3]
"""


def made(loss, **axes):
    """A table of these axes, with a loss by their values."""
    points = [dict(zip(axes, values, strict=True)) for values in itertools.product(*axes.values())]
    frame = pd.DataFrame(points)
    frame["loss"] = [loss(**point) for point in points]
    frame["run"] = [f"r{i}" for i in range(len(points))]
    return Tables("x", {"labels": list(axes)}, frame, {})


def test_an_axis_without_effect_is_found_and_no_other():
    tables = made(lambda noise, rate, seed: rate + seed, noise=[0, 1], rate=[1, 2], seed=[0, 1])
    assert idle_axes(tables) == {"noise": 8}
    both = made(lambda noise, rate, seed: seed, noise=[0, 1], rate=[1, 2], seed=[0, 1])
    assert idle_axes(both) == {"noise": 8, "rate": 8}


@pytest.mark.parametrize("value", [1.0 + 1e-15, np.nan])
def test_one_run_that_differs_is_enough(value):
    """Control: in one setting, by one digit, or by a number that is missing."""
    tables = made(lambda noise, seed: value if noise and seed else 1.0, noise=[0, 1], seed=[0, 1])
    assert idle_axes(tables) == {}


def test_an_axis_of_one_value_and_seeds_are_not_compared():
    assert idle_axes(made(lambda noise, seed: 1.0, noise=[0], seed=[0, 1])) == {}


def test_runs_that_failed_alike_say_nothing():
    tables = made(lambda noise, seed: np.nan, noise=[0, 1], seed=[0, 1])
    failed = Tables("x", tables.meta, tables.main.assign(status="error"), {})
    assert idle_axes(failed) == {}
    # control: where they finished
    assert idle_axes(Tables("x", tables.meta, tables.main.assign(status="done"), {}))
    # and one side alone is not compared
    half = tables.main.assign(status=["error", "error", "done", "done"])
    assert idle_axes(Tables("x", tables.meta, half, {})) == {}


def test_runs_that_diverged_alike_say_nothing():
    tables = made(lambda rate, seed: np.inf, rate=[0, 1], seed=[0, 1])
    statuses = {"alike": ["diverged"] * 4, "apart": ["diverged", "diverged", "done", "done"]}
    for status in statuses.values():
        table = Tables("x", tables.meta, tables.main.assign(status=status), {})
        assert idle_axes(table) == {}


def test_other_rows_are_a_difference():
    """Two grids of eps: where both have one the runs agree."""
    frame = pd.DataFrame({"grid": [1, 1, 2, 2], "seed": 0, "run": list("aabb"),
                          "epsilon": [0.1, 0.01, 0.1, 0.02], "loss": 1.0})  # fmt: skip
    meta = {"labels": ["grid", "seed"]}
    assert idle_axes(Tables("x", meta, frame, {})) == {}
    same = frame.assign(epsilon=[0.1, 0.01] * 2)  # control
    assert idle_axes(Tables("x", meta, same, {})) == {"grid": 2}


@pytest.mark.parametrize("values", [[np.nan, 1.0], [None, "a"]])
def test_an_empty_value_is_compared(values):
    assert idle_axes(made(lambda rate, seed: 1.0, rate=values, seed=[0])) == {"rate": 2}
    assert idle_axes(made(lambda rate, seed: 1.0 if rate == values[1] else 2.0,
                          rate=values, seed=[0])) == {}  # fmt: skip


def test_cases_that_share_a_run_are_two():
    tables = made(lambda case, seed: 1.0, case=["a", "b"], seed=[0])
    shared = Tables("x", tables.meta, tables.main.assign(run="r0"), {})
    assert idle_axes(shared) == {"case": 2}


def test_cases_that_are_the_same_are_said():
    assert idle_axes(made(lambda case, seed: seed, case=["a", "b"], seed=[0, 1])) == {"case": 4}


@pytest.mark.parametrize(("tokens", "said"), [(3, True), (4, False)])
def test_noise_without_noise_tokens_is_said_by_the_command(tokens, said, tmp_path, capsys):
    path = tmp_path / "mine.toml"
    path.write_text(SWEEP.replace("[3]", f"[{tokens}]") + "noise_std = [0.1, 0.3]\n")
    words = ["--jobs", "1", "--out", str(tmp_path / "out"), "--progress", "quiet", "--no-figure"]
    assert main([str(path), *words]) == 0
    line = (
        "noise_std changes nothing here: 4 runs that differ only in it are the same, and computed"
    )
    assert (line in capsys.readouterr().out) is said


def test_runs_that_are_one_are_said_to_be_computed_once():
    tables = made(lambda noise, seed: seed, noise=[0, 1], seed=[0, 1])
    shared = Tables("x", tables.meta, tables.main.assign(run=["a", "b", "a", "b"]), {})
    (line,) = idle_lines(shared)
    assert line.endswith("4 runs that differ only in it are the same, and computed once")
    (line,) = idle_lines(tables)  # control: seen to be the same, of two runs
    assert line.endswith("are the same")
    half = Tables("x", tables.meta, tables.main.assign(run=["a", "b", "a", "c"]), {})
    (line,) = idle_lines(half)
    assert line.endswith("are the same")
