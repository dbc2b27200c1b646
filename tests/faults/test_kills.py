"""Processes that are killed, stopped or fail: nothing that was finished is lost."""

import re
import signal
import time

import psutil
import pytest

from motsim.results.store import Store
from tests.faults.harness import (
    JOBS,
    Bench,
    choices,
    end,
    kill,
    linux,
    recomputed,
    sound,
    workers_of,
)


def lost(bench):
    """Acknowledged runs that are not in the store."""
    return set(bench.notes("acknowledged")) - set(bench.stored())


def kill_parent(bench, rng, number):
    """Start, kill after a random number of runs; whether the kill met a sweep under way."""
    process = bench.start(jobs=JOBS)
    target = len(bench.notes("computed")) + rng.randint(0, 2 * bench.runs // (number + 1))
    workers = []
    while process.poll() is None and len(bench.notes("computed")) < target:
        workers = workers_of(process) or workers
        time.sleep(0.02)
    time.sleep(rng.uniform(0, 0.05))
    workers = workers_of(process) or workers
    process.kill()
    process.communicate()
    psutil.wait_procs(workers, timeout=10)
    end(process)
    return process.returncode == -signal.SIGKILL


@linux
@pytest.mark.parametrize("kills", [5, pytest.param(50, marks=pytest.mark.slow)])
def test_f1_parent_killed_again_and_again(tmp_path, kills, record):
    rng = choices(f"F1 {kills}")
    bench = Bench(tmp_path, runs=120)
    met = 0
    for _ in range(kills):
        met += kill_parent(bench, rng, kills)
        if (bench.out / "results.db").exists():
            assert not lost(bench)
    bench.sweep(jobs=JOBS)
    again = recomputed(bench)
    assert not lost(bench)
    assert len(bench.stored()) == bench.runs
    assert again <= JOBS * met
    assert sound(bench.out / "results.db")
    assert bench.tables() == bench.clean_tables()
    record(
        "F1",
        f"{met} kills of the sweep met it under way ({kills} tried), {bench.runs} runs: 0 rows"
        f" lost, 0 twice, {again} computed again (limit {JOBS * met}), tables equal byte for byte",
    )


@linux
def test_f1_control_a_store_that_commits_later_loses_runs(tmp_path, record):
    bench = Bench(tmp_path, runs=120)
    process = bench.start(off="commit_later", jobs=JOBS)
    try:
        bench.wait(process, "acknowledged", 10)
    finally:
        end(process)
    gone = lost(bench)
    assert gone
    record("F1", f"control, commits twenty at a time: {len(gone)} acknowledged runs lost")


@linux
@pytest.mark.parametrize("kills", [3, pytest.param(10, marks=pytest.mark.slow)])
def test_f2_worker_killed_at_random_times(tmp_path, kills, record):
    rng = choices(f"F2 {kills}")
    bench = Bench(tmp_path, runs=40 * kills)
    process = bench.start(jobs=JOBS)
    try:
        for number in range(kills):
            bench.wait(process, "computed", 5 + 35 * number)
            time.sleep(rng.uniform(0, 0.1))
            deadline = time.monotonic() + 30
            while not workers_of(process):
                assert process.poll() is None
                assert time.monotonic() < deadline
                time.sleep(0.01)
            rng.choice(workers_of(process)).kill()
        _, errors = process.communicate(timeout=120)
    finally:
        end(process)
    assert process.returncode == 0, errors
    again = recomputed(bench)
    assert set(bench.stored().values()) == {"done"}
    assert len(bench.stored()) == bench.runs
    assert again <= JOBS * kills
    assert bench.tables() == bench.clean_tables()
    record(
        "F2",
        f"{kills} workers killed, {bench.runs} runs: 0 rows lost, {again} computed again"
        f" (limit {JOBS * kills}), tables equal byte for byte",
    )


@linux
def test_f2_control_a_store_that_commits_later_computes_again(tmp_path, record):
    bench = Bench(tmp_path, runs=120, seconds=0.01)
    process = bench.start(off="commit_later", jobs=JOBS)
    try:
        bench.wait(process, "computed", 30)
        for worker in workers_of(process):
            kill(worker)
        deadline = time.monotonic() + 60
        while recomputed(bench) <= JOBS and time.monotonic() < deadline:
            time.sleep(0.05)
    finally:
        end(process)
    assert recomputed(bench) > JOBS
    record("F2", f"control, commits twenty at a time: over {JOBS} runs computed again")


KILLER = ("--set", "bad=7", "--set", "fate=kill")


@linux
def test_f3_poisonous_run_is_given_up(tmp_path, record):
    bench = Bench(tmp_path, runs=30, seconds=0.1)
    *_, clean = bench.sweep(out=bench.folder / "harmless")
    bench.log.unlink()
    _, errors, seconds = bench.sweep(*KILLER, code=1)
    statuses = list(bench.stored().values())
    assert statuses.count("worker_died") == 1
    assert statuses.count("done") == bench.runs - 1
    assert bench.notes("begin").count("7") == 2
    assert "2 workers died while running this" in errors
    assert seconds <= 2 * clean + 2, (seconds, clean)  # 2 s: two pools more to start
    record(
        "F3",
        f"a run that kills its worker: {bench.runs - 1} of {bench.runs} rows, 1 worker_died after 2"
        f" tries, {seconds:.1f} s against {clean:.1f} s",
    )


@linux
def test_f3_control_without_a_limit_it_goes_on_for_ever(tmp_path, record):
    bench = Bench(tmp_path, runs=10)
    process = bench.start(*KILLER, off="no_limit_of_tries")
    try:
        deadline = time.monotonic() + 60
        while bench.notes("begin").count("7") < 4:
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.05)
    finally:
        end(process)
    record("F3", "control, no limit of tries: the same run killed over 3 workers")


LONG = [(signal.SIGINT, 130, 1), (signal.SIGTERM, 143, 2)]


@pytest.mark.parametrize(
    ("number", "code", "jobs"),
    [(signal.SIGINT, 130, 2), (signal.SIGTERM, 143, 1)]
    + [pytest.param(*one, marks=pytest.mark.slow) for one in LONG],
)
def test_f5_polite_end(tmp_path, number, code, jobs, record):
    bench = Bench(tmp_path, runs=60, seconds=0.1)
    process = bench.start(jobs=jobs)
    try:
        bench.wait(process, "acknowledged", 1)
        begin = time.monotonic()
        process.send_signal(number)
        _, errors = process.communicate(timeout=60)
        seconds = time.monotonic() - begin
    finally:
        end(process)
    assert process.returncode == code, errors
    assert seconds < 5
    assert re.search(r"Go on with:\n  python -m motsim\.sweep .*bench\.toml", errors)
    assert "Traceback" not in errors
    with Store(bench.out) as store:
        assert len(store.settled()) >= 1
    assert not lost(bench)
    assert sound(bench.out / "results.db")
    record("F5", f"{number.name}, {jobs} jobs: code {code} after {seconds:.1f} s, store sound")


def test_f5_control_without_the_handler_the_end_is_not_polite(tmp_path):
    bench = Bench(tmp_path, runs=60, seconds=0.1)
    process = bench.start(jobs=1, off="no_signal_handler")
    try:
        bench.wait(process, "computed", 2)
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=60)
    finally:
        end(process)
    assert process.returncode == -signal.SIGTERM
    assert "Go on with" not in errors


RAISER = ("--set", "bad=7")


@pytest.mark.parametrize("jobs", [pytest.param(1, marks=pytest.mark.slow), 2])
def test_f10_run_that_raises(tmp_path, jobs, record):
    bench = Bench(tmp_path, runs=20)
    _, errors, _ = bench.sweep(*RAISER, code=1, jobs=jobs)
    stored = bench.stored()
    assert sorted(stored.values()) == ["done"] * 19 + ["error"]
    assert "failed: FloatingPointError: poison in two lines" in errors
    (key,) = (key for key, status in stored.items() if status == "error")
    with Store(bench.out) as store:
        ((metrics),) = (run.result.metrics for run in store.read([key]))
    assert metrics["error"] == "FloatingPointError: poison in two lines"
    assert metrics["traceback"].startswith("Traceback")
    # Without being asked it is not tried again; asked, exactly that one is.
    before = len(bench.notes("begin"))
    bench.sweep(*RAISER, code=1, jobs=jobs)
    assert len(bench.notes("begin")) == before
    bench.sweep(*RAISER, "--retry-failed", code=1, jobs=jobs)
    assert bench.notes("begin")[before:] == ["7"]
    record("F10", f"{jobs} jobs, a run that raises: 19 of 20 rows, --retry-failed reruns 1 run")


def test_f10_control_a_sweep_that_gives_up_loses_the_others(tmp_path):
    bench = Bench(tmp_path, runs=20)
    process = bench.start(*RAISER, off="give_up", jobs=1)
    try:
        process.communicate(timeout=60)
    finally:
        end(process)
    assert process.returncode == 3
    assert len(bench.stored()) < 20
