"""The command: same bytes for any number of jobs, resumes, one line for every mistake."""

import contextlib
import os
import re
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import motsim.experiments.mixture.run
import motsim.plans.plan
from motsim.results.tables import load_tables
from motsim.sweep import main
from tests.refusals import refusal

TINY = """
title = "Tiny"
kind = "mixture"
seeds = 3

[fixed]
num_classes = 2
dim = 5
num_experts = 3
specialize_steps = 60
align_steps = 20
converge_steps = 200
converge_rate = 0.05
epsilon_min = 1e-3

[case.mot]
model = "mot"

[case.single]
preset = "single"
converge_steps = 250
"""
RUNS = 6


@pytest.fixture
def tiny(tmp_path):
    path = tmp_path / "tiny.toml"
    path.write_text(TINY)
    return str(path)


@pytest.fixture
def out(tmp_path):
    return tmp_path / "out"


def call(*arguments, code=0):
    """Without its picture, which tests/commands/test_own_sweeps.py looks at."""
    assert main([*map(str, arguments), "--no-figure"]) == code


def tables(folder):
    return {p.name: p.read_bytes() for p in Path(folder).glob("tiny*") if p.suffix != ".toml"}


def stored(folder):
    """Rows (key, status) of the store."""
    db = sqlite3.connect(folder / "results.db")
    rows = db.execute("SELECT key, status FROM runs ORDER BY key").fetchall()
    db.close()
    return rows


def count_runs(monkeypatch):
    """Count the runs that this process computes."""
    seeds = []
    run = motsim.experiments.mixture.run.run

    def counted(settings):
        seeds.append(settings.seed)
        return run(settings)

    monkeypatch.setattr(motsim.experiments.mixture.run, "run", counted)
    return seeds


# --- the same whatever happens --------------------------------------------------------------------


def test_one_and_two_jobs_give_the_same_bytes(tiny, tmp_path, capsys):
    for jobs in (1, 2):
        call(tiny, "--jobs", jobs, "--out", tmp_path / str(jobs))
    one, two = tables(tmp_path / "1"), tables(tmp_path / "2")
    assert set(one) == {"tiny.csv", "tiny.curve.csv", "tiny.json"}
    assert one == two
    # Negative control: another setting, other bytes.
    call(tiny, "--jobs", 1, "--out", tmp_path / "3", "--set", "converge_rate=0.0501")
    assert tables(tmp_path / "3")["tiny@converge_rate=0.0501.csv"] != one["tiny.csv"]


def test_the_tables_hold_every_run(tiny, out, capsys):
    call(tiny, "--jobs", 1, "--out", out)
    main_table = pd.read_csv(out / "tiny.csv")
    assert main_table["run"].nunique() == RUNS
    assert set(main_table["status"]) <= {"reached", "max_steps"}
    assert main_table.groupby(["case", "seed"]).size().nunique() == 1
    printed = capsys.readouterr().out
    assert "median steps T(eps)" in printed
    assert re.search(r"^single +\d+ ", printed, re.MULTILINE)
    assert re.search(r"^tables: .*tiny\.csv$", printed, re.MULTILINE)


def test_a_second_call_computes_nothing(tiny, out, monkeypatch, capsys):
    call(tiny, "--jobs", 1, "--out", out)
    before, rows = tables(out), stored(out)
    seeds = count_runs(monkeypatch)
    call(tiny, "--jobs", 1, "--out", out)
    assert seeds == []
    assert (tables(out), stored(out)) == (before, rows)
    assert f"{RUNS} runs, {RUNS} finished before" in capsys.readouterr().err
    # Negative control: one more seed is two more runs.
    call(tiny, "--jobs", 1, "--out", out, "--seeds", 4)
    assert seeds == [3, 3]


def test_settings_of_the_call(tiny, out, monkeypatch, capsys):
    seeds = count_runs(monkeypatch)
    call(tiny, "--jobs", 1, "--out", out, "--seeds", 1, "--set", "num_experts=4")
    assert len(seeds) == 2
    call(tiny, "--jobs", 1, "--out", out, "--seeds", 1, "--set", "num_experts=4")
    assert len(seeds) == 2
    call(tiny, "--jobs", 1, "--out", out, "--seeds", 1)
    assert len(seeds) == 4


def test_other_seeds_stand_beside_the_first_ones(tiny, out, monkeypatch, capsys):
    call(tiny, "--jobs", 1, "--out", out)
    before = tables(out)
    seeds = count_runs(monkeypatch)
    call(tiny, "--jobs", 1, "--out", out, "--seed-start", 2)
    assert sorted(seeds) == [3, 3, 4, 4]  # seed 2 was there
    printed = capsys.readouterr().out
    assert re.search(r"^tables: .*tiny@seed_start=2\.csv$", printed, re.MULTILINE)
    after = tables(out)
    assert {name: after[name] for name in before} == before
    assert set(pd.read_csv(out / "tiny@seed_start=2.csv")["seed"]) == {2, 3, 4}
    call("--status", "--out", out)
    status = capsys.readouterr().out
    assert re.search(r"^tiny +quick +6 +6 ", status, re.MULTILINE)
    assert re.search(r"^tiny@seed_start=2 +quick +6 +6 ", status, re.MULTILINE)
    assert "are of none of these sweeps" not in status
    call(tiny, "--jobs", 1, "--out", out, "--seed-start", 0)  # control: the file's own
    assert tables(out) == after


def test_moved_seeds_of_a_claim_have_no_recorded_verdict(tmp_path, monkeypatch, capsys):
    """A claim that finds another verdict: exit code 1 with the recorded seeds, 0 with others."""
    from motsim.claims import Finding, Verdict, rehearsal_memory

    wrong = [Finding("x", "p", "m", Verdict.FAILS, "made up")]
    monkeypatch.setattr(rehearsal_memory, "judge", lambda tables: wrong)
    monkeypatch.setattr("motsim.sweep._draw", lambda *a: True)
    words = ["rehearsal-memory", "--jobs", 1, "--out", tmp_path, "--seeds", 1]
    call(*words, "--seed-start", 50)
    printed = capsys.readouterr().out
    assert "verdicts are recorded for seeds from 0, not for these from 50" in printed
    call(*words, code=1)
    assert "verdicts are recorded for" not in capsys.readouterr().out
    call(*words, "--seed-start", 0, code=1)


def test_changed_settings_stand_beside_the_recorded_ones(tiny, out, monkeypatch, capsys):
    call(tiny, "--jobs", 1, "--out", out)
    before = tables(out)
    seeds = count_runs(monkeypatch)
    words = [tiny, "--jobs", 1, "--out", out, "--set", "single.converge_rate=0.06", "--seeds", 1]
    call(*words)
    assert seeds == [0]  # the other case's runs were there
    after = tables(out)
    assert {name: after[name] for name in before} == before
    name = "tiny@single.converge_rate=0.06"
    assert set(after) - set(before) == {f"{name}.csv", f"{name}.curve.csv", f"{name}.json"}
    errors = capsys.readouterr().err
    assert "differ in" not in errors
    again = load_tables(name, out).call
    assert again == "tiny --set single.converge_rate=0.06 --seeds 1"


def test_a_setting_that_levels_cases_warns(tiny, out, capsys):
    call(tiny, "--out", out, "--dry-run", "--set", "converge_steps=220")
    assert "differ in converge_steps (200 in mot; 250 in single)" in capsys.readouterr().err
    call(tiny, "--out", out, "--dry-run", "--set", "converge_rate=0.2")  # control: it does not
    assert capsys.readouterr().err == ""


def test_an_axis_and_one_case_only(tiny, out, capsys):
    words = [tiny, "--out", out, "--case", "mot", "--set", "num_experts=2,3"]
    call(*words, "--dry-run")
    printed = capsys.readouterr().out
    assert "6 runs" in printed
    assert "num_experts (2): 2, 3" in printed
    assert "single" not in printed
    call(*words, "--jobs", 1)
    rows = pd.read_csv(out / "tiny@case=mot@num_experts=2,3.csv")
    assert set(rows["case"]) == {"mot"}
    assert rows.groupby("num_experts")["run"].nunique().to_dict() == {2: 3, 3: 3}
    assert not (out / "tiny.csv").exists()


def test_a_dry_run_counts_the_runs_of_each_case(tiny, out, capsys):
    call(tiny, "--out", out, "--dry-run", "--set", "mot.dim=5,6,7")
    printed = capsys.readouterr().out
    assert "  case mot: 9 runs, dim (3) x seed (3)" in printed
    assert "  case single: 3 runs, seed (3)" in printed


def test_changed_settings_of_a_claim_have_no_recorded_verdict(tmp_path, monkeypatch, capsys):
    from motsim.claims import Finding, Verdict, rehearsal_memory

    wrong = [Finding("x", "p", "m", Verdict.FAILS, "made up")]
    monkeypatch.setattr(rehearsal_memory, "judge", lambda tables: wrong)
    monkeypatch.setattr("motsim.sweep._draw", lambda *a: True)
    words = ["rehearsal-memory", "--jobs", 1, "--out", tmp_path, "--seeds", 1]
    call(*words, "--set", "repetitions=2")
    printed = capsys.readouterr().out
    assert "no verdict is recorded for changed settings" in printed
    assert "made up" not in printed
    call(*words, code=1)  # control: the file's own


def test_commands_that_go_on_carry_the_seeds(tiny, out, tmp_path, capsys):
    words = [tiny, "--jobs", 1, "--seed-start", 7, "--tier", "full", "--case", "mot"]
    words += ["--set", "num_experts=2,3", "--seeds", 4]
    call(*words, "--out", out, "--shard", "1/2")
    again = f"{tiny} --case mot --set num_experts=2,3 --seeds 4 --seed-start 7 --tier full"
    assert f"{again} --collect DIR..." in capsys.readouterr().out
    call(*words, "--out", tmp_path / "both", "--collect", out, code=1)
    assert f"{again} --out {tmp_path / 'both'}" in capsys.readouterr().err


# --- runs that fail -------------------------------------------------------------------------------


def test_runs_that_raise_in_workers_are_reported(tiny, out, capsys):
    """Settings that only the run itself can refuse: a population over the memory limit."""
    huge = ["num_nodes=3000", "class_amplitude=[0.5, 1.5]", "signal_amplitude=[0.5, 1.5]"]
    sets = [word for text in huge for word in ("--set", text)]
    call(tiny, "--jobs", 2, "--out", out, "--seeds", 1, *sets, code=1)
    errors = capsys.readouterr().err
    assert errors.count("failed: ValueError: the population would have") == 2
    assert "Traceback" not in errors


def test_a_diverging_run_is_a_row_not_a_failure(tiny, out, capsys):
    call(tiny, "--jobs", 1, "--out", out, "--seeds", 1, "--set", "converge_rate=1e12")
    rows = pd.read_csv(out / "tiny@converge_rate=1000000000000.0.csv")
    single = rows[rows["case"] == "single"]
    assert set(single["status"]) == {"diverged"}
    assert not np.isfinite(single["final_loss"]).any()
    smallest = single["epsilon"] == single["epsilon"].min()
    assert (single.loc[smallest, "step"] == -1).all()


# --- mistakes -------------------------------------------------------------------------------------

MISTAKES = {
    "sweep": (["ratse"], "did you mean 'rates'?"),
    "second sweep": (["TINY", "nothing-like-it-at-all"], "unknown sweep"),
    "file": (["missing.toml"], "no such file"),
    "key": (["TINY", "--set", "num_expert=4"], "did you mean 'num_experts'?"),
    "no value": (["TINY", "--set", "num_experts"], "key=value"),
    "type": (["TINY", "--set", "num_experts=four"], "num_experts = 'four'"),
    "num_classes": (["TINY", "--set", "num_classes=1"], "num_classes must be >= 2; got 1"),
    "dim": (["TINY", "--set", "dim=3"], "dim must be >= 4 (2 * num_classes); got 3"),
    "num_tokens": (["TINY", "--set", "num_tokens=2"], "num_tokens must be >= 3; got 2"),
    "similarity": (["TINY", "--set", "similarity=-1.1"], "similarity must be in [-1, 1)"),
    "empty range": (["TINY", "--set", "class_amplitude=[]"], "class_amplitude"),
    "reversed": (["TINY", "--set", "class_amplitude=[2.0,1.0]"], "0 < low <= high; got 2 to 1"),
    "step size": (["TINY", "--set", "align_rate=-1.0"], "align_rate must be >= 0; got -1"),
    "no experts": (["TINY", "--set", "num_experts=0"], "num_experts must be >= 1; got 0"),
    "top-k": (["TINY", "--set", "top_k=4"], "top_k must be <= num_experts = 3; got 4"),
    "epsilon": (["TINY", "--set", "epsilon_min=0.0"], "0 < epsilon_min < epsilon_max < 1"),
    "jobs": (["TINY", "--jobs", "0"], "whole number >= 1; got '0'"),
    "jobs a word": (["TINY", "--jobs", "two"], "whole number >= 1; got 'two'"),
    "seeds": (["TINY", "--seeds", "-1"], "whole number >= 1; got '-1'"),
    "seed start": (["TINY", "--seed-start", "-1"], "whole number from 0 to 1000000000; got '-1'"),
    "seed start a word": (["TINY", "--seed-start", "1.5"], "from 0 to 1000000000; got '1.5'"),
    "tier": (["TINY", "--tier", "medium"], "'medium' (choose from"),
    "option": (["TINY", "--job", "2"], "did you mean --jobs?"),
    "TOML": (["BROKEN"], "(at line 2, column 9)"),
    "case": (["TINY", "--case", "sngle"], "did you mean 'single'?"),
    "case of a setting": (["TINY", "--set", "sngle.dim=6"], "did you mean 'single'?"),
    "twice": (["TINY", "--set", "dim=6,6"], "6 is given twice; repetitions are seeds"),
    "runs": (["TINY", "--seeds", "1000000"], "2,000,000 runs; a sweep has at most 1,000,000"),
}


def refused(arguments, capsys, quiet=True):
    """Call with bad input; return the one line on standard error."""
    line = refusal(main, arguments, capsys, quiet)
    assert line.startswith("python -m motsim.sweep: ")
    return line


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_one_line_and_writes_nothing(name, tiny, tmp_path, out, capsys):
    broken = tmp_path / "broken.toml"
    broken.write_text("title = 'x'\nkind =  = 'mixture'\n")
    arguments, words = MISTAKES[name]
    places = {"TINY": tiny, "BROKEN": str(broken)}
    before = sorted(tmp_path.rglob("*"))
    line = refused([*(places.get(a, a) for a in arguments), "--out", str(out)], capsys)
    assert words in line
    assert sorted(tmp_path.rglob("*")) == before


def test_an_output_folder_that_cannot_be_is_one_line(tiny, tmp_path, monkeypatch, capsys):
    seeds = count_runs(monkeypatch)
    (tmp_path / "file").write_text("mine")
    for out in (str(tmp_path / "file"), str(tmp_path / "file" / "deeper"), "/proc/motsim"):
        assert out in refused([tiny, "--out", out], capsys, quiet=False)
    assert (tmp_path / "file").read_text() == "mine"
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "results.db").write_bytes(b"not a database at all" * 100)
    assert "not a database" in refused(
        [tiny, "--out", str(tmp_path / "other")], capsys, quiet=False
    )
    assert seeds == []


def test_list_names_every_sweep_and_runs_nothing(tmp_path, monkeypatch, capsys):
    sweeps, here = tmp_path / "sweeps", tmp_path / "here"
    for folder in (sweeps, here):
        folder.mkdir()
    (sweeps / "b.toml").write_text(TINY + "[tier.full]\nseeds = 5\n")
    (sweeps / "a.toml").write_text("title = 'One run'\nseeds = 1\n")
    monkeypatch.setattr(motsim.plans.loading, "FOLDER", sweeps)
    monkeypatch.chdir(here)
    (sweeps / "broken.toml").write_text("title = 3\n")
    call("--list", "--jobs", 2)
    printed = capsys.readouterr()
    lines = [line.strip() for line in printed.out.splitlines()]
    assert [line for line in lines if "runs" not in line] == ["a", "One run", "b", "Tiny"]
    sizes = [line.partition(",")[0] for line in lines if "runs" in line]
    assert sizes == ["quick: 1 runs", "full: 1 runs", "quick: 6 runs", "full: 10 runs"]
    assert "broken.toml: title" in printed.err
    assert list(here.iterdir()) == []


def test_help_shows_every_option(capsys):
    with pytest.raises(SystemExit) as stop:
        main(["--help"])
    assert stop.value.code == 0
    text = capsys.readouterr().out
    for option in (
        "--tier", "--out", "--jobs", "--backend", "--scheduler", "--progress", "--seeds", "--set",
        "--seed-start", "--case",
        "--list", "--no-figure", "--shard", "--collect", "--status", "--schema", "--dry-run",
    ):  # fmt: skip
        assert option in text


# --- interruption ---------------------------------------------------------------------------------


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
