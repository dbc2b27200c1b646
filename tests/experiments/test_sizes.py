"""Sizes: NumPy's integers are integers; what no machine computes is refused before any run."""

import numpy as np
import pytest
from pydantic import ValidationError

from motsim.experiments import kind_module, kinds, sizes
from motsim.experiments.mixture.run import Settings, build_model
from motsim.mixture.model import initial_parameters
from motsim.plans.keys import run_key
from motsim.plans.loading import load_sweep
from motsim.plans.plan import SweepError
from motsim.running.backends import BackendError
from motsim.sweep import main

WHOLE = {
    "mixture": "num_experts",
    "realdata": "num_experts",
    "rehearsal": "repetitions",
    "deep": "width",
}


@pytest.mark.parametrize("kind", kinds())
@pytest.mark.parametrize("number", [np.int64(7), np.int32(7), np.uint8(7)])
def test_numpy_integers_are_integers(kind, number):
    module = kind_module(kind)
    plain, other = (module.Settings(**{WHOLE[kind]: value}) for value in (7, number))
    assert other == plain
    assert type(getattr(other, WHOLE[kind])) is int
    keys = {run_key(kind, found.model_dump(), module.__name__) for found in (plain, other)}
    assert len(keys) == 1


@pytest.mark.parametrize("value", [np.float64(7.0), np.bool_(True), "7", 7.0, True, np.array(7)])
def test_what_is_no_integer_is_refused_as_before(value):
    with pytest.raises(ValidationError, match="num_experts"):
        Settings(num_experts=value)


def test_numpy_numbers_inside_lists_and_of_other_types():
    found = Settings(
        distractor_amplitude=(np.float32(1.0), np.int64(2)), shuffle_labels=np.bool_(True)
    )
    assert (found.distractor_amplitude, found.shuffle_labels) == ((1.0, 2.0), True)
    assert type(found.shuffle_labels) is bool
    rehearsal = kind_module("rehearsal").Settings(samples_per_task=[np.int64(3), 4])
    assert list(rehearsal.samples_per_task) == [3, 4]


ABSURD = {
    "experts": (
        "num_experts = 1_000_000_000_000_000_000_000",
        "num_experts must be below 2^63",
    ),
    "steps": ("specialize_steps = 9223372036854775808", "specialize_steps must be below 2^63"),
    "fewer steps": ("specialize_steps = 9223372036854775807", "years; a year is the most"),
    "memory": ("num_experts = 16\ndim = 1_000_000", "GB of memory or more, and this machine has"),
    "samples": ("sample_size = 100_000_000_000", "GB of memory or more"),
    "replicates": (
        "num_tokens = 4\nnoise_std = 1.0\nnoise_replicates = 2_000_000_000",
        "years",
    ),
}


@pytest.mark.parametrize("name", ABSURD)
def test_absurd_sizes_are_refused_in_the_plan(tmp_path, capsys, monkeypatch, name):
    line, words = ABSURD[name]
    path = tmp_path / "absurd.toml"
    path.write_text(f'title = "Absurd"\nkind = "mixture"\nseeds = 1\n[fixed]\n{line}\n')

    def started(*arguments):
        raise BackendError("it was not refused")

    monkeypatch.setattr("motsim.running.backends.open_backend", started)
    for more in ([], ["--dry-run"]):
        assert main([str(path), "--out", str(tmp_path / "out"), *more]) == 2
        told = capsys.readouterr().err
        assert words in told
        assert "absurd.toml" in told
        assert len(told.splitlines()) == 1
    assert not (tmp_path / "out").exists()
    monkeypatch.setattr(sizes, "check_size", lambda settings, seconds: seconds)
    monkeypatch.setattr("motsim.plans.checks.check_size", sizes.check_size)
    assert load_sweep(str(path)).cells()  # control: nothing else stands in the way


def test_the_limits_are_where_they_are_said_to_be():
    settings = Settings(num_experts=4, dim=1000)
    need = sizes.least_memory(settings)
    assert sizes.check_size(settings, 1.0, need) == 1.0
    with pytest.raises(ValueError, match="GB of memory or more"):
        sizes.check_size(settings, 1.0, need - 1)
    assert sizes.check_size(settings, sizes.MOST_SECONDS) == sizes.MOST_SECONDS
    for seconds in (1.001 * sizes.MOST_SECONDS, np.inf, np.nan):
        with pytest.raises(ValueError, match="years; a year is the most"):
            sizes.check_size(settings, seconds)


@pytest.mark.parametrize("model", ["mot", "single", "moe", "shared"])
def test_the_estimate_is_no_more_than_what_a_run_allocates(model):
    """A right call must not be refused; within a fifth, so that a wrong one is."""
    settings = Settings(model=model, num_experts=6, dim=200, num_neurons=5)
    start = initial_parameters(
        build_model(settings), 200, init_std=0.1, attention_scale=1.0, seed=0
    )
    held = sum(np.asarray(getattr(start, name)).nbytes for name in ("ffn", "attention", "gate"))
    assert 0.8 * held < sizes.least_memory(settings) <= held


def test_the_longest_run_that_is_shipped_is_far_from_the_limit():
    costs = [cell.cost for cell in load_sweep("attention-floor").cells("full")]
    assert 1 < max(costs) < sizes.MOST_SECONDS / 1e4
    with pytest.raises(SweepError, match="years"):  # control
        load_sweep("attention-floor").cells("full", {"converge_steps": 10**17})
