"""The command `sweep`: same bytes for any number of jobs; what is there is not computed again."""

import re

import numpy as np
import pandas as pd

from motsim.results.tables import load_tables
from tests.commands.tiny import RUNS, call, count_runs, stored, tables

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
