"""A sweep that is interrupted or killed says how to go on, and resumes."""

import contextlib
import os
import signal
import sqlite3
import subprocess
import sys
import time

import motsim.experiments.mixture.run
import motsim.plans.plan
from tests.commands.tiny import RUNS, call, count_runs, stored, tables


def test_interrupted_says_how_to_go_on(tiny, out, monkeypatch, capsys):
    run = motsim.experiments.mixture.run.run
    seen = []

    def interrupted(settings):
        if len(seen) == 2:
            raise KeyboardInterrupt
        seen.append(settings)
        return run(settings)

    monkeypatch.setattr(motsim.experiments.mixture.run, "run", interrupted)
    call(tiny, "--jobs", 1, "--out", out, code=130)
    errors = capsys.readouterr().err
    assert f"finished runs are kept in {out}" in errors
    assert f"python -m motsim.sweep {tiny} --jobs 1 --out {out}" in errors
    assert len(stored(out)) == 2
    monkeypatch.setattr(motsim.experiments.mixture.run, "run", run)
    seeds = count_runs(monkeypatch)
    call(tiny, "--jobs", 1, "--out", out)
    assert len(seeds) == RUNS - 2


def start(*arguments):
    return subprocess.Popen(
        [sys.executable, "-m", "motsim.sweep", *map(str, arguments)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip


def wait_for_rows(folder, count, process):
    """Until the store holds `count` runs."""
    while process.poll() is None:
        if (folder / "results.db").exists():
            try:
                rows = stored(folder)
            except sqlite3.Error:  # being made
                rows = []
            if len(rows) >= count:
                return
        time.sleep(0.02)
    raise AssertionError(process.communicate())


#: About half a second a run, so that a signal meets runs under way.
SLOW = ["--seeds", "5", "--set", "converge_steps=20000", "--set", "converge_rate=1e-6"]


def end_group(process):
    """End what the sweep started, by its own process group."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.communicate()


def test_a_killed_sweep_resumes(tiny, out, tmp_path, monkeypatch, capsys):
    process = start(tiny, "--jobs", 2, "--out", out, *SLOW)
    try:
        wait_for_rows(out, 2, process)
    finally:
        end_group(process)
    kept = stored(out)
    assert 2 <= len(kept) < 10
    seeds = count_runs(monkeypatch)
    call(tiny, "--jobs", 1, "--out", out, *SLOW)
    assert len(seeds) == 10 - len(kept)
    assert set(kept) <= set(stored(out))
    clean = tmp_path / "clean"
    call(tiny, "--jobs", 1, "--out", clean, *SLOW)
    assert tables(out) == tables(clean)
