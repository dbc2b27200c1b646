"""A dask cluster gives the same bytes; what was finished is kept when the scheduler is lost."""

import json
import os
import shutil
import signal
from pathlib import Path

import pandas as pd
import pytest

import motsim
from motsim.results.store import Store
from tests.running.cluster import Cluster
from tests.running.dask_runs import computed, needs_dask, run, start, table, wait_for_lines

pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning")


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
