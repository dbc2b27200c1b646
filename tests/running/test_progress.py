"""What a sweep tells while it runs, and what it says of the time."""

import io
import json
import math
import sys
from types import SimpleNamespace

import pytest

from motsim.running import progress
from motsim.running.progress import MODES, BarProgress, Count, spell
from motsim.sweep import main

SWEEP = """
title = "P"
kind = "probe"
seeds = 3
[grid]
mood = ["good", "raises"]
"""


@pytest.fixture
def sweep(kinds, tmp_path):
    path = tmp_path / "probe.toml"
    path.write_text(SWEEP)
    return str(path)


@pytest.fixture
def clock(monkeypatch):
    now = [100.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    return now


def cell(cost, key="k"):
    return SimpleNamespace(cost=cost, key=key, labels={"seed": 0})


def call(capsys, *words, code):
    assert main([*map(str, words)]) == code
    return capsys.readouterr()


# --- modes ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("jobs", [1, 2])
def test_json_is_one_object_a_line_and_counts(sweep, tmp_path, capsys, jobs):
    words = (sweep, "--out", tmp_path / "out", "--jobs", jobs, "--progress", "json")
    printed = call(capsys, *words, "--seeds", 1, code=1)
    printed = call(capsys, *words, code=1)
    events = [json.loads(line) for line in printed.err.splitlines()]
    kinds = [event["event"] for event in events]
    assert kinds == ["message", "start", *["run"] * 4, "stop", *["error"] * 4]
    start, stop = events[1], events[6]
    assert (start["sweep"], start["total"], start["resumed"], start["done"]) == ("probe", 6, 2, 0)
    assert (stop["done"], stop["failed"], stop["resumed"], stop["eta"]) == (4, 2, 2, 0)
    runs = events[2:6]
    assert [run["done"] for run in runs] == [1, 2, 3, 4]
    assert {run["status"] for run in runs} == {"done", "error"}
    assert all(run["seconds"] >= 0 and len(run["key"]) == 32 for run in runs)
    assert {(r["labels"]["mood"], r["labels"]["seed"]) for r in runs} == {
        (mood, seed) for mood in ("good", "raises") for seed in (1, 2)
    }
    assert "tables: " in printed.out  # results go to standard output, unmixed


def test_quiet_tells_only_failures(sweep, tmp_path, capsys):
    words = (sweep, "--out", tmp_path / "out", "--jobs", 1, "--progress", "quiet")
    assert call(capsys, *words, "--set", "mood=good", code=0).err == ""
    printed = call(capsys, *words, code=1)
    assert len(printed.err.splitlines()) == 4
    assert "failed: ArithmeticError: seed 0" in printed.err


def test_plain_lines_for_a_log(sweep, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(progress, "PLAIN_SECONDS", 0.0)
    words = (sweep, "--out", tmp_path / "out", "--jobs", 1)  # standard error is no terminal here
    lines = call(capsys, *words, "--seeds", 1, code=1).err.splitlines()
    assert lines[0] == "probe (quick tier): 2 runs, 0 finished before"
    assert any(line.startswith("probe: 1/2 runs, 0 failed, 0 resumed, ") for line in lines)
    assert any(line.startswith("probe: 2/2 runs, 1 failed, 0 resumed, in ") for line in lines)
    assert "\r" not in "".join(lines)


def test_a_bar_on_a_terminal(monkeypatch):
    screen = io.StringIO()
    monkeypatch.setattr(sys, "stderr", screen)
    bar = BarProgress()
    count = Count("probe", 2, total=4, resumed=1)
    count.expect([cell(60.0)] * 3)
    bar.start(count)
    for status in ("done", "error", "done"):
        bar.add(cell(60.0), status, 1.0)
    bar.stop()
    shown = screen.getvalue()
    first, last = shown.split("\r")[2], shown.strip().split("\r")[-1]
    assert "probe:  25%" in first
    assert "1/4" in first
    assert "1 resumed, about 2 min left" in first
    assert "4/4" in last
    assert "1 failed, 1 resumed" in last
    assert "run/s" in last


def test_every_mode_is_offered():
    from motsim.sweep import parser

    actions = {action.dest: action for action in parser()._actions}
    assert set(actions["progress"].choices) == set(MODES)


# --- time -----------------------------------------------------------------------------------------


def test_the_estimate_starts_from_the_costs_and_follows_what_is_measured(clock):
    count = Count("s", jobs=2, total=10, resumed=0)
    count.expect([cell(10.0)] * 10)
    assert count.eta == pytest.approx(50.0, rel=1e-3)  # by the costs alone
    for _ in range(5):  # runs take a tenth of what was thought
        clock[0] += 0.5
        count.add(cell(10.0), "done", 1.0)
    assert count.eta == pytest.approx(2.5, rel=1e-3)
    assert count.rate == pytest.approx(2.0)
    for _ in range(5):
        count.add(cell(10.0), "done", 1.0)
    assert count.eta == 0.0


def test_runs_of_another_process_are_resumed_ones(clock):
    count = Count("s", jobs=1, total=3, resumed=0)
    count.expect([cell(1.0)] * 3)
    count.add(cell(1.0), "done", math.nan)
    count.add(cell(1.0), "worker_died", math.nan)
    assert (count.done, count.failed, count.resumed) == (1, 1, 1)
    assert str(count).startswith("s: 2/3 runs, 1 failed, 1 resumed, ")


@pytest.mark.parametrize(
    ("seconds", "words"), [(0.0, "1 s"), (59, "59 s"), (89, "89 s"), (91, "2 min"), (5400, "2 h")]
)
def test_durations(seconds, words):
    assert spell(seconds) == words


# --- before a sweep -------------------------------------------------------------------------------


def test_a_dry_run_shows_the_grid_the_time_and_what_is_left(sweep, tmp_path, capsys):
    out = tmp_path / "out"
    words = (sweep, "--out", out, "--jobs", 2, "--set", "seconds=90.0", "--set", "mood=good")
    printed = call(capsys, *words, "--dry-run", code=0).out.splitlines()
    assert printed[0] == "probe: 3 runs, at most about 2 min with 2 jobs"
    assert printed[1:] == ["  seed (3): 0, 1, 2", "    seed=0", "    seed=1", "    seed=2"]
    assert not out.exists()
    call(capsys, sweep, "--out", out, "--jobs", 1, "--seeds", 1, code=1)
    printed = call(capsys, sweep, "--out", out, "--jobs", 1, "--dry-run", code=0).out.splitlines()
    assert printed[1] == f"  left to do in {out}: 4 runs, at most about 1 s with 1 jobs"
    assert "    mood=raises  seed=0  error" in printed
    assert "    mood=raises  seed=1" in printed


# --- what is in a folder --------------------------------------------------------------------------


def test_the_status_of_a_folder(sweep, tmp_path, capsys):
    out = tmp_path / "out"
    assert "no results.db there" in call(capsys, "--status", "--out", out, code=2).err
    assert not out.exists()
    call(capsys, sweep, "--out", out, "--jobs", 1, "--seeds", 2, code=1)
    call(capsys, sweep, "--out", out, "--jobs", 1, "--seeds", 1, "--set", "level=5", code=1)
    for words, last in (
        ((), "probe@level=5 full 2 1 1 0"),
        ((sweep,), "2 runs are of none of these"),
    ):
        lines = call(capsys, *words, "--status", "--out", out, code=0).out.splitlines()
        assert "6 runs, 3 failed, 0 under way" in lines[0]
        assert lines[1].startswith("made with: motsim ")
        assert lines[4].split() == ["probe", "quick", "6", "2", "2", "0"]
        assert " ".join(lines[-1].split()).startswith(last)
    import sqlite3

    db = sqlite3.connect(out / "results.db")
    with db:
        db.execute("UPDATE runs SET status = 'done'")
    db.close()
    assert "damaged" in call(capsys, "--status", "--out", out, code=2).err
