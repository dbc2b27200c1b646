"""F21 and F23: the same bytes with any number of jobs, on any backend, with any thread setting."""

import hashlib
import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from threadpoolctl import OpenBLASController

from tests.running.cluster import Cluster

#: One product of 602 x 602. Whether BLAS gives other bits with other numbers of threads follows the
#: kernels and the size, and no size is safe: with OpenBLAS 0.3.31's kernels for Haswell 81 and most
#: sizes that leave 1 or 2 by 4 differ, 600 does not; 602 differs with those for AVX-512, too.
SWEEP = """
title = "Products"
kind = "probe"
seeds = 2
[grid]
size = {sizes}
mood = ["good", "threads"]
"""
ROOT = Path(__file__).resolve().parents[2]
usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
cores = pytest.mark.skipif((usable or 1) < 2, reason="one core: BLAS has one thread")
#: Between two tasks a library with its own BLAS comes; prints the most threads inside the second.
LATER = """
import numpy, os, sys
from threadpoolctl import threadpool_info
from motsim import threads
assert "scipy.linalg" not in sys.modules
with threads.one_thread():
    before = len(threadpool_info())
if sys.argv[1] == "first only":
    loaded = threads._loaded()
    threads._loaded = lambda: loaded
import scipy.linalg
with threads.one_thread():
    pools = threadpool_info()
assert len(pools) > before
print(max(pool["num_threads"] for pool in pools))
print(max(pool["num_threads"] for pool in threadpool_info()))
"""
#: Thread A runs first and lives on; prints the threads of BLAS inside and after a run on B.
SECOND = """
import numpy, sys, threading
from threadpoolctl import threadpool_info
from motsim import threads
if sys.argv[1] == "first only":
    threads._any_thread_may = lambda libraries: None
def blas():
    return max(p["num_threads"] for p in threadpool_info() if p["user_api"] == "blas")
def run():
    with threads.one_thread():
        return blas()
first, second = threading.Event(), threading.Event()
def a():
    run()
    first.set()
    second.wait(60)
def b():
    first.wait(60)
    print(run(), blas())
    second.set()
workers = [threading.Thread(target=work) for work in (a, b)]
for worker in workers:
    worker.start()
for worker in workers:
    worker.join()
"""
UNPROTECTED = """
import sys
from contextlib import nullcontext
import motsim.running.worker
motsim.running.worker.one_thread = nullcontext
from motsim.sweep import main
raise SystemExit(main(sys.argv[1:]))
"""


@pytest.fixture
def sweep(kinds, tmp_path):
    """sweep(*words, blas, hash_seed, code) -> digest of the tables of a sweep in a new process."""
    files = {}
    for order, sizes in {"up": "[0, 602, 20]", "down": "[20, 602, 0]"}.items():
        files[order] = tmp_path / order / "probe.toml"
        files[order].parent.mkdir()
        files[order].write_text(SWEEP.format(sizes=sizes))

    def run(name, *words, blas=None, program=("-m", "motsim.sweep"), order="up"):
        environment = {k: v for k, v in os.environ.items() if k != "OPENBLAS_NUM_THREADS"}
        environment |= {"PYTHONHASHSEED": "random"}
        environment["PYTHONPATH"] = os.pathsep.join([os.environ["PYTHONPATH"], str(ROOT)])
        if blas is not None:
            environment["OPENBLAS_NUM_THREADS"] = str(blas)
        out = tmp_path / name
        subprocess.run(
            [sys.executable, *program, str(files[order]), "--out", str(out), *map(str, words)],
            env=environment, check=True, capture_output=True, timeout=120,
        )  # fmt: skip
        return out

    return run


def numbers(out, sizes=(0, 20, 602)):
    """Rows and columns in a fixed order, without the count of threads, which is no result."""
    rows = pd.read_csv(out / "probe.csv", dtype=str)  # as written, to the last digit
    rows = rows[rows["size"].astype(int).isin(sizes)].drop(columns=["blas", "numba"])
    return rows[sorted(rows)].sort_values("run")


def digest(out, sizes=(0, 20, 602)):
    """Of the results: the sweep file's order is the table's."""
    rows = numbers(out, sizes)
    return hashlib.sha256(rows.to_csv(index=False).encode()).hexdigest()


@pytest.mark.parametrize("four", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_f21_f23_any_jobs_backend_order_and_threads_give_the_same_bytes(
    sweep, tmp_path, four, record
):
    outs = [
        sweep("one", "--jobs", 1),
        sweep("two", "--jobs", 2, blas=1),
        *([sweep("four", "--jobs", 4, blas=2, order="down")] if four else []),
        sweep("sequential", "--backend", "sequential", blas=2, order="down"),
    ]
    if importlib.util.find_spec("distributed"):
        with Cluster(tmp_path / "cluster", workers=1, threads=2) as cluster:
            words = ("--backend", "dask", "--scheduler", cluster.address)
            outs.append(sweep("dask", *words, order="down"))
    assert len({digest(out) for out in outs}) == 1
    assert outs[0].joinpath("probe.csv").read_bytes() == outs[1].joinpath("probe.csv").read_bytes()
    rows = pd.concat([pd.read_csv(out / "probe.csv") for out in outs])
    limited = rows[rows["mood"] == "threads"]
    assert (limited[["blas", "numba"]] == 1).all(axis=None)
    names = ", ".join(out.name for out in outs)
    record("F21", f"same bytes: {names} (jobs or backend; two orders, BLAS threads unset, 1, 2)")
    record("F23", f"one thread for BLAS and numba in each of {len(limited)} runs that looked")


@cores
def test_f21_control_without_the_limit_the_bytes_differ(sweep):
    program = ("-c", UNPROTECTED)
    one = sweep("one", "--jobs", 1, blas=1, program=program)
    two = sweep("two", "--jobs", 1, blas=2, program=program)
    assert digest(one, [602]) != digest(two, [602])
    products = [numbers(out, [602])[["trace", "corner"]] for out in (one, two)]
    assert (products[0] != products[1]).any(axis=None)  # the products themselves, nothing else
    assert pd.read_csv(two / "probe.csv")["blas"].max() == 2
    assert digest(one, [0, 20]) == digest(two, [0, 20])  # too small to show anything
    again = sweep("again", "--jobs", 1, blas=1, program=program)
    assert digest(one) == digest(again)  # and what differs is the threads' doing


@cores
@pytest.mark.parametrize(("looks", "threads"), [("each", 1), ("first only", 2)])
def test_f23_a_library_that_is_loaded_later_is_limited_too(looks, threads):
    """Its control looks for thread pools once and for all."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OPENBLAS_NUM_THREADS": "2"}
    done = subprocess.run(
        [sys.executable, "-c", LATER, looks], env=environment, check=True, capture_output=True,
        text=True,
    )  # fmt: skip
    assert [int(word) for word in done.stdout.split()] == [threads, 2]


@cores
@pytest.mark.parametrize(
    ("obeyed", "threads"),
    [
        ("each", 1),
        pytest.param("first only", 2, marks=pytest.mark.skipif(
            not hasattr(OpenBLASController, "clear_controlling_thread"),
            reason="this threadpoolctl obeys every thread",
        )),
    ],
)  # fmt: skip
def test_f23_every_thread_of_a_worker_is_limited(obeyed, threads):
    """As on a dask worker with two threads; the control is threadpoolctl as it comes."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OPENBLAS_NUM_THREADS": "2"}
    done = subprocess.run(
        [sys.executable, "-c", SECOND, obeyed], env=environment, check=True, capture_output=True,
        text=True,
    )  # fmt: skip
    assert [int(word) for word in done.stdout.split()] == [threads, 2]
