"""Several starts on one folder, dead owners, wrong clocks: the work is shared, none done twice."""

import subprocess
import sys
import time

import pytest

import motsim.results.leases
from motsim.results.store import Store
from tests.faults.harness import ROOT, Bench, choices, end, recomputed

TEN_YEARS = 315e6  # seconds


def start_twice(bench, offset=0.0, second=None, off=None):
    """Run two starts side by side to their ends; return their codes."""
    both = [bench.start(jobs=1, off=off)]
    try:
        time.sleep(offset)
        both.append(bench.start(jobs=1, off=off, env=second))
        for process in both:
            process.communicate(timeout=120)
    finally:
        for process in both:
            end(process)
    return [process.returncode for process in both]


@pytest.mark.parametrize("rounds", [2, pytest.param(10, marks=pytest.mark.slow)])
def test_f8_two_starts_share_the_work(tmp_path, rounds, record):
    rng = choices(f"F8 {rounds}")
    for number in range(rounds):
        bench = Bench(tmp_path / str(number), runs=30, seconds=0.05)
        codes = start_twice(bench, rng.uniform(0, 0.5))
        assert codes == [0, 0]
        assert sorted(map(int, bench.notes("computed"))) == list(range(bench.runs))
        assert set(bench.stored().values()) == {"done"}
        if number == 0:
            assert bench.tables() == bench.clean_tables()
    record("F8", f"{rounds} double starts: {bench.runs} runs computed once each, both exit 0")


def test_f8_control_without_claims_runs_are_computed_twice(tmp_path, record):
    bench = Bench(tmp_path, runs=30, seconds=0.05)
    start_twice(bench, off="no_claims")
    assert recomputed(bench) > 0
    record("F8", f"control, no claims: {recomputed(bench)} of {bench.runs} runs computed twice")


HOLDER = """
import sys, time
from pathlib import Path
from motsim.results.store import Store
store = Store(Path(sys.argv[1]))
store.lease("k")
store._db.rows("BEGIN IMMEDIATE")
store._db.rows("INSERT INTO claims VALUES ('half', 'written', 1)")
print("held", flush=True)
time.sleep(100)
"""


def killed_holder(folder):
    """A process takes the run and the write lock of SQLite, and is killed."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(folder)], stdout=subprocess.PIPE, text=True, cwd=ROOT
    ) as process:
        assert process.stdout.readline() == "held\n"
        process.kill()


@pytest.mark.parametrize("rounds", [5, pytest.param(20, marks=pytest.mark.slow)])
def test_f9_dead_owner_frees_its_run_at_once(tmp_path, rounds, record):
    slowest = 0.0
    for number in range(rounds):
        folder = tmp_path / str(number)
        killed_holder(folder)
        begin = time.monotonic()
        with Store(folder) as store:
            assert store.lease("k")
            assert store.suspects() == set()  # the half written claim is gone
        slowest = max(slowest, time.monotonic() - begin)
    assert slowest < 1.0
    record("F9", f"{rounds} owners killed: next start has the run in {slowest:.2f} s at most")


def test_f9_control_a_lock_that_outlives_its_owner_stays(tmp_path, monkeypatch):
    killed_holder(tmp_path)
    monkeypatch.setattr(motsim.results.leases, "is_gone", lambda *owner: False)
    with Store(tmp_path) as store:
        assert not store.lease("k")


@pytest.mark.parametrize("shift", [-TEN_YEARS, pytest.param(TEN_YEARS, marks=pytest.mark.slow)])
def test_f29_clock_set_while_a_sweep_is_interrupted(tmp_path, shift, record):
    bench = Bench(tmp_path, runs=30, seconds=0.05)
    process = bench.start(jobs=2)
    try:
        bench.wait(process, "acknowledged", 8)
    finally:
        end(process)
    bench.sweep(env={"MOTSIM_FAULT_CLOCK": str(shift)})
    assert len(bench.stored()) == bench.runs
    assert recomputed(bench) <= 2
    assert bench.tables() == bench.clean_tables()
    record("F29", f"clock set {shift / TEN_YEARS * 10:+.0f} years: same tables, no run twice")


def test_f29_two_starts_with_other_clocks(tmp_path):
    bench = Bench(tmp_path, runs=30, seconds=0.05)
    assert start_twice(bench, second={"MOTSIM_FAULT_CLOCK": str(TEN_YEARS)}) == [0, 0]
    assert recomputed(bench) == 0


def test_f29_control_claims_by_the_clock_are_taken_twice(tmp_path, record):
    bench = Bench(tmp_path, runs=30, seconds=0.05)
    env = {"MOTSIM_FAULT_CLOCK": str(TEN_YEARS), "MOTSIM_FAULT_BEGIN": str(time.time())}
    first = bench.start(jobs=1, off="claims_by_clock", env={**env, "MOTSIM_FAULT_CLOCK": "0"})
    second = bench.start(jobs=1, off="claims_by_clock", env=env)
    try:
        for process in (first, second):
            process.communicate(timeout=120)
    finally:
        for process in (first, second):
            end(process)
    assert recomputed(bench) > 0
    record("F29", f"control, claims that expire by the clock: {recomputed(bench)} runs twice")


def test_this_process_is_alive():
    """Control of the owner's test itself: one that is never true would free every run."""
    from motsim.results.ownership import lives, myself

    assert lives(myself(), myself())
