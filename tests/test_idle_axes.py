"""Axes of a sweep that change nothing are said, and no others."""

import itertools

import numpy as np
import pandas as pd
import pytest

from motsim.commands.idle import idle_axes
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


def test_cases_that_are_the_same_are_said():
    assert idle_axes(made(lambda case, seed: seed, case=["a", "b"], seed=[0, 1])) == {"case": 4}


@pytest.mark.parametrize(("tokens", "said"), [(3, True), (4, False)])
def test_noise_without_noise_tokens_is_said_by_the_command(tokens, said, tmp_path, capsys):
    path = tmp_path / "mine.toml"
    path.write_text(SWEEP.replace("[3]", f"[{tokens}]") + "noise_std = [0.1, 0.3]\n")
    words = ["--jobs", "1", "--out", str(tmp_path / "out"), "--progress", "quiet", "--no-figure"]
    assert main([str(path), *words]) == 0
    line = "noise_std changes nothing here: 4 runs that differ only in it are the same"
    assert (line in capsys.readouterr().out) is said
