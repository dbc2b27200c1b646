"""The store gives back what was put in, or says that it cannot."""

import math
import sqlite3
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

import motsim.results.folder
from motsim.experiments.result import Result
from motsim.results.ownership import Owner, lives, myself
from motsim.results.store import Store, StoreError, WorkerDiedError

RESULT = Result(
    "reached",
    {"loss": 0.1 + 0.2, "bad": math.nan, "up": math.inf, "down": -math.inf, "n": 3, "name": "é\n"},
    {"hits": {"epsilon": [0.1, 5e-324], "step": [1, -1]}, "empty": {"a": []}},
)


def put(store, key="k", result=RESULT):
    store.commit(key, "mixture", {"seed": 0}, result, 0.5)


def exactly(value):
    """Comparable text: floats to the bit, NaN equal to NaN, types seen."""
    if isinstance(value, float):
        return value.hex()
    if isinstance(value, dict):
        return {key: exactly(item) for key, item in value.items()}
    if isinstance(value, list):
        return [exactly(item) for item in value]
    return value


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


# --- claims ---------------------------------------------------------------------------------------


NAMED = "from motsim.results.ownership import myself; print(myself(), flush=True)"


def dead_owner():
    """An owner that has ended: a child process names itself and exits."""
    return subprocess.run(
        [sys.executable, "-c", NAMED], check=True, capture_output=True, text=True
    ).stdout.strip()


def claim_as(store, key, owner, tries=1):
    store._db.rows("INSERT OR REPLACE INTO claims VALUES (?, ?, ?)", (key, owner, tries))


def test_a_run_is_claimed_once(tmp_path):
    with Store(tmp_path) as store:
        assert store.lease("k")
        put(store)
        assert not store.lease("k")


def test_a_live_owner_keeps_its_run(tmp_path):
    sleeper = subprocess.Popen(
        [sys.executable, "-c", NAMED + "; input()"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    with sleeper, Store(tmp_path) as store:
        owner = sleeper.stdout.readline().strip()
        claim_as(store, "k", owner)
        assert not store.lease("k")
        assert store.suspects() == set()
        sleeper.kill()
        sleeper.wait()
        assert store.suspects() == {"k"}
        assert store.lease("k")


def test_two_dead_owners_are_enough(tmp_path):
    owner = dead_owner()
    with Store(tmp_path) as store:
        claim_as(store, "once", owner)
        claim_as(store, "twice", owner, tries=2)
        assert store.lease("once")
        with pytest.raises(WorkerDiedError, match="2 workers died"):
            store.lease("twice")


def test_a_reused_pid_is_another_owner():
    me = myself()
    pid = me.process.partition(":")[0]
    assert lives(me, me) is True
    assert lives(replace(me, process=f"{pid}:1"), me) is False


@pytest.mark.parametrize("part", [0, 1, 2], ids=["machine", "boot", "name spaces"])
def test_of_another_place_nothing_is_known(part):
    """Whatever its host is called; the control is the same process here, above."""
    me = myself()
    words = me.place.split(".")
    words[part] = {0: "00000000", 1: "000000000000", 2: "1-1"}[part]
    assert lives(replace(me, place=".".join(words)), me) is None
    assert lives(replace(me, process="1:1", place=".".join(words)), me) is None
    assert lives(replace(me, host="another"), me) is True


def test_an_empty_start_time_is_no_life():
    me = myself()
    pid = me.process.partition(":")[0]
    for start in ("", "0"):
        assert not lives(replace(me, process=f"{pid}:{start}"), me)
    gone = replace(me, process="4194305:")  # above every number that Linux gives
    assert lives(gone, me) is False


def test_where_the_boot_is_not_told_only_ones_own_sweep_is_known():
    me = replace(myself("7:8:abc"), place=f"{myself().place.partition('.')[0]}.unknown.unknown")
    assert lives(me, me) is True
    assert lives(replace(me, sweep="7:8:abd"), me) is None
    assert lives(replace(me, sweep=""), replace(me, sweep="")) is None


def test_names_read_back_and_others_are_told_apart():
    me = myself("12:34:abcd")
    assert Owner.parse(str(me)) == me
    assert Owner.parse(str(replace(me, host="a+b@c^d\n"))).host == "a+b@c^d\n"
    older = Owner.parse("12:34@node1.cluster.org+0b4243ca-9e82-43da-908b-285fa082a8a2")
    assert (older.older, older.host, older.pid) == (True, "node1.cluster.org", "12")
    assert older.boot == "0b4243ca9e82"
    assert Owner.parse("half") is None


def test_an_older_owner_is_known_only_where_it_is_found():
    me = myself()
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    assert lives(Owner.parse(f"{me.process}@{me.host}+{boot}"), me) is True
    for gone in (f"1:1@{me.host}+{boot}", f"{me.process}@{me.host}+another-boot", f"1:@h+{boot}"):
        assert lives(Owner.parse(gone), me) is None


def test_to_forget_failures_frees_no_live_owner(tmp_path):
    """The control is the dead one, beside it."""
    sleeper = subprocess.Popen(
        [sys.executable, "-c", NAMED + "; input()"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    elsewhere = str(replace(myself(), place="00000000.000000000000.1-1"))
    with sleeper, Store(tmp_path) as store:
        owner = sleeper.stdout.readline().strip()
        put(store, "live", result=replace(RESULT, status="error"))
        for key, name in (("live", owner), ("dead", dead_owner()), ("away", elsewhere)):
            claim_as(store, key, name)
        assert store.forget_failures(["live", "dead", "away"]) == 1
        assert store.leases.by_owner() == {owner: ["live"], elsewhere: ["away"]}
        assert not store.lease("live")
        sleeper.kill()
        sleeper.wait()
        store.forget_failures(["live"])
        assert store.lease("live")


def test_who_was_taken_for_dead_spoils_nothing_when_it_comes_back(tmp_path):
    """Its failure replaces no finished run, and the store is whole after it."""
    with Store(tmp_path) as store:
        put(store)
        put(store, result=replace(RESULT, status="error"))
        assert store.settled() == {"k": "reached"}
        put(store, result=replace(RESULT, status="max_steps"))  # control: another finished one does
        assert store.settled() == {"k": "max_steps"}


def test_a_failed_run_is_not_tried_by_the_second_of_two_starts(tmp_path):
    with Store(tmp_path) as store:
        put(store, result=replace(RESULT, status="error"))
        assert not store.lease("k")
        store.forget_failures(["k"])
        assert store.lease("k")  # control: asked for


def test_release_counts_no_try(tmp_path):
    with Store(tmp_path) as store:
        for _ in range(3):
            assert store.lease("k")
            store.release()


def test_two_stores_of_one_folder_see_each_other(tmp_path):
    with Store(tmp_path) as a, Store(tmp_path) as b:
        put(a, "a")
        put(b, "b")
        assert set(a.settled()) == set(b.settled()) == {"a", "b"}


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
