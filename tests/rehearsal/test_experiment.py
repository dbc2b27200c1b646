"""Runs of the kind 'rehearsal': settings, bad input, independence of streams, tables."""

from __future__ import annotations

import math

import pytest
from pydantic import ValidationError

from motsim.experiments.rehearsal.run import Settings, cost, predict, run
from motsim.experiments.rehearsal.settings import cosine, stream
from motsim.rehearsal import Rehearsal, equicorrelated_tasks, expected_errors, find_crossover
from motsim.results.store import run_key

UNRELATED = Rehearsal(equicorrelated_tasks(2, 100, 0.0), 30, 24, 0.1)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"samples_per_task": 99}, "uses 99 columns in dimension 100"),
        ({"memory_size": 1, "num_tasks": 4}, "memory_size must give each of the 3 earlier tasks"),
        ({"noise_std": -1.0}, "greater than or equal to 0"),
        ({"memory": "replayed", "memory_size": 40}, "which has only 30"),
        ({"similarity": 1.5}, r"cosine must lie in \[-1, 1\], got 1.5"),
        ({"repetitions": 1}, "repetitions must be 0 or >= 2; got 1"),
        ({"strategy": "concurent"}, "concurrent"),
        ({"clusters": (0, 1)}, "clusters and family 'clustered' go together"),
        ({"family": "clustered", "clusters": (0, 1), "num_tasks": 3}, "number of clusters' labels"),
        ({"strategy": "random"}, "strategy 'random' needs family 'drawn'"),
        ({"family": "drawn", "memory": "replayed"}, "family 'drawn' needs memory 'fresh'"),
        ({"family": "drawn", "strategy": "least_forgetting"}, "needs a family other than 'drawn'"),
        ({"memory": "replayed", "method": "reduced"}, "method 'reduced' needs memory 'fresh'"),
        ({"line": "dim", "line_log": True}, "line_log needs line_from and line_to > 0"),
        ({"noise_std": 5.0, "similarity_from": "forgetting"}, "these settings have no crossover"),
        ({"similarity_from": "forgetting", "similarity": 0.2}, r"cosine must lie in \[-1, 1\]"),
        ({"family": "drifting", "similarity_from": "forgetting"}, "needs family 'equicorrelated'"),
        ({"memmory_size": 3}, "Extra inputs are not permitted"),
        ({"num_tasks": 2.5}, "valid integer"),
    ],
)
def test_bad_input_is_refused_when_planned(change, message):
    with pytest.raises(ValidationError, match=message):
        Settings(**change)


def test_a_run_is_the_public_functions():
    found = run(Settings(strategy="concurrent", repetitions=200, tables=("errors",)))
    exact = expected_errors(Rehearsal(equicorrelated_tasks(2, 100, 0.0), 30, 24, 0.1, "concurrent"))
    assert found.status == "done"
    assert found.metrics["forgetting_predicted"] == pytest.approx(exact.forgetting, rel=1e-12)
    assert found.tables["errors"]["error_predicted"] == pytest.approx(exact.errors.ravel())
    assert found.metrics["forgetting_crossover"] == find_crossover(UNRELATED).cosine
    assert found.metrics["forgetting_rival"] != found.metrics["forgetting_predicted"]


def test_runs_repeat_and_grow_and_are_independent():
    short, again = (run(Settings(repetitions=50)).metrics for _ in range(2))
    assert short == again
    assert stream(Settings(repetitions=50)) == stream(Settings(repetitions=5000))
    others = [Settings(seed=1), Settings(strategy="concurrent"), Settings(noise_std=0.2)]
    assert len({stream(s) for s in (Settings(), *others)}) == 4


def test_similarity_counts_from_the_crossover():
    root = find_crossover(UNRELATED, quantity="generalization").cosine
    there = Settings(similarity_from="generalization", similarity=-0.1)
    assert cosine(there) == pytest.approx(root - 0.1)


def test_replayed_memory_is_predicted_for_two_tasks_only():
    two = predict(Settings(memory="replayed"))
    assert two["forgetting_predicted"] == pytest.approx(0.2843, abs=1e-4)
    assert two["forgetting_rival"] == pytest.approx(0.1329, abs=1e-4)
    assert math.isnan(predict(Settings(memory="replayed", num_tasks=3))["forgetting_predicted"])


def test_closed_form_alone_and_its_line():
    found = run(Settings(repetitions=0, line="memory_size", line_from=2, line_to=9, line_points=4))
    assert found.tables["line"]["value"] == [2, 4, 7, 9]
    assert "forgetting" not in found.metrics
    logs = run(Settings(repetitions=0, line="dim", line_from=60, line_to=600, line_log=True))
    assert (logs.tables["line"]["value"][0], logs.tables["line"]["value"][-1]) == (60, 600)


def test_planned_schedule_is_in_the_table():
    found = run(
        Settings(
            family="clustered",
            clusters=(0, 0, 1, 0),
            strategy="least_generalization",
            samples_per_task=10,
            memory_size=12,
            repetitions=0,
            tables=("schedule",),
        )
    )
    assert set(found.tables["schedule"]) == {"step", "fit", "task", "samples"}
    assert sum(found.tables["schedule"]["samples"]) == 4 * 10 + 3 * 12


def test_cost_grows_and_keys_are_stable_numbers():
    assert cost(Settings(repetitions=2000)) > cost(Settings(repetitions=1000))
    one, other = (Settings(noise_std=std).model_dump() for std in (1, 1.0))
    assert run_key("rehearsal", one, run.__module__) == run_key("rehearsal", other, run.__module__)
