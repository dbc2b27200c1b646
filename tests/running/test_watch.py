"""Signs of life: a silence is what was looked at and stood still; locks and name spaces."""

import contextlib
import os
import subprocess
import sys
from dataclasses import replace

import pytest

from motsim.results.ownership import myself
from motsim.results.presence import Presence, is_marked, lock_file
from motsim.results.store import Store
from motsim.running import watch
from motsim.running.watch import BEAT, QUIET, SILENCE, Sight, Watch, judge
from tests.faults.places import needs_places, place

ELSEWHERE = "00000000.000000000000.1-1"


def looks(*seen, step=BEAT):
    """What a watch has seen of `a` after looks at these counts, so many seconds apart."""
    watched = Watch()
    for number, beat in enumerate(seen):
        watched.look({"a": beat}, 100.0 + step * number)
    return watched.sight("a")


def test_a_count_that_stands_still_is_a_silence():
    assert looks(5) == Sight(5, silent=0.0, watched=0.0)
    assert looks(5, 5, 5) == Sight(5, silent=2 * BEAT, watched=2 * BEAT)
    assert looks(None, None) == Sight(None, silent=BEAT, watched=BEAT)


def test_a_count_that_moves_is_none_in_whatever_direction():
    assert looks(5, 6, 7).silent == 0.0
    assert looks(5, 5, 4).silent == 0.0
    assert looks(None, 1).silent == 0.0
    assert looks(5, 6, 6) == Sight(6, silent=BEAT, watched=2 * BEAT)


def test_who_did_not_look_has_seen_no_silence():
    """A process that was stopped for an hour looks twice; the control looks all the time."""
    assert looks(5, 5, step=3600.0).silent == 2 * BEAT < QUIET
    assert looks(*[5] * 16).silent == 15 * BEAT >= SILENCE


def test_a_name_that_comes_later_was_not_watched_before():
    watched = Watch()
    watched.look({}, 0.0)
    watched.look({"a": 1}, BEAT)
    assert watched.sight("a").watched == 0.0
    watched.look({"a": 1}, 2 * BEAT)
    assert watched.sight("a").silent == BEAT
    watched.look({}, 3 * BEAT)  # gone, and begun anew
    watched.look({"a": 1}, 4 * BEAT)
    assert watched.sight("a").silent == 0.0


@pytest.mark.parametrize(("silent", "verdict"), [(SILENCE - 1, "unsure"), (SILENCE, "silent")])
def test_of_another_machine_silence_decides(tmp_path, silent, verdict):
    owner = replace(myself("7:8:abc"), place=ELSEWHERE)
    assert judge(owner, myself(), Sight(3, silent, silent), tmp_path) == verdict
    older = replace(owner, older=True)
    assert judge(older, myself(), Sight(None, silent, silent), tmp_path) == "unknown"


@pytest.mark.parametrize("network", [False, True])
def test_in_another_name_space_a_lock_that_is_gone_shortens_it(tmp_path, monkeypatch, network):
    """Unless the folder is on a network, where locks may not be passed on."""
    monkeypatch.setattr(watch, "sees_locks", lambda folder: not network)
    me = myself()
    machine, boot, _ = me.place.split(".")
    owner = replace(myself("7:8:abc"), place=f"{machine}.{boot}.1-1")
    sight = Sight(3, QUIET, QUIET)
    assert judge(owner, me, sight, tmp_path) == "unsure"  # no lock could be made
    Presence(tmp_path, ["another"]).close()
    assert judge(owner, me, sight, tmp_path) == ("unsure" if network else "silent")
    mark = Presence(tmp_path, owner.marks[1:])  # its sweep is there
    assert judge(owner, me, Sight(3, 10 * SILENCE, 10 * SILENCE), tmp_path) == "alive"
    mark.close()
    assert judge(owner, me, sight, tmp_path) == ("unsure" if network else "silent")


def test_marks_end_with_their_process_and_with_no_other_descriptor(tmp_path):
    code = (
        "import sys, pathlib; from motsim.results.presence import Presence as P;"
        "p = P(pathlib.Path(sys.argv[1]), ['a']); print('there', flush=True); input()"
    )
    assert is_marked(tmp_path, ["a"]) is None  # there is no file to ask
    with subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        process.stdout.readline()
        assert is_marked(tmp_path, ["a"]) is True
        assert is_marked(tmp_path, ["b"]) is False
        mine = Presence(tmp_path, ["b"])
        os.close(os.open(tmp_path / ".motsim-alive", os.O_RDONLY))
        assert is_marked(tmp_path, ["b"]) is True
        mine.close()
        assert is_marked(tmp_path, ["b"]) is False
        process.kill()
        process.wait()
        assert is_marked(tmp_path, ["a"]) is False


def test_a_file_is_locked_by_one(tmp_path):
    with (tmp_path / "a").open("wb") as one, (tmp_path / "a").open("r+b") as other:
        assert lock_file(one.fileno()) is True
        assert lock_file(other.fileno()) is False
        one.close()
        assert lock_file(other.fileno()) is True


def test_without_such_locks_nothing_is_said(tmp_path, monkeypatch):
    monkeypatch.setattr("motsim.results.presence.SET", None)
    monkeypatch.setattr("motsim.results.presence.GET", None)
    Presence(tmp_path, ["a"]).close()
    assert list(tmp_path.iterdir()) == []
    assert is_marked(tmp_path, ["a"]) is None
    assert lock_file(0) is None


def test_a_sign_is_seen_by_others_and_an_older_file_needs_no_migration(tmp_path):
    with Store(tmp_path, sweep="1:2:abc") as one, Store(tmp_path, sweep="3:4:def") as other:
        version = one._db.version()
        assert other.leases._sign(one.leases.me.signs) is None
        assert one.leases.give_sign() == {one.leases.me.signs: 1}
        assert other.leases.give_sign() == {one.leases.me.signs: 1, other.leases.me.signs: 1}
        assert one.leases.give_sign()[one.leases.me.signs] == 2
        assert one.leases.end()
        assert list(other.leases.give_sign()) == [other.leases.me.signs]
        assert one._db.version() == version


def test_a_sign_in_the_last_moment_saves_the_owner(tmp_path):
    with Store(tmp_path, sweep="1:2:abc") as one, Store(tmp_path) as other:
        signs = one.leases.give_sign()
        assert one.lease("k")
        name = str(one.leases.me)
        one.leases.give_sign()
        assert other.leases.free([name], signs) == {}
        assert other.leases.free([name], {one.leases.me.signs: 2}) == {name: 1}  # control
        assert other.lease("k")


SPACE = (
    "from motsim.results.ownership import myself, lives; import os;"
    "me = myself(); print(me.place, lives(me, me), me.pid == str(os.getpid()), flush=True);"
    "input()"  # a space that is gone may leave its number to the next
)


@needs_places
def test_places_differ_even_where_proc_is_that_of_the_space_around():
    """There, process 1 of every space would be the system's first, which lives for ever."""
    inside = ["unshare", "--user", "--map-root-user", "--pid", "--fork", "--kill-child"]
    calls = [[], inside, inside, place("x")]
    with contextlib.ExitStack() as stack:
        every = [
            stack.enter_context(
                subprocess.Popen(
                    [*words, sys.executable, "-c", SPACE],
                    stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                    text=True,
                )
            )
            for words in calls
        ]  # fmt: skip
        told = [process.stdout.readline().split() for process in every]
        for process in every:
            process.stdin.close()
    assert len({where for where, *_ in told}) == 4
    assert [words[1:] for words in told] == [
        ["True", "True"], ["True", "False"], ["True", "False"], ["True", "True"],
    ]  # fmt: skip
