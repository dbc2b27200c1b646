"""A lost worker of a dask cluster costs no run; a cluster without workers is given up."""

import json
import subprocess
import time
from contextlib import contextmanager

import pandas as pd
import pytest

from tests.running.cluster import Cluster
from tests.running.dask_runs import computed, needs_dask, run, start, table, wait_for_lines

pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning")


@needs_dask
@pytest.mark.parametrize("kills", [1, pytest.param(8, marks=pytest.mark.slow)])
def test_f30_killed_workers_of_a_cluster_lose_nothing(probe, tmp_path, kills, record):
    name = probe("[fixed]\nseconds = 0.25\n[grid]\nlevel = [0, 1, 2, 3, 4]")
    with Cluster(tmp_path / "cluster") as cluster:
        process = start(
            name, "--out", tmp_path / "dask", "--backend", "dask", "--scheduler", cluster.address
        )
        for kill in range(kills):
            wait_for_lines(tmp_path / "log", 5 + 2 * kill, process)
            cluster.workers[kill].kill()
            cluster.workers.append(cluster.add_worker())
        _, errors = process.communicate(timeout=120)
    assert process.returncode == 0, errors
    again = len(computed(tmp_path)) - 20
    assert 0 <= again <= 2 * kills
    assert len(set(computed(tmp_path))) == 20
    run(name, "--jobs", 2, "--out", tmp_path / "clean")
    assert table(tmp_path / "dask") == table(tmp_path / "clean")
    record("F30", f"{kills} of a cluster's workers killed: 0 runs lost, {again} computed again")


#: As distributed is where a worker dies before its result was fetched: it never tells of the error.
DEAF = """
import sys
from asyncio import sleep
from distributed.client import as_completed
from motsim.sweep import main
track = as_completed._track_future
async def deaf(self, future):
    await future._state.wait()
    if future.status == "error":
        await sleep(3600)
    await track(self, future)
as_completed._track_future = deaf
raise SystemExit(main(sys.argv[1:]))
"""


@needs_dask
@pytest.mark.parametrize(
    "program",
    [("-m", "motsim.sweep"), pytest.param(("-c", DEAF), marks=pytest.mark.slow)],
    ids=["as it is", "deaf"],
)
def test_a_run_that_kills_workers_is_given_up_and_the_others_finish(probe, tmp_path, program):
    """Every killed worker is replaced, as a nanny would; joblib alone would wait for ever."""
    name = probe("[case.good]\nseconds = 0.05\n[case.bad]\nmood = 'kills'\nlevel = 9")
    with Cluster(tmp_path / "cluster") as cluster:
        process = start(
            name, "--seeds", 1, "--out", tmp_path / "dask", "--backend", "dask",
            "--scheduler", cluster.address, program=program,
        )  # fmt: skip
        for _ in range(1200):
            if process.poll() is not None:
                break
            for place, worker in enumerate(cluster.workers):
                if worker.poll() is not None:
                    cluster.workers[place] = cluster.add_worker()
            time.sleep(0.1)
        _, errors = process.communicate(timeout=10)
    assert process.returncode == 1, errors
    rows = pd.read_csv(tmp_path / "dask" / "probe.csv")
    assert dict(zip(rows["case"], rows["status"], strict=True)) == {
        "good": "done", "bad": "worker_died",
    }  # fmt: skip
    assert "2 workers died while running this" in errors


#: joblib's own way to collect: a task that dask gives up is never told of.
WITHOUT_COLLECT = """
import sys
from joblib._dask import DaskDistributedBackend
from motsim.running import dask_backend
from motsim.sweep import main
dask_backend.RepairedDaskBackend._collect = DaskDistributedBackend._collect
raise SystemExit(main(sys.argv[1:]))
"""


@needs_dask
@pytest.mark.slow
def test_f30_control_joblib_alone_waits_for_ever(probe, tmp_path):
    name = probe("[fixed]\nmood = 'kills'\nlevel = 9")
    with Cluster(tmp_path / "cluster") as cluster:
        process = start(
            name, "--seeds", 1, "--out", tmp_path / "dask", "--backend", "dask",
            "--scheduler", cluster.address, program=("-c", WITHOUT_COLLECT),
        )  # fmt: skip
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and process.poll() is None:
            for place, worker in enumerate(cluster.workers):
                if worker.poll() is not None:
                    cluster.workers[place] = cluster.add_worker()
            time.sleep(0.1)
        assert process.poll() is None
        process.kill()
        process.communicate()
    begun = len(computed(tmp_path))
    assert begun >= 2  # dask has given it up, and nobody heard of it


IMPATIENT = {"DASK_MOTSIM__NO_WORKER_TIMEOUT": "2s"}
#: As joblib has it: nobody looks whether the cluster still has a worker.
WITHOUT_WATCH = """
import sys
from motsim.running import dask_backend
from motsim.sweep import main
async def never(self, patience):
    pass
dask_backend.RepairedDaskBackend._watch = never
raise SystemExit(main(sys.argv[1:]))
"""


@contextmanager
def without_workers(name, tmp_path, out, **options):
    """Start a sweep, and kill the only worker in the middle of it."""
    with Cluster(tmp_path / "cluster", workers=1) as cluster:
        process = start(
            name, "--out", out, "--backend", "dask", "--scheduler", cluster.address, **options
        )
        wait_for_lines(tmp_path / "log", 5, process)
        cluster.workers[0].kill()
        try:
            yield process
        finally:
            process.kill()
            process.communicate()


@needs_dask
def test_a_cluster_without_workers_is_given_up_and_keeps_what_was_finished(probe, tmp_path):
    name = probe("[fixed]\nseconds = 0.25\n[grid]\nlevel = [0, 1, 2, 3, 4]")
    out = tmp_path / "out"
    with without_workers(name, tmp_path, out, **IMPATIENT) as process:
        _, errors = process.communicate(timeout=120)
    assert process.returncode == 2, errors
    told = [json.loads(line) for line in errors.splitlines()]
    assert "has had no worker for 2 s" in told[-1]["text"]
    assert told[-2]["done"] >= 2
    (tmp_path / "log").unlink()
    run(name, "--jobs", 2, "--out", out)
    assert len(computed(tmp_path)) <= 18  # what was finished is not computed again
    run(name, "--jobs", 1, "--out", tmp_path / "clean")
    assert table(out) == table(tmp_path / "clean")


@needs_dask
def test_control_without_the_watch_it_waits_for_ever(probe, tmp_path):
    name = probe("[fixed]\nseconds = 0.25\n[grid]\nlevel = [0, 1, 2, 3, 4]")
    options = {"program": ("-c", WITHOUT_WATCH), **IMPATIENT}
    with (
        without_workers(name, tmp_path, tmp_path / "out", **options) as process,
        pytest.raises(subprocess.TimeoutExpired),
    ):
        process.communicate(timeout=10)


@needs_dask
def test_a_worker_that_comes_back_in_time_is_used(probe, tmp_path):
    """Control of the watch's other side: it does not give up a cluster that has a worker."""
    name = probe("[fixed]\nseconds = 0.25\n[grid]\nlevel = [0, 1, 2, 3]")
    options = {"DASK_MOTSIM__NO_WORKER_TIMEOUT": "60s"}
    with Cluster(tmp_path / "cluster", workers=1) as cluster:
        process = start(
            name, "--out", tmp_path / "out", "--backend", "dask", "--scheduler", cluster.address,
            **options,
        )  # fmt: skip
        wait_for_lines(tmp_path / "log", 5, process)
        cluster.workers[0].kill()
        cluster.workers.append(cluster.add_worker())
        _, errors = process.communicate(timeout=120)
    assert process.returncode == 0, errors
