"""Who computes a run: live and dead owners, of here and of elsewhere."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from motsim.results.ownership import Owner, lives, myself
from motsim.results.store import Store, WorkerDiedError
from tests.results.stored import RESULT, put

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
