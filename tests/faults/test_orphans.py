"""Workers end with the parent that was killed, also while they start."""

import time

import psutil

from tests.faults.harness import JOBS, Bench, end, kill, linux, workers_of


def rows_and_workers_after_kill(bench, off=None):
    """(rows that came 1 s after the parent died, workers alive 2 s after)."""
    process = bench.start(off=off, jobs=JOBS)
    workers = []
    try:
        bench.wait(process, "computed", 1)
        workers = workers_of(process)
        assert len(workers) == JOBS
        process.kill()
        time.sleep(1.0)
        before = len(bench.stored())
        time.sleep(1.0)
        alive = sum(worker.is_running() and worker.status() != "zombie" for worker in workers)
        time.sleep(0.5)
        return len(bench.stored()) - before, alive
    finally:
        end(process)
        for worker in workers:
            kill(worker)


@linux
def test_f4_no_orphans(tmp_path, record):
    found = rows_and_workers_after_kill(Bench(tmp_path, runs=40, seconds=0.4))
    assert found == (0, 0)
    record("F4", "sweep killed: 0 new rows after 1 s, 0 live workers after 2 s")


@linux
def test_f4_control_without_the_death_signal_workers_live_on(tmp_path, record):
    rows, alive = rows_and_workers_after_kill(
        Bench(tmp_path, runs=40, seconds=0.4), "no_death_signal"
    )
    assert rows + alive > 0
    record("F4", f"control, no parent-death signal: {rows} new rows, {alive} live workers")


def workers_alive_after_early_kill(bench, off=None):
    """Workers alive 15 s after their parent was killed while they were starting (for 1.5 s)."""
    process = bench.start(off=off, jobs=JOBS, env={"MOTSIM_FAULT_SLOW_START": "1.5"})
    workers = []
    try:
        deadline = time.monotonic() + 60
        while len(workers) < JOBS and time.monotonic() < deadline:
            workers = workers_of(process)
            time.sleep(0.01)
        time.sleep(0.5)
        process.kill()
        _, alive = psutil.wait_procs(workers, timeout=15)
        return len(workers), len(alive)
    finally:
        for worker in workers:
            kill(worker)
        end(process)


@linux
def test_f4_parent_killed_while_its_workers_start(tmp_path, record):
    assert workers_alive_after_early_kill(Bench(tmp_path)) == (JOBS, 0)
    record("F4", "sweep killed while its workers start: 0 live workers")


@linux
def test_f4_control_without_a_look_at_the_parent_they_live_on(tmp_path, record):
    begun, alive = workers_alive_after_early_kill(Bench(tmp_path), "no_look_at_the_parent")
    assert begun == JOBS
    assert alive > 0
    record("F4", f"control, no look at the parent: {alive} workers live on")
