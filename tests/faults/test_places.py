"""One folder from several places: name spaces with one host name or many, other machines.

A place of its own is what a container, a pod or a batch node is. Owners there are neither believed
dead because their numbers are not found here, nor waited for for ever.
"""

import contextlib
import os
import re
import signal
import sqlite3
import subprocess
import sys
import threading
import time

import pytest

import motsim.results.files
from motsim.results.files import clean
from motsim.results.ownership import myself
from motsim.results.store import Store
from motsim.sweep import main
from tests.faults.harness import ROOT, Bench, end, recomputed
from tests.faults.places import needs_places, place

STARTS = 4
HASTE = {"MOTSIM_FAULT_HASTE": "1"}  # where the seconds that are shipped are not what is tested
FREED = re.compile(r"freed \d+ runs? of process \d+ on one \(.*\): no sign of life for \d+ s")
WAITS = re.compile(r"waiting: process \d+ on one \(.*\) holds \d+ runs?, seen for \d+ s: .*")


def held(bench):
    """Claims and signs of life that are left in the store."""
    with contextlib.closing(sqlite3.connect(bench.out / "results.db")) as db:
        tables = ("claims", "signs")
        return [db.execute(f"SELECT count(*) FROM {name}").fetchone()[0] for name in tables]


class Told(threading.Thread):
    """Standard error of a process, each line with the seconds since the start of the reading."""

    def __init__(self, process):
        super().__init__(daemon=True)
        self.process, self.lines, self.begin = process, [], time.monotonic()
        self.start()

    def run(self):
        for line in self.process.stderr:
            self.lines.append((time.monotonic() - self.begin, line.rstrip("\n")))

    def find(self, pattern):
        """Seconds and text of the first line that has it; None if there is none."""
        found = ((seconds, line) for seconds, line in self.lines if re.search(pattern, line))
        return next(found, None)

    def wait(self, pattern, timeout=60):
        deadline = time.monotonic() + timeout
        while not (found := self.find(pattern)):
            assert self.process.poll() is None, self.lines
            assert time.monotonic() < deadline, self.lines
            time.sleep(0.02)
        return found


@contextlib.contextmanager
def started(bench, *arguments, **options):
    process = bench.start(*arguments, **options)
    try:
        yield process
    finally:
        end(process)


def start_all(bench, off=None):
    """Starts at once, each in a place of its own, all with one host name; codes and errors."""
    with contextlib.ExitStack() as stack:
        every = [
            stack.enter_context(started(bench, jobs=1, off=off, inside=place("pod")))
            for _ in range(STARTS)
        ]
        errors = [process.communicate(timeout=240)[1] for process in every]
        return [process.returncode for process in every], errors


@needs_places
@pytest.mark.timeout(3000)
@pytest.mark.parametrize("rounds", [2, pytest.param(20, marks=pytest.mark.slow)])
def test_f31_places_with_one_host_name_share_the_work(tmp_path, rounds, record):
    for number in range(rounds):
        bench = Bench(tmp_path / str(number), runs=12, seconds=0.5)
        codes, errors = start_all(bench)
        assert codes == [0] * STARTS, errors
        assert sorted(map(int, bench.notes("computed"))) == list(range(bench.runs))
        assert set(bench.stored().values()) == {"done"}
        assert held(bench) == [0, 0]
        if number == 0:
            assert bench.tables() == bench.clean_tables()
    record(
        "F31",
        f"{rounds} times {STARTS} starts at once, one host name, own name spaces: {bench.runs} runs"
        " computed once each, none given up",
    )


@needs_places
def test_f31_control_places_told_by_host_compute_twice(tmp_path, record):
    bench = Bench(tmp_path, runs=12, seconds=0.5)
    start_all(bench, off="places_by_host")
    given_up = list(bench.stored().values()).count("worker_died")
    assert recomputed(bench) > 0
    record(
        "F31",
        f"control, a host name is a place: {recomputed(bench)} of {bench.runs} runs computed again,"
        f" {given_up} stored as worker_died",
    )


def leave_dead(bench, **options):
    """Kill a sweep in its first runs."""
    with started(bench, **options) as process:
        bench.wait(process, "begin", 2)
        time.sleep(0.3)
    assert bench.notes("computed") == []
    assert held(bench)[0] == 2


@needs_places
def test_f32_killed_in_one_place_and_resumed_in_another(tmp_path, record):
    bench = Bench(tmp_path, runs=8, seconds=1.0)
    leave_dead(bench, inside=place("one"))
    with started(bench, inside=place("two")) as process:
        told = Told(process)
        first, _ = told.wait("finished before")
        assert process.wait(timeout=60) == 0, told.lines
    seconds, line = told.find(FREED)
    assert "of this machine, in another name space" in line
    assert recomputed(bench) == 0  # both were killed before they ended
    assert sorted(map(int, bench.notes("computed"))) == list(range(bench.runs))
    assert bench.tables() == bench.clean_tables()
    assert held(bench) == [0, 0]
    assert seconds - first < 15
    record("F32", f"killed in one place, resumed in another: freed after {seconds - first:.0f} s")


@needs_places
def test_f32_control_where_nobody_looks_it_waits_but_says_so(tmp_path, record):
    bench = Bench(tmp_path, runs=4, seconds=1.0)
    leave_dead(bench, inside=place("one"))
    with started(bench, inside=place("two"), off="no_looks", env=HASTE) as process:
        told = Told(process)
        told.wait(WAITS)
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(timeout=5)  # five times the patience
    record("F32", "control, nobody looks: still waiting after five times the patience")


@needs_places
def test_f32_who_waits_says_for_whom_and_a_stopped_owner_keeps_its_run(tmp_path, record):
    """Stopped, as by Ctrl-Z or by whoever runs containers; its lock is there all the same."""
    bench = Bench(tmp_path, runs=2, seconds=1.0)
    with started(bench, jobs=1, inside=place("one")) as first:
        bench.wait(first, "begin")
        os.killpg(first.pid, signal.SIGSTOP)
        with started(bench, jobs=1, inside=place("two")) as second:
            told = Told(second)
            begin, _ = told.wait("finished before")
            seconds, line = told.wait(WAITS)
            time.sleep(7)  # more than is waited for one whose lock is gone
            assert told.find("freed") is None
            os.killpg(first.pid, signal.SIGCONT)
            assert second.wait(timeout=60) == 0, told.lines
        assert first.wait(timeout=60) == 0
    assert "it lives; to have them here, end it there" in line
    waited = seconds - begin - 1.0  # the run that was left to it
    assert waited < 5
    assert recomputed(bench) == 0
    record("F32", f"owner stopped: kept its run, said after {waited:.1f} s of waiting")


@needs_places
def test_f32_control_without_locks_a_stopped_owner_loses_its_run(tmp_path, record):
    bench = Bench(tmp_path, runs=2, seconds=1.0)
    with started(bench, jobs=1, inside=place("one"), off="no_locks", env=HASTE) as first:
        bench.wait(first, "begin")
        os.killpg(first.pid, signal.SIGSTOP)
        with started(bench, jobs=1, inside=place("two"), off="no_locks", env=HASTE) as second:
            told = Told(second)
            assert second.wait(timeout=60) == 0, told.lines
        assert told.find(FREED)
        os.killpg(first.pid, signal.SIGCONT)
        assert first.wait(timeout=60) == 0
    assert recomputed(bench) == 1
    record("F32", "control, no locks: a stopped owner's run was computed again")


@needs_places
@pytest.mark.parametrize("off", [None, "no_farewell"])
def test_f32_an_interrupted_sweep_leaves_no_owner(tmp_path, off, record):
    """One of its two workers is deaf to the signal, as in compiled code, and is killed by loky."""
    bench = Bench(tmp_path, runs=8, seconds=2.0)
    words = ("--set", "bad=1", "--set", "fate=deaf")
    with started(bench, *words, inside=place("one"), off=off) as process:
        bench.wait(process, "begin", 2)
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does
        _, errors = process.communicate(timeout=30)
    assert "interrupted; finished runs are kept" in errors
    if off:
        assert held(bench) == [1, 1]
        record("F32", "control, Ctrl-C with no farewell: the run of a deaf worker stays held")
    else:
        assert held(bench) == [0, 0]
        record("F32", "Ctrl-C with a deaf worker: no claim and no sign of life left")


# --- where nothing but signs of life is seen ------------------------------------------------------


def machine(name):
    return {"MOTSIM_FAULT_MACHINE": name, **HASTE}


@pytest.mark.parametrize("off", [None, "no_signs"])
def test_f33_two_machines_share_the_work(tmp_path, off, record):
    """The third run takes twice the silence after which an owner is taken for dead."""
    bench = Bench(tmp_path, runs=3, seconds=4.0)
    with (
        started(bench, jobs=1, off=off, env=machine("one")) as first,
        started(bench, jobs=1, off=off, env=machine("two")) as second,
    ):
        for process in (first, second):
            process.communicate(timeout=120)
    assert (first.returncode, second.returncode) == (0, 0)
    assert set(bench.stored().values()) == {"done"}
    if off:
        assert recomputed(bench) > 0
        record("F33", f"control, no signs of life: {recomputed(bench)} of {bench.runs} runs twice")
    else:
        assert recomputed(bench) == 0
        record("F33", "two machines, runs longer than the patience: none twice")


@pytest.mark.parametrize("off", [None, "no_looks"])
def test_f33_killed_on_one_machine_and_resumed_on_another(tmp_path, off, record):
    bench = Bench(tmp_path, runs=4, seconds=1.0)
    leave_dead(bench, env=machine("one"))
    with started(bench, env=machine("two"), off=off) as process:
        told = Told(process)
        begin, _ = told.wait("finished before")
        if off:
            _, line = told.wait("waiting: ")
            assert "--free" in line
            with pytest.raises(subprocess.TimeoutExpired):
                process.wait(timeout=5)
            record("F33", "control, nobody looks: still waiting after twice the patience")
            return
        seconds, _ = told.wait("freed 2 runs")
        assert process.wait(timeout=60) == 0, told.lines
    assert recomputed(bench) == 0
    assert seconds - begin > 2.0
    record("F33", f"killed on one machine: freed on another {seconds - begin:.1f} s later")


# --- what nothing tells ---------------------------------------------------------------------------


def test_f34_an_owner_of_which_nothing_tells_is_refused_and_freed_on_demand(
    tmp_path, record, capsys
):
    bench = Bench(tmp_path, runs=4, seconds=1.0)
    leave_dead(bench)
    with contextlib.closing(sqlite3.connect(bench.out / "results.db")) as db, db:
        db.execute("UPDATE claims SET owner = '77:1@old-host+some-boot'")  # of an older motsim
    _, errors, _ = bench.sweep(code=2)
    assert len(set(bench.notes("computed"))) == 2  # what is not held is done first
    line = errors.strip().splitlines()[-1]
    assert "process 77 on old-host (of an older motsim) holds 2 runs" in line
    command = re.search(r"python -m motsim\.sweep (--out \S+ --free [0-9a-f]{8})$", line)[1]
    assert main(["--status", "--out", str(bench.out)]) == 0
    assert command in capsys.readouterr().out
    assert main(command.split()) == 0
    assert "freed 2 runs of process 77 on old-host" in capsys.readouterr().out
    bench.sweep()
    assert bench.tables() == bench.clean_tables()
    assert main(command.split()) == 2
    assert "nobody called" in capsys.readouterr().err
    record("F34", "an owner of an older motsim: refused with the command that frees it")


def test_f34_a_live_owner_is_not_freed_on_demand(tmp_path, capsys):
    from motsim.running.holders import tag

    with Store(tmp_path) as store:
        assert store.claim("k")
        assert main(["--out", str(tmp_path), "--free", tag(myself())]) == 2
        assert "lives, and holds runs" in capsys.readouterr().err
        assert store.under_way() == set()  # of others
        assert not store.suspects()
        assert store.claims.by_owner() == {str(myself()): ["k"]}


# --- tables ---------------------------------------------------------------------------------------

WRITER = """
import sys, time
from pathlib import Path
from motsim.results.files import TableFile
file = TableFile(Path(sys.argv[1]) / "bench.csv", ["a"])
file.open()
print("open", flush=True)
time.sleep(100)
"""


@needs_places
@pytest.mark.parametrize("locks", [True, False])
def test_f31_the_part_file_of_a_live_export_is_left_alone(tmp_path, monkeypatch, locks, record):
    """The control takes every file for one that nobody has locked."""
    if not locks:
        monkeypatch.setattr(motsim.results.files, "lock_file", lambda descriptor: True)
    call = [*place("one"), sys.executable, "-c", WRITER, str(tmp_path)]
    with subprocess.Popen(call, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        assert process.stdout.readline() == "open\n"
        clean(tmp_path, "bench")
        assert len(list(tmp_path.glob(".bench.csv.part-*"))) == locks
        process.kill()
    deadline = time.monotonic() + 10
    while list(tmp_path.glob(".bench*")) and time.monotonic() < deadline:
        time.sleep(0.05)  # until the name space is gone, too
        clean(tmp_path, "bench")
    assert list(tmp_path.glob(".bench*")) == []
    if locks:
        record("F31", "part file of an export in another place: left while it lives, then removed")
