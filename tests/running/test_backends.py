"""Any backend gives the same bytes; a lost worker costs no run; a wrong address is one line."""

import importlib.util
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import pandas as pd
import pytest

import motsim
from motsim.commands.parser import add_run_options
from motsim.plans.loading import load_sweep
from motsim.results.store import Store
from motsim.running.backends import BACKENDS, BackendError, open_backend
from motsim.running.runner import grouped, run_cells
from motsim.sweep import main, parser
from tests.running.cluster import Cluster

needs_dask = pytest.mark.skipif(
    importlib.util.find_spec("distributed") is None, reason="extra `distributed` is not installed"
)
pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning")


@pytest.fixture
def probe(kinds, tmp_path):
    """probe(text) writes a sweep of test-only runs; each that begins adds a line to `log`."""

    def write(text, name="probe"):
        path = tmp_path / f"{name}.toml"
        log = tmp_path / "log"
        path.write_text(
            f"title = 'Probe'\nkind = 'probe'\nseeds = 4\n{text}\n"
            f"[tier.quick.fixed]\nlog = '{log}'\n"
        )
        return str(path)

    return write


def computed(folder):
    """(level, seed) of every run that began, in order."""
    lines = (folder / "log").read_text().splitlines()
    return [tuple(map(int, line.split()[:2])) for line in lines]


def run(*words, code=0):
    assert main([*map(str, words), "--progress", "quiet"]) == code


def start(*words, program=("-m", "motsim.sweep"), **environment):
    return subprocess.Popen(
        [sys.executable, *program, *map(str, words), "--progress", "json"],
        env={**os.environ, **environment}, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        text=True,
    )  # fmt: skip


def table(folder, name="probe"):
    return (folder / f"{name}.csv").read_bytes()


def wait_for_lines(log, count, process):
    for _ in range(3000):
        if log.exists() and len(log.read_text().splitlines()) >= count:
            return
        assert process.poll() is None, process.communicate()
        time.sleep(0.02)
    raise AssertionError("nothing runs")


# --- tasks ----------------------------------------------------------------------------------------


class Cheap:
    def __init__(self, cost):
        self.cost = cost


@pytest.mark.parametrize(("cost", "most"), [(1.0, 1), (0.1, 2), (0.04, 5), (0.0, 100)])
def test_cheap_runs_go_together_and_dear_ones_alone(cost, most):
    cells = [Cheap(cost) for _ in range(1000)]
    groups = list(grouped(cells, jobs=2))
    assert [cell for group in groups for cell in group] == cells
    assert max(map(len, groups)) == most


def test_the_longest_runs_go_first(kinds, tmp_path):
    """So that no core waits at the end for a long one; with one job, in the order of ending."""
    sweep = tmp_path / "probe.toml"
    grid = "seconds = [0.01, 0.0, 0.04, 0.02]"
    sweep.write_text(f'title = "P"\nkind = "probe"\nseeds = 1\n[grid]\n{grid}\n')
    cells, ended = load_sweep(str(sweep)).cells(), []
    run_cells(cells, tmp_path / "out", 1, lambda cell, *_: ended.append(cell.cost))
    assert [cell.cost for cell in cells] != ended
    assert ended == [0.04, 0.02, 0.01, 0.0]


def test_few_runs_are_shared_out():
    groups = list(grouped([Cheap(0.0)] * 16, jobs=4))
    assert [len(group) for group in groups] == [1] * 16


def test_the_command_offers_every_backend():
    actions = {a.dest: a for a in parser()._actions}
    assert set(actions["backend"].choices) == set(BACKENDS)
    assert add_run_options.__doc__


# --- addresses ------------------------------------------------------------------------------------


def refusal(*words, capsys):
    begin = time.monotonic()
    assert main(list(words)) == 2
    printed = capsys.readouterr()
    assert len(printed.err.splitlines()) == 1, printed.err
    assert not printed.out
    return printed.err, time.monotonic() - begin


def test_an_address_needs_a_cluster(tmp_path, capsys):
    words = ("--scheduler", "tcp://a:1", "--out", str(tmp_path / "out"))
    assert "needs --backend dask or ray" in refusal(*words, capsys=capsys)[0]
    assert not (tmp_path / "out").exists()


@needs_dask
def test_dask_needs_an_address(tmp_path, capsys):
    line, _ = refusal("--backend", "dask", "--out", str(tmp_path / "out"), capsys=capsys)
    assert "needs --scheduler ADDRESS" in line


@needs_dask
@pytest.mark.parametrize("address", ["nonsense", "tcp://", "foo://127.0.0.1:1", "FREE", "SILENT"])
def test_no_scheduler_is_one_line_within_seconds(address, tmp_path, capsys):
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        if address == "SILENT":
            listener.listen()
        if address in ("SILENT", "FREE"):
            address = f"tcp://127.0.0.1:{listener.getsockname()[1]}"
        words = ("--backend", "dask", "--scheduler", address, "--out", str(tmp_path / "out"))
        line, seconds = refusal(*words, capsys=capsys)
    assert f"no dask scheduler answers at {address!r}" in line
    assert seconds < 30
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(("name", "extra"), [("dask", "distributed"), ("ray", "ray")])
def test_a_missing_extra_is_one_line(name, extra, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("motsim.extras.find_spec", lambda module: None)
    words = ("--backend", name, "--scheduler", "tcp://a:1", "--out", str(tmp_path / "out"))
    line, _ = refusal(*words, capsys=capsys)
    assert f"extra '{extra}' needs {extra}, not installed here" in line
    assert "pip install" in line


def test_local_backends():
    with open_backend("loky", 3) as backend:
        assert (backend.jobs, backend.remote) == (3, False)
    with open_backend("sequential", 3) as backend:
        assert backend.jobs == 1
    with pytest.raises(BackendError, match="needs --backend"), open_backend(scheduler="tcp://a:1"):
        pass


# --- a dask cluster -------------------------------------------------------------------------------


@needs_dask
def test_a_cluster_gives_the_bytes_of_one_machine(probe, tmp_path, capsys):
    name = probe("[grid]\nlevel = [0, 1]\nmood = ['good', 'raises', 'threads']")
    with Cluster(tmp_path / "cluster", workers=1, threads=2) as cluster:
        words = (name, "--backend", "dask", "--scheduler", cluster.address)
        run(*words, "--out", tmp_path / "dask", code=1)
    pids = {int(line.split()[2]) for line in (tmp_path / "log").read_text().splitlines()}
    assert pids == {cluster.workers[0].pid}  # not in this process, though the cluster is small
    run(name, "--jobs", 1, "--out", tmp_path / "one", code=1)
    assert table(tmp_path / "dask") == table(tmp_path / "one")
    rows = pd.read_csv(tmp_path / "dask" / "probe.csv")
    assert rows.groupby("mood")["status"].unique().map(list).to_dict() == {
        "good": ["done"], "raises": ["error"], "threads": ["done"],
    }  # fmt: skip
    limits = rows.loc[rows["mood"] == "threads", ["blas", "numba"]]
    assert (limits == 1).all(axis=None)


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


@needs_dask
@pytest.mark.parametrize(
    "end", [signal.SIGKILL, pytest.param(signal.SIGINT, marks=pytest.mark.slow), signal.SIGTERM]
)
def test_a_sweep_killed_on_a_cluster_is_finished_by_loky(probe, tmp_path, end, record):
    name = probe("[fixed]\nseconds = 0.25\n[grid]\nlevel = [0, 1, 2, 3, 4]")
    out = tmp_path / "out"
    with Cluster(tmp_path / "cluster") as cluster:
        process = start(name, "--out", out, "--backend", "dask", "--scheduler", cluster.address)
        wait_for_lines(tmp_path / "log", 10, process)
        process.send_signal(end)
        _, errors = process.communicate(timeout=30)
    codes = {signal.SIGKILL: -9, signal.SIGINT: 130, signal.SIGTERM: 143}
    assert process.returncode == codes[end], errors
    assert "Traceback" not in errors
    if end != signal.SIGKILL:
        assert f"motsim.sweep {name} --out {out} --backend dask" in errors
    (tmp_path / "log").unlink()
    run(name, "--jobs", 2, "--out", out)
    again = len(computed(tmp_path))
    assert 6 <= again <= 16  # neither nothing nor everything again
    run(name, "--jobs", 1, "--out", tmp_path / "clean")
    assert table(out) == table(tmp_path / "clean")
    record("F30", f"{end.name} on dask, resumed by loky: {again} of 20 runs were left, same table")


@needs_dask
def test_a_lost_scheduler_is_one_line_and_keeps_what_was_finished(probe, tmp_path):
    name = probe("[fixed]\nseconds = 0.25\n[grid]\nlevel = [0, 1, 2, 3, 4]")
    out = tmp_path / "out"
    with Cluster(tmp_path / "cluster") as cluster:
        process = start(name, "--out", out, "--backend", "dask", "--scheduler", cluster.address)
        wait_for_lines(tmp_path / "log", 10, process)
        cluster.scheduler.kill()
        _, errors = process.communicate(timeout=120)
    assert process.returncode == 2, errors
    told = [json.loads(line) for line in errors.splitlines()]
    assert [e["event"] for e in told][-1] == "error"
    assert "cluster" in told[-1]["text"]
    assert told[-2]["done"] >= 6


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


@needs_dask
def test_a_patience_that_is_no_time_is_one_line(tmp_path, monkeypatch, capsys):
    config = pytest.importorskip("dask").config
    words = ("--backend", "dask", "--scheduler", "tcp://a:1", "--out", str(tmp_path / "out"))
    with config.set({"motsim.no-worker-timeout": "soon"}):
        line, _ = refusal(*words, capsys=capsys)
    assert "motsim.no-worker-timeout must be a time, such as 30s; got 'soon'" in line


@needs_dask
@pytest.mark.parametrize("change", ["# another line\n", ""], ids=["changed", "control: the same"])
def test_a_cluster_with_another_version_is_refused(probe, tmp_path, change):
    """Its runs would be stored under keys of code that did not make them."""
    other = tmp_path / "other"
    shutil.copytree(Path(motsim.__file__).parent, other / "motsim")
    with (other / "motsim" / "randomness.py").open("a") as stream:
        stream.write(change)
    path = os.pathsep.join([str(other), os.environ["PYTHONPATH"]])
    out = tmp_path / "out"
    with Cluster(tmp_path / "cluster", workers=1, environment={"PYTHONPATH": path}) as cluster:
        process = start(
            probe(""), "--out", out, "--backend", "dask", "--scheduler", cluster.address
        )
        _, errors = process.communicate(timeout=120)
    told = [json.loads(line) for line in errors.splitlines()]
    with Store(out) as store:
        stored = len(store.settled())
    if change:
        assert process.returncode == 2, errors
        assert told[-1]["text"].endswith(
            "a worker has another version of motsim than this command; install the same one"
            " everywhere"
        )
        assert stored == 0
    else:
        assert (process.returncode, stored) == (0, 4), errors
