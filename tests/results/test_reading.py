"""Commands that only read: no trace in a folder, which may be read-only; strangers' files too."""

import contextlib
import os
import shutil
import sqlite3
import subprocess
import sys

import pytest

import motsim.results.database
import motsim.results.opening
from motsim.experiments.result import Result
from motsim.report.__main__ import main as report
from motsim.results.opening import APPLICATION
from motsim.results.store import Store, StoreError
from motsim.sweep import main
from tests.faults.harness import FIXTURES

SWEEP = "title = 'P'\nkind = 'probe'\nseeds = 4\n"


@pytest.fixture
def probe(kinds, tmp_path):
    path = tmp_path / "probe.toml"
    path.write_text(SWEEP)
    return str(path)


def content(folder):
    return {
        path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()
    }


@contextlib.contextmanager
def locked(folder):
    """Nothing in this folder can be written, by root neither."""
    if os.getuid():
        folder.chmod(0o555)
        try:
            yield folder
        finally:
            folder.chmod(0o755)
        return
    there = folder.with_name(folder.name + "-locked")
    there.mkdir()
    for options in (["--bind", str(folder)], ["-o", "remount,bind,ro"]):
        if subprocess.run(
            ["mount", *options, str(there)], capture_output=True, check=False
        ).returncode:
            pytest.skip("root may write everywhere, and no mount can be made here")
    try:
        yield there
    finally:
        subprocess.run(["umount", "-l", str(there)], check=True)


def copies(folder, whole):
    """Of a store that is closed, and of one whose sweep was killed: with a log."""
    with Store(whole) as store:
        store.commit("more", "probe", {}, Result("done", {"value": 1.0}), 0.0)
        shutil.copytree(whole, folder / "killed", ignore=shutil.ignore_patterns("*-shm"))
    assert (folder / "killed" / "results.db-wal").stat().st_size
    shutil.copytree(whole, folder / "closed")
    assert not (folder / "closed" / "results.db-wal").exists()
    return [folder / "killed", folder / "closed"]


@pytest.fixture
def whole(probe, tmp_path, capsys):
    out = tmp_path / "whole"
    assert main([probe, "--jobs", "1", "--progress", "quiet", "--out", str(out)]) == 0
    return out


def test_reading_commands_work_in_a_read_only_folder(probe, whole, tmp_path, capsys):
    for folder in copies(tmp_path, whole):
        with locked(folder) as place:
            before = content(place)
            with pytest.raises(OSError, match=r"."):  # control: it is locked
                (place / "new").write_text("x")
            for words in ([probe, "--status"], [probe, "--dry-run"]):
                assert main([*words, "--out", str(place)]) == 0, capsys.readouterr().err
            told = capsys.readouterr().out
            assert "5 runs, 0 failed" in told
            assert told.count(" done") >= 4
            out = tmp_path / f"from {folder.name}"
            assert main([probe, "--out", str(out), "--collect", str(place)]) == 0
            assert "5 runs added" in capsys.readouterr().out
            assert (out / "probe.csv").read_bytes() == (whole / "probe.csv").read_bytes()
            page = tmp_path / "page.html"
            assert report(["probe", "--out", str(place), "--to", str(page)]) == 0
            assert content(place) == before
            # Control: a command that writes is refused.
            with pytest.raises(StoreError, match=r"read-?only|cannot be written"):
                Store(place)


def test_reading_leaves_no_file_behind(probe, whole, capsys):
    before = content(whole)
    assert main([probe, "--status", "--out", str(whole)]) == 0
    assert main([probe, "--dry-run", "--out", str(whole)]) == 0
    assert content(whole) == before
    with Store(whole) as store:  # control: a store that may be written has files beside it
        store.settled()
        assert content(whole) != before


def test_status_of_a_sweep_under_way_sees_its_log(probe, whole, capsys):
    with Store(whole) as store:
        store.commit("more", "probe", {}, Result("done", {}), 0.0)
        assert (whole / "results.db-wal").stat().st_size
        assert main([probe, "--status", "--out", str(whole)]) == 0
    assert "5 runs, 0 failed" in capsys.readouterr().out


def test_an_older_schema_is_read_and_left_alone(probe, tmp_path, capsys):
    shutil.copy(FIXTURES / "schema1.db", tmp_path / "results.db")
    before = content(tmp_path)
    assert main([probe, "--status", "--out", str(tmp_path)]) == 0
    assert "8 runs, 2 failed" in capsys.readouterr().out
    assert content(tmp_path) == before


def test_a_store_that_changes_while_it_is_read_is_not_called_damaged(whole, monkeypatch):
    """A closed store is read without locks; a sweep may begin meanwhile."""
    with Store(whole, read_only=True) as reader, Store(whole) as store:
        store.commit("more", "probe", {}, Result("done", {}), 0.0)
        with pytest.raises(StoreError, match="changed while it was read; give the same command"):
            reader.settled()
    monkeypatch.setattr(motsim.results.database.Database, "_moved", lambda self: None)
    with Store(whole, read_only=True) as reader, Store(whole) as store:
        store.commit("last", "probe", {}, Result("done", {}), 0.0)
        with pytest.raises(StoreError, match=r"commits are missing.*repair"):
            reader.settled()  # control: it is taken for a loss


@pytest.mark.parametrize("left", ["results.db-tally", "results.db-wal"])
def test_a_store_that_is_gone_is_no_new_one(tmp_path, left):
    """Its log, which may hold every run, and its tally stay; they were deleted in silence."""
    gone = tmp_path / "gone"
    gone.mkdir()
    with Store(tmp_path) as store:
        store.commit("k", "probe", {}, Result("done", {}), 0.0)
        shutil.copy(tmp_path / left, gone / left)
    before = content(gone)
    for read_only in (False, True):
        with pytest.raises(StoreError, match=r"results\.db: missing, though .* put it back") as no:
            Store(gone, read_only=read_only)
        assert "\n" not in str(no.value)
    assert content(gone) == before
    (gone / left).rename(tmp_path / "away")  # control: moved away, as the line says
    with Store(gone) as store:
        assert store.settled() == {}


# --- strangers' files -----------------------------------------------------------------------------

STRANGERS = {
    "a table": ["CREATE TABLE people (name TEXT)"],
    "with a log": ["PRAGMA journal_mode=WAL", "CREATE TABLE people (name TEXT)"],
    "runs of another program": [
        "CREATE TABLE runs (id INTEGER, who TEXT)",
        "PRAGMA user_version=2",
    ],
    "its own id": [
        "CREATE TABLE t (a)",
        "PRAGMA application_id=1196444487",
        "PRAGMA user_version=9",
    ],
    "another schema": ["CREATE TABLE claims (key, owner, tries)", "PRAGMA user_version=1"],
}


@pytest.mark.parametrize("name", STRANGERS)
@pytest.mark.parametrize(
    "words", [["--status"], ["--dry-run"], ["--jobs", "1"], ["--collect", "."]]
)
def test_a_strangers_database_is_refused_and_left_alone(probe, tmp_path, capsys, name, words):
    out = tmp_path / "out"
    out.mkdir()
    with contextlib.closing(sqlite3.connect(out / "results.db")) as db:
        for command in STRANGERS[name]:
            db.execute(command)
        db.commit()
    before = content(out)
    words = [str(out) if word == "." else word for word in words]
    mine = tmp_path / "new" if "--collect" in words else out
    assert main([probe, "--out", str(mine), *words]) == 2
    line = capsys.readouterr().err.strip().splitlines()[-1]
    assert "results.db: a database that is not motsim's; nothing was changed in it" in line
    assert content(out) == before


def test_a_store_is_known_by_its_application_id(whole):
    path = whole / "results.db"

    def identity():
        return int.from_bytes(path.read_bytes()[68:72], "big")

    assert identity() == APPLICATION
    with contextlib.closing(sqlite3.connect(path)) as db:  # as before there was one
        db.execute("PRAGMA application_id=0")
    assert identity() == 0
    with Store(whole, read_only=True) as store:
        assert len(store.settled()) == 4
    assert identity() == 0
    with Store(whole) as store:
        assert len(store.settled()) == 4
    assert identity() == APPLICATION


def test_a_database_with_nothing_in_it_becomes_a_store(tmp_path):
    """The control of the refusals: nobody's work is lost."""
    with contextlib.closing(sqlite3.connect(tmp_path / "results.db")) as db:
        db.execute("PRAGMA journal_mode=WAL")
    assert (tmp_path / "results.db").stat().st_size
    with Store(tmp_path) as store:
        assert store.settled() == {}


def test_two_starts_may_make_a_store_while_others_look(tmp_path):
    """Eight looks at a store that is being made: none takes it for a stranger's, or for lost."""
    code = (
        "import sys; from pathlib import Path; from motsim.results.store import Store\n"
        "from motsim.experiments.result import Result\n"
        "for i in range(20):\n"
        "    with Store(Path(sys.argv[1]) / str(i)) as store:\n"
        "        store.commit(sys.argv[2], 'probe', {}, Result('done', {}), 0.0)\n"
    )
    calls = [[sys.executable, "-c", code, str(tmp_path), f"k{i}"] for i in range(4)]
    started = [subprocess.Popen(call, stderr=subprocess.PIPE, text=True) for call in calls]
    ends = [(process.communicate()[1], process.returncode) for process in started]
    assert [code for _, code in ends] == [0] * 4, ends
    for number in range(20):
        with Store(tmp_path / str(number)) as store:
            assert len(store.settled()) == 4


VISITOR = """
import sys
from pathlib import Path
from motsim.results.store import Store
with Store(Path(sys.argv[1])) as store:
    store.settled()
"""


@pytest.mark.parametrize("careful", [True, False])
def test_a_second_connection_keeps_the_locks_of_the_first(tmp_path, monkeypatch, careful):
    """Closing any descriptor of a file takes its process's locks away; then a visitor that leaves
    removes the log. The control looks at the header of a file that a connection is on."""
    if not careful:
        monkeypatch.setattr(motsim.results.opening, "_is_held", lambda path: False)
    with Store(tmp_path) as first:
        first.commit("a", "probe", {}, Result("done", {}, {}), 0.0)
        for read_only in (False, True):
            with Store(tmp_path, read_only=read_only) as second:
                assert second.settled() == {"a": "done"}
        subprocess.run([sys.executable, "-c", VISITOR, str(tmp_path)], check=True)
        assert (tmp_path / "results.db-wal").exists() == careful
        if careful:
            first.commit("b", "probe", {}, Result("done", {}, {}), 0.0)
            with Store(tmp_path) as second:
                assert set(second.settled()) == {"a", "b"}
