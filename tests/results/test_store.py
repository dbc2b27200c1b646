"""The store gives back what was put in, or says that it cannot."""

import sqlite3
import subprocess
import sys
from dataclasses import replace

import pytest

import motsim.results.folder
from motsim.experiments.result import Result
from motsim.results.store import Store, StoreError
from tests.results.stored import RESULT, exactly, put


def test_round_trip_is_exact(tmp_path):
    with Store(tmp_path / "a" / "b") as store:
        put(store)
    with Store(tmp_path / "a" / "b") as store:
        (found,) = store.read(["absent", "k"])
    assert (found.key, found.status, found.seconds) == ("k", "reached", 0.5)
    assert found.result.status == "reached"
    assert exactly(found.result.metrics) == exactly(RESULT.metrics)
    assert exactly(found.result.tables) == exactly(RESULT.tables)


def test_runs_are_read_in_the_asked_order(tmp_path):
    with Store(tmp_path) as store:
        for key in ("b", "a", "c"):
            put(store, key)
        assert [run.key for run in store.read(["c", "x", "a", "b"])] == ["c", "a", "b"]


def test_the_last_commit_of_a_key_counts(tmp_path):
    with Store(tmp_path) as store:
        put(store, result=Result("error", {"error": "boom"}))
        assert store.settled() == {"k": "error"}
        put(store)
        assert store.settled() == {"k": "reached"}
        (found,) = store.read(["k"])
        assert found.status == "reached"


@pytest.mark.parametrize("status", ["reached", "max_steps", "diverged", "done"])
def test_only_failures_are_forgotten(tmp_path, status):
    with Store(tmp_path) as store:
        put(store, "good", result=replace(RESULT, status=status))
        put(store, "bad", result=replace(RESULT, status="error"))
        put(store, "other", result=replace(RESULT, status="worker_died"))
        assert store.forget_failures(["good", "bad"]) == 1
        assert store.settled() == {"good": status, "other": "worker_died"}


# --- damage ---------------------------------------------------------------------------------------


def change(folder, command, *values):
    db = sqlite3.connect(folder / "results.db")
    with db:
        db.execute(command, values)
    db.close()


@pytest.mark.parametrize("bit", [0, 77, -1])
def test_a_flipped_bit_of_the_payload_is_seen(tmp_path, bit):
    with Store(tmp_path) as store:
        put(store)
        put(store, "sound")
    db = sqlite3.connect(tmp_path / "results.db")
    payload = bytearray(db.execute("SELECT payload FROM details WHERE key = 'k'").fetchone()[0])
    db.close()
    payload[bit // 8] ^= 1 << bit % 8
    change(tmp_path, "UPDATE details SET payload = ? WHERE key = 'k'", bytes(payload))
    with Store(tmp_path) as store:
        assert [run.key for run in store.read(["sound"])] == ["sound"]
        with pytest.raises(StoreError, match=r"results\.db: run k is damaged \(checksum\)"):
            list(store.read(["k"]))


def test_a_changed_status_or_key_is_seen(tmp_path):
    with Store(tmp_path) as store:
        put(store)
    change(tmp_path, "UPDATE runs SET status = 'max_steps'")
    with Store(tmp_path) as store, pytest.raises(StoreError, match="damaged"):
        list(store.read(["k"]))
    change(tmp_path, "UPDATE runs SET status = 'reached', key = 'other'")
    with Store(tmp_path) as store, pytest.raises(StoreError, match="damaged"):
        store.settled()
    change(tmp_path, "UPDATE runs SET key = 'k'")  # negative control: as it was
    with Store(tmp_path) as store:
        assert len(list(store.read(["k"]))) == 1


@pytest.mark.parametrize("content", [b"not a database, but longer than a header" * 40, b"x" * 200])
def test_a_file_that_is_no_store_is_refused_and_left_alone(tmp_path, content):
    (tmp_path / "results.db").write_bytes(content)
    with pytest.raises(StoreError, match=r"not a database; .*move results\.db\* away"):
        Store(tmp_path)
    assert (tmp_path / "results.db").read_bytes() == content


# --- where it can be ------------------------------------------------------------------------------


def test_a_folder_that_is_a_file_is_refused(tmp_path):
    (tmp_path / "out").write_text("mine")
    with pytest.raises(StoreError, match="out: cannot be used as results folder"):
        Store(tmp_path / "out")
    with pytest.raises(StoreError, match="cannot be used as results folder"):
        Store(tmp_path / "out" / "deeper")
    assert (tmp_path / "out").read_text() == "mine"


def test_a_folder_without_write_permission_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(
        motsim.results.folder.os, "access", lambda path, mode: False
    )  # also for root
    with pytest.raises(StoreError, match="cannot be written; choose another with --out"):
        Store(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_store_that_is_a_folder_is_refused(tmp_path):
    (tmp_path / "results.db").mkdir()
    with pytest.raises(StoreError, match=r"results\.db: Is a directory"):
        Store(tmp_path)


# --- from one store to another --------------------------------------------------------------------


def test_merge_copies_what_is_not_finished_here(tmp_path):
    failed = Result("error", {"error": "boom"})
    with Store(tmp_path / "a") as ours, Store(tmp_path / "b") as theirs:
        put(ours, "both")
        put(ours, "better", failed)
        put(ours, "worse")
        put(theirs, "both")
        put(theirs, "better")
        put(theirs, "worse", failed)
        put(theirs, "new")
        put(theirs, "new-error", failed)
        assert ours.merge(theirs) == 3
        assert ours.merge(theirs) == 0
        assert ours.settled() == {
            "both": "reached", "better": "reached", "worse": "reached", "new": "reached",
            "new-error": "error",
        }  # fmt: skip
        (ours_now,), (their_own,) = ours.read(["new"]), theirs.read(["new"])
        assert exactly(ours_now.result.metrics) == exactly(their_own.result.metrics)
        assert theirs.settled()["better"] == "reached"


def test_many_short_commits_wait_for_the_disk_once(tmp_path):
    with Store(tmp_path) as store:
        commands = []
        rows = store._db.rows
        store._db.rows = lambda text, values=(): commands.append(text) or rows(text, values)
        put(store, "first")
        before = store._db.tally.commits()
        commands.clear()
        with store.together():
            for number in range(5):
                put(store, f"k{number}")
            assert store._db.tally.commits() == before  # not while a loss of power could undo them
        assert [text.partition("=")[2] for text in commands if "synchronous" in text] == [
            *["NORMAL"] * 5, "FULL",
        ]  # fmt: skip
        assert store._db.tally.commits() == before + 6
        with store.together():
            pass
        assert store._db.tally.commits() == before + 6
        put(store, "last")  # control: outside, each commit waits
        assert commands.count("PRAGMA synchronous=FULL") == 2
    with Store(tmp_path) as store:
        assert len(store.settled()) == 7


def test_eight_processes_may_make_one_store(tmp_path):
    code = (
        "import sys; from pathlib import Path; from motsim.results.store import Store\n"
        "with Store(Path(sys.argv[1])) as store: assert store.lease(sys.argv[2])"
    )
    for number in range(3):
        folder = tmp_path / str(number)
        calls = [[sys.executable, "-c", code, str(folder), f"k{i}"] for i in range(8)]
        started = [subprocess.Popen(call, stderr=subprocess.PIPE, text=True) for call in calls]
        ends = [(process.communicate()[1], process.returncode) for process in started]
        assert [code for _, code in ends] == [0] * 8, ends
