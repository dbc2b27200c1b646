"""Runs that differ only in settings without effect are one run, computed once, and a row each."""

import json
from unittest import mock

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings, strategies
from pydantic import ValidationError

import motsim.running.worker
from motsim.experiments.mixture.effective import effective
from motsim.experiments.mixture.run import (
    Settings,
    build_model,
    cost,
    mixture,
    prepare,
    run,
    stages,
)
from motsim.plans.loading import load_sweep
from motsim.plans.plan import SweepError
from motsim.results.tables import load_tables
from motsim.sweep import main

SMALL = {
    "preset": "single", "num_classes": 2, "dim": 6, "num_experts": 1, "specialize_steps": 3,
    "align_steps": 2, "converge_steps": 4,
}  # fmt: skip

#: Two settings of one run, and what makes them two.
PAIRS = {
    "noise without noise tokens": ({"noise_std": 0.1}, {"noise_std": 0.3}, {"num_tokens": 4}),
    "replicates without noise": (
        {"num_tokens": 4}, {"num_tokens": 4, "noise_replicates": 2}, {"noise_std": 0.1},
    ),
    "support without noise": (
        {"num_tokens": 4}, {"num_tokens": 4, "noise_support": "class_complement"},
        {"noise_std": 0.1},
    ),
    "nodes of no range": (
        {"num_nodes": 2, "distractor_amplitude": (2.0, 2.0)},
        {"num_nodes": 3, "distractor_amplitude": (2.0, 2.0)},
        {"signal_amplitude": (1.0, 2.0)},
    ),
    "the rest of a total": (
        {"total_steps": 9, "converge_steps": 1}, {"total_steps": 9, "converge_steps": 2},
        {"total_steps": 0},
    ),
    "a total, and the steps themselves": (
        {"total_steps": 9}, {"total_steps": 0}, {"converge_steps": 5},
    ),
    "a solver of no flow": (
        {"schedule": "three_stage", "flow_rtol": 1e-6}, {"schedule": "three_stage",
        "flow_rtol": 1e-7}, {"dynamics": "flow", "converge_steps": 50},
    ),
    "stages of one stage": (
        {"schedule": "end_to_end", "align_steps": 3, "converge_steps": 3},
        {"schedule": "end_to_end"}, {"schedule": "three_stage"},
    ),
    "the first rate of one stage": (
        {"schedule": "end_to_end", "specialize_rate": 0.1},
        {"schedule": "end_to_end", "specialize_rate": 0.2}, {"schedule": "three_stage"},
    ),
    "snapshots without measures": (
        {"snapshots": (2,)}, {"snapshots": (3,)}, {"measures": ("conflict",)},
    ),
    "kept attention that trains": (
        {"preset": "cubic", "num_experts": 2, "schedule": "two_stage"},
        {"preset": "cubic", "num_experts": 2, "schedule": "two_stage", "kept_attention": "single"},
        {"schedule": "three_stage"},
    ),
    "one attention": (
        {"preset": "cubic", "num_experts": 2, "model": "shared"},
        {"preset": "cubic", "num_experts": 2, "model": "shared", "kept_attention": "single"},
        {"model": "mot"},
    ),
    "the rule's gate": (
        {"preset": "cubic", "num_experts": 2}, {"preset": "cubic", "num_experts": 2,
        "gate_rate": 0.625}, {"num_experts": 3},
    ),
}  # fmt: skip


def both(pair):
    return [Settings(**{**SMALL, **values}) for values in pair]


def measured(found):
    """What is stored of a run, to the bit."""
    result = run(found)
    return json.dumps([str(result.status), result.metrics, result.tables])


@pytest.mark.parametrize("name", PAIRS)
def test_settings_without_effect_are_one_run_and_others_two(name):
    first, second, broken = PAIRS[name]
    one, other = both((first, second))
    assert one != other
    assert effective(one) == effective(other)
    assert measured(one) == measured(other) == measured(effective(one))
    one, other = both(({**first, **broken}, {**second, **broken}))  # control: it matters
    if one != other:
        assert effective(one) != effective(other)
        assert measured(one) != measured(other)
    else:
        assert effective(one) != effective(both((first, second))[0])


def steps(most=9):
    return strategies.integers(0, most)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.filter_too_much])
@given(values=strategies.fixed_dictionaries({
    "preset": strategies.sampled_from(["cubic", "linear", "single"]),
    "schedule": strategies.sampled_from(["three_stage", "two_stage", "end_to_end"]),
    "num_tokens": strategies.integers(3, 5),
    "noise_std": strategies.sampled_from([0.0, 0.1]),
    "noise_support": strategies.sampled_from(["isotropic", "signal_complement"]),
    "noise_replicates": strategies.sampled_from([1, 2]),
    "num_nodes": strategies.integers(1, 3),
    "distractor_amplitude": strategies.sampled_from([(1.0, 3.0), (2.0, 2.0)]),
    "sample_size": strategies.sampled_from([0, 12]),
    "specialize_steps": steps(), "align_steps": steps(), "converge_steps": steps(),
    "total_steps": steps(40), "rounds": strategies.integers(1, 2),
    "gate_rate": strategies.sampled_from([None, 0.0, 2.0]),
    "dynamics": strategies.sampled_from(["descent", "flow"]),
    "flow_rtol": strategies.sampled_from([1e-6, 1e-8]),
    "kept_attention": strategies.sampled_from(["double", "single"]),
}))  # fmt: skip
def test_what_is_trained_on_what_and_how_stays(values):
    """Data, points, model and schedule are all that a run is made of."""
    fixed = {"num_classes": 2, "dim": 8, "num_experts": 2}
    if values["preset"] == "single":
        fixed["num_experts"] = 1
    try:
        found = Settings(**fixed, **values)
    except ValidationError:
        return
    same = effective(found)
    assert Settings(**same.model_dump()) == same  # as a sweep file might have said it
    assert effective(same) == same
    assert stages(same) == stages(found)
    assert build_model(same) == build_model(found)
    assert cost(same) <= cost(found)
    for one, other in zip(prepare(same), prepare(found), strict=True):
        for name in ("tokens", "labels", "weights", "ffn", "attention", "gate"):
            if hasattr(one, name):
                np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
    if same.num_tokens > 3:
        assert mixture(same).noise_std == mixture(found).noise_std


SWEEP = """
title = "an axis without effect"
kind = "mixture"
seeds = 2
[fixed]
preset = "single"
num_tokens = TOKENS
converge_steps = 3
[grid]
noise_std = [0.1, 0.3]
"""


@pytest.mark.parametrize(("tokens", "computed"), [(3, 2), (4, 4)])
def test_equal_runs_are_computed_once_and_stand_in_the_table_each(
    tmp_path, capsys, tokens, computed
):
    path = tmp_path / "mine.toml"
    path.write_text(SWEEP.replace("TOKENS", str(tokens)))
    words = ["--jobs", "1", "--out", str(tmp_path / "out"), "--no-figure"]
    with mock.patch.object(
        motsim.running.worker, "compute", wraps=motsim.running.worker.compute
    ) as called:
        assert main([str(path), *words]) == 0
    assert called.call_count == computed
    out, err = capsys.readouterr()
    assert f"{computed} runs, 0 finished before" in err
    tables = load_tables("mine", tmp_path / "out")
    assert tables.main["run"].nunique() == computed
    rows = tables.runs[["noise_std", "seed"]]
    assert rows.to_numpy().tolist() == [[0.1, 0.0], [0.1, 1.0], [0.3, 0.0], [0.3, 1.0]]
    assert set(tables.others["curve"]["noise_std"]) == {0.1, 0.3}
    assert ("noise_std changes nothing here" in out) == (tokens == 3)
    for name in ("noise_std 0.1: ", "noise_std 0.3: "):
        assert name in " ".join(out.split())
    parts = [part.drop(columns="noise_std").reset_index(drop=True)
             for _, part in tables.main.groupby("noise_std")]  # fmt: skip
    if tokens == 3:
        pd.testing.assert_frame_equal(*parts, check_exact=True)
    else:
        assert not parts[0].equals(parts[1])


def test_a_case_overridden_by_the_grid_is_one_run(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(
        'title = "t"\nseeds = 1\n[grid]\nconverge_rate = [0.5]\n'
        "[case.a]\nconverge_rate = 0.1\n[case.b]\nconverge_rate = 0.2\n"
    )
    one, other = load_sweep(str(path)).cells()
    assert one.key == other.key
    assert [one.labels["case"], other.labels["case"]] == ["a", "b"]
    path.write_text(path.read_text().replace("[grid]\nconverge_rate = [0.5]\n", ""))  # control
    one, other = load_sweep(str(path)).cells()
    assert one.key != other.key


KIND = """
from motsim import KindSettings, Result

class Settings(KindSettings):
    seed: int = 0
    rate: float = 0.1
    unused: int = 0

def run(settings):
    return Result("done", {"value": settings.rate, "seen": settings.unused})

def effective(settings):
    return RETURNED
"""


@pytest.mark.parametrize(
    ("returned", "said"),
    [
        ('settings.model_copy(update={"unused": 0})', ""),
        ("settings", ""),
        ("settings.model_dump()", "effective must return Settings; got dict"),
        ('settings.model_copy(update={"seed": 7})', "must leave the seed as it is"),
        ("settings.nothing", "nothing"),
    ],
)
def test_a_kind_of_ones_own_says_what_has_no_effect(tmp_path, returned, said):
    (tmp_path / "quad.py").write_text(KIND.replace("RETURNED", returned))
    path = tmp_path / "mine.toml"
    path.write_text('title = "t"\nkind = "quad:run"\nseeds = 2\n[grid]\nunused = [1, 2]\n')
    if said:
        with pytest.raises(SweepError, match=said):
            load_sweep(str(path)).cells()
        return
    cells = load_sweep(str(path)).cells()
    shared = "update" in returned  # else the control: each setting counts
    assert len({cell.key for cell in cells}) == (2 if shared else 4)
    assert main([str(path), "--jobs", "1", "--out", str(tmp_path / "out"), "--no-figure"]) == 0
    runs = load_tables("mine", tmp_path / "out").runs
    assert runs["unused"].tolist() == [1, 1, 2, 2]  # what was asked for
    assert runs["seen"].tolist() == ([0, 0, 0, 0] if shared else [1, 1, 2, 2])  # what ran
