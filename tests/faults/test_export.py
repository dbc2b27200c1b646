"""An export that is killed: a reader finds the old tables or the new ones, whole."""

import subprocess
import sys
import threading
import time

import pytest

from motsim.results.tables import TablesError, load_tables
from tests.faults.harness import SITE, Bench, choices, end

NAMES = ("bench.csv", "bench.numbers.csv.gz", "bench.json")


class Reader(threading.Thread):
    """Reads the tables every millisecond, and counts what it has not seen in a whole export."""

    def __init__(self, folder, known):
        super().__init__(daemon=True)
        self.folder, self.known = folder, known
        self.reads = self.invalid = 0
        self.done = threading.Event()

    def run(self):
        while not self.done.wait(0.001):
            for name in NAMES:
                self.reads += 1
                self.invalid += (self.folder / name).read_bytes() not in self.known[name]


def exporting(bench, folders, off=None):
    call = [sys.executable, str(SITE / "exporter.py"), str(bench.file), *map(str, folders)]
    return subprocess.Popen(
        [*call, str(bench.folder / "tables")], env=bench.environment(off),
        stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip


@pytest.fixture
def bench(tmp_path):
    """Two stores with other runs of one sweep file, and both their tables."""
    bench = Bench(tmp_path, runs=10, seconds=0.0, size=2000)
    folders = [tmp_path / "one", tmp_path / "two"]
    bench.sweep(out=folders[0], jobs=1)
    bench.sweep("--seeds", "6", out=folders[1], jobs=1)
    tables = tmp_path / "tables"
    tables.mkdir()
    known = {name: [] for name in NAMES}
    for folder in folders:
        process = exporting(bench, [folder, folder])
        try:
            bench.wait(process, "exported", len(bench.notes("exported")) + 1)
        finally:
            end(process)
        for name in NAMES:
            known[name].append((tables / name).read_bytes())
    assert all(one != other for one, other in known.values())
    return bench, folders, tables, known


def kill_exports(found, kills, rng, off=None):
    """(reads, invalid reads, states of the tables after a kill: whole or seen to be mixed)."""
    bench, folders, tables, known = found
    reader = Reader(tables, known)
    reader.start()
    states = {"whole": 0, "mixed": 0, "wrong": 0}
    for _ in range(kills):
        process = exporting(bench, folders, off)
        try:
            bench.wait(process, "export", len(bench.notes("export")) + 1)
            time.sleep(rng.uniform(0, 0.4))
        finally:
            end(process)
        content = [(tables / name).read_bytes() for name in NAMES]
        versions = {
            known[name].index(found) if found in known[name] else -1
            for name, found in zip(NAMES, content, strict=True)
        }
        try:
            load_tables("bench", tables)
            states["whole" if versions in ({0}, {1}) else "wrong"] += 1
        except TablesError as error:
            told = "python -m motsim.sweep bench" in str(error)
            states["mixed" if told and versions == {0, 1} else "wrong"] += 1
    reader.done.set()
    reader.join()
    return reader, states


@pytest.mark.parametrize("kills", [5, pytest.param(20, marks=pytest.mark.slow)])
def test_f25_export_killed_while_a_reader_polls(bench, kills, record):
    reader, states = kill_exports(bench, kills, choices(f"F25 {kills}"))
    assert reader.reads > 100
    assert reader.invalid == 0
    assert states["wrong"] == 0, states
    stray = [path.name for path in bench[2].iterdir() if ".part-" in path.name]
    process = exporting(*bench[:2])  # the next export cleans up after the killed ones
    try:
        bench[0].wait(process, "exported", len(bench[0].notes("exported")) + 1)
    finally:
        end(process)
    left = {path.name for path in bench[2].iterdir()} & set(stray)
    assert not left
    load_tables("bench", bench[2])
    record(
        "F25",
        f"{kills} exports killed, {reader.reads} reads: 0 invalid files; {states['mixed']} times"
        f" between two files, seen and refused; {len(stray)} stray files left, 0 after the next",
    )


def test_f25_control_tables_written_in_place_are_seen_half(bench, record):
    rng = choices("F25 0")
    for _ in range(10):  # on a busy machine a kill may come before anything is written
        reader, states = kill_exports(bench, 2, rng, off="write_in_place")
        if reader.invalid + states["wrong"]:
            break
    assert reader.invalid + states["wrong"] > 0
    record("F25", f"control, written in place: {reader.invalid} of {reader.reads} reads invalid")
