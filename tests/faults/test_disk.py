"""No room and no access: said in one line at once, nothing half written, all goes on after."""

import errno
import os
import shutil
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from motsim.results.folder import not_written
from motsim.results.mounts import network_file_system
from motsim.results.store import Store, StoreError
from tests.faults.harness import ROOT, Bench, end, sound

SMALL, LARGE = "size=256k", "size=64m"


def mount(options, folder):
    call = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
    return subprocess.run(call, capture_output=True, check=False).returncode == 0


@pytest.fixture
def disk(tmp_path):
    """A file system of 256 KiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if not (sys.platform == "linux" and os.getuid() == 0 and mount(SMALL, folder)):
        pytest.skip("mounting a tmpfs needs root on Linux: F6 is not tested here")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def grow(disk):
    subprocess.run(["mount", "-o", f"remount,{LARGE}", str(disk)], check=True)


def strays(folder):
    return [path.name for path in folder.rglob("*") if ".part-" in path.name]


def test_f6_disk_full_for_the_store(tmp_path, disk, record):
    bench = Bench(tmp_path, runs=300, seconds=0.0)
    out = disk / "out"
    process = bench.start(jobs=2, out=out)
    try:
        _, errors = process.communicate(timeout=120)
    finally:
        end(process)
    seconds = time.time() - max(path.stat().st_mtime for path in out.iterdir())
    assert process.returncode == 2, errors
    line = errors.strip().splitlines()[-1]
    assert str(out) in line
    assert "bytes are free" in line
    assert "Traceback" not in errors
    assert seconds < 5
    acknowledged = set(bench.notes("acknowledged"))
    copy = tmp_path / "copy"
    shutil.copytree(out, copy)
    with Store(copy) as store:
        kept = {run.key for run in store.read(store.settled())}
    assert acknowledged <= kept
    assert 0 < len(kept) < bench.runs
    assert sound(copy / "results.db")
    assert strays(disk) == []
    grow(disk)
    bench.sweep(out=out)
    assert bench.tables(out) == bench.clean_tables()
    record(
        "F6",
        f"disk of 256 KiB full after {len(kept)} of {bench.runs} runs: one line with path and free"
        " bytes, 0 rows lost, store sound, same tables once there is room",
    )


@pytest.mark.skipif(sys.platform != "linux", reason="limits of file size are tried on Linux")
def test_f6_writes_that_fail_without_being_root(tmp_path, record):
    bench = Bench(tmp_path, runs=200, seconds=0.0, size=400)
    limit = 200_000
    _, errors, _ = bench.sweep(code=2, env={"MOTSIM_FAULT_FILE_SIZE": str(limit)}, jobs=1)
    line = errors.strip().splitlines()[-1]
    assert str(bench.out) in line
    assert "bytes are free" in line
    assert "Traceback" not in errors
    with Store(bench.out) as store:
        kept = {run.key for run in store.read(store.settled())}
    assert set(bench.notes("acknowledged")) <= kept
    assert 0 < len(kept) < bench.runs
    assert sound(bench.out / "results.db")
    bench.sweep()
    assert bench.tables() == bench.clean_tables()
    record("F6", f"writes over {limit:,} bytes fail: {len(kept)} of {bench.runs} runs kept, 0 lost")


def test_f6_disk_full_for_the_export(tmp_path, disk, record):
    grow(disk)
    bench = Bench(tmp_path, runs=40, seconds=0.0, size=400)
    out = disk / "out"
    bench.sweep(out=out)
    before = bench.tables(out)
    ballast = disk / "ballast"
    free = shutil.disk_usage(disk).free
    ballast.write_bytes(b"0" * (free - 160 * 1024))
    _, errors, _ = bench.sweep(out=out, code=2)
    line = errors.strip().splitlines()[-1]
    assert "bench" in line
    assert "bytes are free" in line
    assert "Traceback" not in errors
    assert bench.tables(out) == before
    assert strays(disk) == []
    ballast.unlink()
    bench.sweep(out=out)
    assert bench.tables(out) == before == bench.clean_tables()
    record("F6", "disk full at the export: old tables unchanged, 0 stray files, same bytes after")


def test_f6_control_tables_written_in_place_are_spoilt(tmp_path, disk):
    grow(disk)
    bench = Bench(tmp_path, runs=40, seconds=0.0, size=400)
    out = disk / "out"
    bench.sweep(out=out)
    before = bench.tables(out)
    held = sum(path.stat().st_size for path in out.glob("bench.*"))
    (disk / "ballast").write_bytes(b"0" * (shutil.disk_usage(disk).free - 160 * 1024))
    more = Bench(tmp_path, runs=40, seconds=0.0, size=400)
    more.file.write_text(more.file.read_text().replace("Bench", "B" * (held + 200_000)))
    process = more.start(out=out, off="write_in_place")
    try:
        process.communicate(timeout=120)
    finally:
        end(process)
    assert process.returncode != 0
    assert bench.tables(out) != before


class Refusing(sqlite3.Connection):
    """As on a file system that maps no files, is faulty, or is full."""

    refusal = 0

    def execute(self, command, values=()):
        if command == "PRAGMA journal_mode=wal":
            error = sqlite3.OperationalError("disk I/O error")
            error.sqlite_errorcode = self.refusal
            raise error
        return super().execute(command, values)


CAUSES = {
    sqlite3.SQLITE_IOERR_SHMMAP: ["its file system (nfs-like) maps no files into shared memory"],
    sqlite3.SQLITE_IOERR_WRITE: ["its file system (nfs-like) refuses it", "bytes are free"],
    sqlite3.SQLITE_FULL: ["Make room", "bytes are free"],
}


@pytest.mark.parametrize("code", CAUSES)
def test_the_cause_of_a_refusal_is_named(mounted, monkeypatch, record, code):
    """The advice was to make room, on a disk with 70 GB free; each cause is the others' control."""
    folder = mounted("nfs-like")
    connect = sqlite3.connect
    monkeypatch.setattr(Refusing, "refusal", code)
    monkeypatch.setattr(sqlite3, "connect", lambda *a, **k: connect(*a, factory=Refusing, **k))
    with pytest.raises(StoreError) as no:
        Store(folder)
    words = {word for told in CAUSES.values() for word in told}
    assert {word for word in words if word in str(no.value)} == set(CAUSES[code])
    assert str(folder / "results.db") in str(no.value)
    assert "--out" in str(no.value) or "Make room" in str(no.value)
    assert "\n" not in str(no.value)


@pytest.mark.parametrize(
    ("number", "free", "full"),
    [
        (errno.ENOSPC, 2**40, True),
        (errno.EDQUOT, 2**40, True),
        (errno.EIO, 2**40, False),
        (errno.EFBIG, 2**40, False),
        (errno.EIO, 4096, True),
    ],
)
def test_make_room_is_said_of_a_full_disk_only(tmp_path, monkeypatch, number, free, full):
    monkeypatch.setattr("motsim.results.folder.free_bytes", lambda folder: free)
    told = str(not_written(tmp_path / "a.csv", OSError(number, os.strerror(number))))
    assert ("Make room" in told, "file system" in told) == (full, not full)


REFUSALS = {
    "a file": lambda folder: folder / "file",
    "below a file": lambda folder: folder / "file" / "deeper" / "still",
    "no permission": lambda folder: Path("/proc/motsim"),
    "store is a folder": lambda folder: folder / "taken",
}


@pytest.mark.parametrize("name", REFUSALS)
def test_f7_place_that_cannot_be_written(tmp_path, name, record):
    bench = Bench(tmp_path)
    (tmp_path / "file").write_text("mine")
    (tmp_path / "taken" / "results.db").mkdir(parents=True)
    out = REFUSALS[name](tmp_path)
    _, errors, seconds = bench.sweep(out=out, code=2)
    assert str(out) in errors.strip().splitlines()[-1]
    assert "Traceback" not in errors
    assert not bench.log.exists()  # nothing begun
    assert (tmp_path / "file").read_text() == "mine"
    record("F7", f"{name}: refused after {seconds:.2f} s, start of Python included; 0 runs")


def test_f7_refused_before_anything_is_loaded(tmp_path, record):
    """The shipped command, in which loading numba alone may take a second."""
    (tmp_path / "file").write_text("mine")
    call = [sys.executable, "-X", "importtime", "-m", "motsim.sweep", "--out"]
    begin = time.monotonic()
    done = subprocess.run(
        [*call, str(tmp_path / "file")], capture_output=True, text=True, cwd=ROOT, check=False
    )
    seconds = time.monotonic() - begin
    assert done.returncode == 2
    loaded = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "motsim.results.folder" in loaded  # control: the list is one of modules
    assert not {"numba", "numpy", "pandas", "joblib"} & loaded
    record("F7", f"motsim.sweep --out FILE: refused after {seconds:.2f} s")


def test_f7_control_a_good_place_is_used(tmp_path):
    bench = Bench(tmp_path, runs=2, seconds=0.0)
    bench.sweep(out=tmp_path / "new" / "deeper", jobs=1)
    assert len(bench.notes("computed")) == 2


# --- network file systems -------------------------------------------------------------------------

TABLE = """\
22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw
30 22 0:25 / /tmp rw - tmpfs tmpfs rw
40 22 0:40 / {mount} rw,relatime shared:9 - {kind} server:/home rw
"""


@pytest.fixture
def mounted(tmp_path, monkeypatch):
    """mounted(kind): a folder with a blank in its name, on a file system of this type."""

    def make(kind):
        folder = tmp_path / "my disk" / "deeper"
        folder.mkdir(parents=True, exist_ok=True)
        table = tmp_path / "mountinfo"
        place = str(tmp_path / "my disk").replace(" ", r"\040")
        table.write_text(TABLE.format(mount=place, kind=kind))
        monkeypatch.setattr("motsim.results.mounts.TABLE", table)
        return folder

    return make


@pytest.mark.parametrize("kind", ["nfs4", "cifs", "lustre", "fuse.sshfs"])
def test_network_file_systems_are_recognized(mounted, tmp_path, kind):
    assert network_file_system(mounted(kind)) == kind
    assert network_file_system(tmp_path) is None  # control: beside it
    assert network_file_system(mounted("ext4")) is None


def journal(folder):
    with Store(folder) as store:
        return store._db.rows("PRAGMA journal_mode")[0][0]


def test_a_store_on_a_network_keeps_a_rollback_journal_and_says_so_once(mounted, caplog):
    folder = mounted("ext4")
    assert journal(folder) == "wal"
    assert caplog.messages == []
    folder = mounted("nfs4")
    assert [journal(folder), journal(folder)] == ["delete", "delete"]
    (message,) = caplog.messages
    assert "network file system (nfs4)" in message
    with Store(folder) as store:
        from motsim.experiments.result import Result

        store.commit("k", "trial", {}, Result("done", {}), 0.0)
        assert store.settled() == {"k": "done"}


def test_a_machine_that_does_not_tell_counts_as_local(tmp_path, monkeypatch):
    monkeypatch.setattr("motsim.results.mounts.TABLE", tmp_path / "missing")
    assert network_file_system(tmp_path) is None
