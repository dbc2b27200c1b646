"""Machines that share nothing: shards cover a sweep, and their stores are merged."""

import shutil
import sqlite3

import pytest

from motsim.experiments.result import Result
from motsim.plans.loading import load_sweep
from motsim.results.store import Store, StoreError
from motsim.running.shards import Shard, collect
from motsim.sweep import main

SWEEP = "title = 'P'\nkind = 'probe'\nseeds = 10\n[grid]\nlevel = [0, 1, 2]\n"
GOOD = Result("done", {"value": 0.5})
FAILED = Result("error", {"error": "boom"})


@pytest.fixture
def sweep(kinds, tmp_path):
    path = tmp_path / "probe.toml"
    path.write_text(SWEEP)
    return path


def put(folder, **results):
    with Store(folder) as store:
        for key, result in results.items():
            store.commit(key, "probe", {"seed": 0}, result, 0.5)


def holds(folder):
    with Store(folder) as store:
        return {run.key: (run.status, run.result.metrics) for run in store.read(store.settled())}


@pytest.mark.parametrize("shares", [1, 2, 3, 7, 40])
def test_shards_are_disjoint_and_cover_all_in_any_order(sweep, shares):
    cells = load_sweep(str(sweep)).cells()
    parts = [Shard(i + 1, shares).cells(cells) for i in range(shares)]
    keys = [cell.key for part in parts for cell in part]
    assert sorted(keys) == sorted(cell.key for cell in cells)
    again = [Shard(i + 1, shares).cells(cells[::-1]) for i in range(shares)]
    assert [{c.key for c in part} for part in parts] == [{c.key for c in part} for part in again]


@pytest.mark.parametrize("text", ["0/3", "4/3", "1", "1/0", "-1/3", "a/b", "1/3/5", "", "²/3"])
def test_a_wrong_shard_is_one_line(text, capsys):
    with pytest.raises(SystemExit) as stop:
        main([f"--shard={text}"])
    assert stop.value.code == 2
    printed = capsys.readouterr().err
    assert len(printed.splitlines()) == 1
    assert "must be i/n with 1 <= i <= n, such as 1/4" in printed


def test_three_machines_end_with_the_table_of_one(sweep, tmp_path, capsys):
    words = ["--jobs", "1", "--progress", "quiet"]
    whole = tmp_path / "whole"
    assert main([str(sweep), "--out", str(whole), *words]) == 0
    parts = [tmp_path / name for name in "abc"]
    for number, part in enumerate(parts):
        shard = f"{number + 1}/3"
        assert main([str(sweep), "--out", str(part), "--shard", shard, *words]) == 0
        assert not (part / "probe.csv").exists()  # it would be incomplete
    assert "merge all shards with: python -m motsim.sweep" in capsys.readouterr().out
    out = tmp_path / "out"
    call = [str(sweep), "--out", str(out), "--collect"]
    assert main([*call, str(parts[0]), str(parts[1])]) == 1
    missing = len(Shard(3, 3).cells(load_sweep(str(sweep)).cells()))
    assert f"{missing} runs are in none of the folders" in capsys.readouterr().err
    assert not (out / "probe.csv").exists()
    assert main([*call, *map(str, parts)]) == 0
    assert f"{missing} runs added" in capsys.readouterr().out
    assert (out / "probe.csv").read_bytes() == (whole / "probe.csv").read_bytes()
    assert main([*call, str(parts[2] / "results.db")]) == 0
    assert "0 runs added" in capsys.readouterr().out


def test_failures_replace_nothing_and_are_replaced(tmp_path):
    put(tmp_path / "a", x=GOOD, y=FAILED, z=FAILED)
    put(tmp_path / "b", x=FAILED, y=GOOD, z=FAILED, w=FAILED)
    assert collect([tmp_path / "b"], tmp_path / "a") == 2
    found = {key: status for key, (status, _) in holds(tmp_path / "a").items()}
    assert found == {"x": "done", "y": "done", "z": "error", "w": "error"}
    assert collect([tmp_path / "b"], tmp_path / "a") == 0


def test_two_results_of_one_run_are_refused_and_nothing_is_added(tmp_path):
    put(tmp_path / "a", x=GOOD)
    put(tmp_path / "b", a=GOOD, x=Result("done", {"value": 0.5000000000000001}), z=GOOD)
    put(tmp_path / "c", a=GOOD, x=GOOD)  # control: the same result is no conflict
    with pytest.raises(StoreError, match=r"run x has one result in .*a.*and another in .*b") as no:
        collect([tmp_path / "b"], tmp_path / "a")
    assert len(str(no.value).splitlines()) == 1
    assert set(holds(tmp_path / "a")) == {"x"}
    assert collect([tmp_path / "c"], tmp_path / "a") == 1


def test_a_damaged_store_is_not_collected(tmp_path):
    put(tmp_path / "b", x=GOOD, y=GOOD)
    shutil.copytree(tmp_path / "b", tmp_path / "sound")
    db = sqlite3.connect(tmp_path / "b" / "results.db")
    with db:
        db.execute("UPDATE details SET payload = x'00' WHERE key = 'y'")
    db.close()
    with pytest.raises(StoreError, match="run y is damaged"):
        collect([tmp_path / "b"], tmp_path / "a")
    assert holds(tmp_path / "a") == {}
    assert collect([tmp_path / "sound"], tmp_path / "a") == 2


def test_a_folder_without_a_store_is_one_line(tmp_path, capsys):
    put(tmp_path / "b", x=GOOD)
    words = ["--collect", str(tmp_path / "b"), "rates", "--out", str(tmp_path / "a")]
    assert main(words) == 2
    printed = capsys.readouterr()
    assert "rates: no results.db there to collect" in printed.err
    assert len(printed.err.splitlines()) == 1
    assert not (tmp_path / "a").exists()


def test_shares_without_runs_and_idle_merges_leave_a_sound_store(tmp_path):
    """A share may hold no run, and the same stores may be merged again and again."""
    put(tmp_path / "empty")
    put(tmp_path / "one", x=GOOD)
    for _ in range(4):
        assert collect([tmp_path / "empty", tmp_path / "empty"], tmp_path / "out") == 0
        assert holds(tmp_path / "out") == {}
    assert collect([tmp_path / "empty", tmp_path / "one"], tmp_path / "out") == 1
    for _ in range(4):
        assert collect([tmp_path / "empty", tmp_path / "one"], tmp_path / "out") == 0
    assert set(holds(tmp_path / "out")) == {"x"}


def test_a_share_is_not_collected_as_the_whole(sweep, tmp_path, capsys):
    """`--collect` with `--shard` exported 1 of 3 shares and called the sweep complete."""
    words = [str(sweep), "--jobs", "1", "--progress", "quiet", "--shard", "1/3", "--out"]
    assert main([*words, str(tmp_path / "part")]) == 0
    collected = [*words, str(tmp_path / "out"), "--collect", str(tmp_path / "part")]
    capsys.readouterr()
    with pytest.raises(SystemExit) as stop:
        main(collected)
    assert stop.value.code == 2
    assert "--collect merges all shares of a sweep; leave --shard out" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
    whole = [word for word in collected if word not in ("--shard", "1/3")]
    assert main(whole) == 1  # control: what is missing is said, and nothing is exported
    assert "runs are in none of the folders" in capsys.readouterr().err
    assert not list((tmp_path / "out").glob("probe*"))
