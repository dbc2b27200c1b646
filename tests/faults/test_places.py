"""One folder from several places: name spaces with one host name or many.

A place of its own is what a container, a pod or a batch node is. Owners there are neither believed
dead because their numbers are not found here, nor waited for for ever.
"""

import contextlib
import os
import re
import signal
import subprocess
import sys
import time

import pytest

import motsim.results.files
from motsim.results.files import clean
from tests.faults.harness import ROOT, Bench, recomputed
from tests.faults.places import ENDLESS, HASTE, Told, held, leave_dead, needs_places, place, started

STARTS = 4
FREED = re.compile(r"freed \d+ runs? of process \d+ on one \(.*\): no sign of life for \d+ s")
WAITS = re.compile(r"waiting: process \d+ on one \(.*\) holds \d+ runs?, seen for \d+ s: .*")


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
@pytest.mark.parametrize("rounds", [1, pytest.param(20, marks=pytest.mark.slow)])
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
    for number in range(3):  # on a busy machine one may be done before the others begin
        bench = Bench(tmp_path / str(number), runs=12, seconds=0.5)
        start_all(bench, off="places_by_host")
        if recomputed(bench):
            break
    given_up = list(bench.stored().values()).count("worker_died")
    assert recomputed(bench) > 0
    record(
        "F31",
        f"control, a host name is a place: {recomputed(bench)} of {bench.runs} runs computed again,"
        f" {given_up} stored as worker_died",
    )


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
def test_f32_who_waits_can_be_interrupted_and_takes_nothing(tmp_path, record):
    bench = Bench(tmp_path, runs=1, seconds=12.0)
    with started(bench, jobs=1, inside=place("one")) as first:
        bench.wait(first, "begin")
        with started(bench, jobs=2, inside=place("two"), env=HASTE) as second:
            told = Told(second)
            told.wait(WAITS)
            begin = time.monotonic()
            os.killpg(second.pid, signal.SIGINT)
            second.wait(timeout=30)
            seconds = time.monotonic() - begin
        assert told.find("interrupted; finished runs are kept")
        assert held(bench) == [1, 1]
        assert first.wait(timeout=60) == 0
    assert recomputed(bench) == 0
    assert held(bench) == [0, 0]
    assert seconds < 5
    record("F32", f"Ctrl-C while waiting: ended after {seconds:.1f} s, the owner keeps its run")


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
    bench = Bench(tmp_path, runs=8)
    words = ("--set", "bad=1", "--set", "fate=deaf")
    with started(bench, *words, inside=place("one"), off=off, env=ENDLESS) as process:
        bench.wait(process, "begin", 2)
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does
        _, errors = process.communicate(timeout=30)
    assert "interrupted; finished runs are kept" in errors
    if off:
        runs, owners = held(bench)
        assert runs >= 1  # the other worker's too, once in 16 tries
        assert owners == 1
        record("F32", "control, Ctrl-C with no farewell: the run of a deaf worker stays held")
    else:
        assert held(bench) == [0, 0]
        record("F32", "Ctrl-C with a deaf worker: no claim and no sign of life left")


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
