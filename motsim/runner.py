"""Runs cells over worker processes; each worker commits its own row before it returns."""

import ctypes
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from joblib import Parallel, delayed
from joblib.externals.loky import process_executor
from joblib.externals.loky.process_executor import TerminatedWorkerError
from pydantic import BaseModel
from threadpoolctl import threadpool_limits

from motsim.experiments import kind_module
from motsim.experiments.result import Result
from motsim.plan import Cell
from motsim.store import Store, WorkerDiedError

__all__ = ["execute", "run_cells"]

POLL = 0.5  # seconds between looks at runs that another process has
PR_SET_PDEATHSIG = 1


def execute(kind: str, key: str, settings: BaseModel, folder: str) -> tuple[str, str, float]:
    """Run one cell in this process, on one thread, and commit it; return key, status, seconds.

    The thread limit sits here, not in the caller: BLAS with another number of threads gives
    other bits, also in a sweep with one job. A run that raises is stored as `error`; one that has
    killed two workers as `worker_died`; one that another process has is passed over (`elsewhere`).
    """
    begin = time.perf_counter()
    with Store(Path(folder)) as store:
        try:
            if not store.claim(key):
                return key, "elsewhere", 0.0
            with threadpool_limits(1):
                result: Result = kind_module(kind).run(settings)
        except WorkerDiedError as error:
            result = Result("worker_died", {"error": str(error)})
        except Exception as error:  # one bad run must not stop the others; it is reported
            text = " ".join(f"{type(error).__name__}: {error}".split())
            result = Result("error", {"error": text, "traceback": traceback.format_exc()})
        except BaseException:
            store.release()  # interrupted, not the run's fault
            raise
        seconds = time.perf_counter() - begin
        store.commit(key, kind, settings.model_dump(), result, seconds)
    return key, result.status, seconds


def run_cells(
    cells: Sequence[Cell],
    folder: Path,
    jobs: int,
    on_done: Callable[[str, str, float], Any] = lambda key, status, seconds: None,
) -> None:
    """Run every cell that the store does not hold yet, the longest first.

    A worker that dies takes no finished run with it: its rows are in the store, and the rest is
    planned again. Two calls on one folder share the work: neither repeats what the other has.
    """
    waiting = False
    while True:
        with Store(folder) as store:
            settled, suspects = store.settled(), store.suspects()
        left = {cell.key: cell for cell in cells if cell.key not in settled}
        if not left:
            return
        if waiting:
            time.sleep(POLL)
        ordered = sorted(left.values(), key=_cost, reverse=True)
        alone = [[cell] for cell in ordered if cell.key in suspects]
        together = [cell for cell in ordered if cell.key not in suspects]
        # A run whose worker died is tried again alone, so that only the guilty one dies twice.
        try:
            elsewhere = sum(
                _run_batch(batch, folder, jobs, on_done) for batch in (together, *alone) if batch
            )
        except TerminatedWorkerError:
            continue
        waiting = elsewhere > 0


def _run_batch(
    batch: Sequence[Cell], folder: Path, jobs: int, on_done: Callable[[str, str, float], Any]
) -> int:
    """Run some cells; return how many of them another process has."""
    tasks = [delayed(execute)(c.kind, c.key, c.settings, str(folder)) for c in batch]
    options: dict[str, Any] = {}
    if jobs > 1:
        options = {"initializer": prepare_worker, "initargs": (os.getpid(),)}
    workers = Parallel(n_jobs=jobs, return_as="generator_unordered", batch_size=1, **options)
    elsewhere = 0
    for done in workers(tasks):
        if done[1] == "elsewhere":
            elsewhere += 1
        else:
            on_done(*done)
    return elsewhere


def prepare_worker(parent: int) -> None:
    """Let this worker die with its parent (Linux), and live however large it grows.

    loky ends a worker that has grown by 300 MB, as a compiler may, and can then wait for ever for
    one that left with work outstanding.
    """
    process_executor._MAX_MEMORY_LEAK_SIZE = sys.maxsize
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # it died before it could be asked for: nobody will tell
            os._exit(1)


def _cost(cell: Cell) -> float:
    return float(kind_module(cell.kind).cost(cell.settings))
