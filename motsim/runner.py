"""Runs cells over a backend; what is finished is in the store, whoever dies."""

import ctypes
import math
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from typing import Any, NamedTuple

from joblib import Parallel, delayed
from joblib.externals.loky import process_executor

from motsim.backends import Backend, BackendError
from motsim.experiments import kind_module
from motsim.experiments.result import Result
from motsim.plan import Cell
from motsim.store import MAX_TRIES, Store, WorkerDiedError, run_key
from motsim.threads import one_thread

__all__ = ["execute", "prepare_worker", "run_cells"]

POLL = 0.5  # seconds between looks at runs that another process has
TASK_SECONDS = 0.2  # cheap runs are handed out together, up to about this long
TASK_RUNS = 100
PR_SET_PDEATHSIG = 1

OnDone = Callable[[Cell, str, float], Any]


class Done(NamedTuple):
    """What a task tells of one run; settings and result only where the caller commits them."""

    key: str
    status: str
    seconds: float
    found: tuple[dict[str, Any], Result] | None = None


def execute(cells: Sequence[Cell], folder: str) -> list[Done]:
    """Run some cells in this process, one after the other, and commit each as it ends.

    The disk is waited for once, before the caller hears of them.

    One that has killed two workers is stored as `worker_died`; one that another process has is
    passed over (`elsewhere`).
    """
    done = []
    with Store(Path(folder)) as store, store.together(), one_thread_for(cells):
        for cell in cells:
            begin = time.perf_counter()
            try:
                if not store.claim(cell.key):
                    done.append(Done(cell.key, "elsewhere", 0.0))
                    continue
                settings, result = compute(cell)
            except WorkerDiedError as error:
                settings, result = dict(cell.values), worker_died(error)
            except BaseException:
                store.release()  # interrupted, not the run's fault
                raise
            seconds = time.perf_counter() - begin
            store.commit(cell.key, cell.kind, settings, result, seconds)
            done.append(Done(cell.key, result.status, seconds))
    return done


def execute_away(cells: Sequence[Cell]) -> list[Done]:
    """Run some cells on a machine that may not see the store; the caller commits them.

    Raises
    ------
    BackendError
        If this machine's motsim would store the run under another key.
    """
    done = []
    with one_thread_for(cells):
        for cell in cells:
            begin = time.perf_counter()
            settings, result = compute(cell)
            if result.status != "error":
                found = run_key(cell.kind, settings, kind_module(cell.kind).SCIENCE)
                if found != cell.key:
                    raise BackendError(
                        "a worker has another version of motsim than this command; install the"
                        " same one everywhere"
                    )
            seconds = time.perf_counter() - begin
            done.append(Done(cell.key, result.status, seconds, (settings, result)))
    return done


def one_thread_for(cells: Sequence[Cell]) -> AbstractContextManager[None]:
    """Return `one_thread`, after loading what these cells need, so that it is limited too."""
    for cell in cells:
        with suppress(Exception):  # `compute` tells of it
            kind_module(cell.kind)
    return one_thread()


def compute(cell: Cell) -> tuple[dict[str, Any], Result]:
    """Run one cell; return its complete settings and its result.

    A run that raises has the status `error`: it must not stop the others, and is reported.
    """
    try:
        settings = cell.settings
        result: Result = kind_module(cell.kind).run(settings)
        return settings.model_dump(), result
    except Exception as error:
        text = " ".join(f"{type(error).__name__}: {error}".split())
        failed = Result("error", {"error": text, "traceback": traceback.format_exc()})
        return dict(cell.values), failed


def worker_died(reason: object) -> Result:
    """Return the result of a run that is given up because its workers died."""
    return Result("worker_died", {"error": str(reason)})


def run_cells(
    cells: Sequence[Cell],
    folder: Path,
    workers: int | Backend,
    on_done: OnDone = lambda cell, status, seconds: None,
) -> None:
    """Run every cell that the store does not hold yet, the longest first.

    A worker that dies takes no finished run with it: its rows are in the store, and the rest is
    planned again. Two calls on one folder share the work: neither repeats what the other has
    (on a cluster, where only the caller sees the store, they may compute a run twice).

    Parameters
    ----------
    cells : sequence of Cell
    folder : Path
        Of the store.
    workers : int or Backend
        A number means that many processes on this machine.
    on_done : callable
        Called with cell, status and seconds; seconds are NaN if another process finished it or
        its worker died right after.

    Raises
    ------
    BackendError
        If the cluster is lost.
    """
    backend = workers if isinstance(workers, Backend) else Backend(jobs=workers, ahead=2 * workers)
    with Store(folder) as store:
        store.forget_dead()
        told = set(store.settled())
    deaths: dict[str, int] = {}  # of a cluster's workers, by the run that was under way
    waiting = fruitless = 0
    while True:
        with Store(folder) as store:
            settled = store.settled()
            suspects = store.suspects() | deaths.keys()
        left = {}
        for cell in cells:
            if cell.key not in settled:
                left[cell.key] = cell
            elif cell.key not in told:  # by another process, or its worker died right after
                told.add(cell.key)
                on_done(cell, settled[cell.key], math.nan)
        if not left:
            return
        if waiting:
            time.sleep(POLL)
        # A run whose worker died is tried again alone, so that only the guilty one dies twice.
        ordered = sorted(left.values(), key=lambda cell: cell.cost, reverse=True)
        alone = [[cell] for cell in ordered if cell.key in suspects]
        together = [cell for cell in ordered if cell.key not in suspects]
        waiting, before = 0, len(told)
        for batch in (together, *alone):
            unanswered, elsewhere = _run_batch(batch, folder, backend, told, on_done)
            waiting += elsewhere
            for key in unanswered if backend.remote else ():
                deaths[key] = deaths.get(key, 0) + 1
                if deaths[key] >= MAX_TRIES:
                    with Store(folder) as store:
                        reason = worker_died(f"{deaths[key]} workers died while running this")
                        store.commit(key, left[key].kind, dict(left[key].values), reason, 0.0)
            if unanswered and not backend.remote:
                waiting = 0
                break  # the store knows which runs were under way
        fruitless = 0 if waiting or len(told) > before else fruitless + 1
        if fruitless > 2 * MAX_TRIES:
            raise RuntimeError("workers die before they can run anything; try --jobs 1 to see why")


def _run_batch(
    batch: Sequence[Cell], folder: Path, backend: Backend, told: set[str], on_done: OnDone
) -> tuple[set[str], int]:
    """Run some cells.

    Returns
    -------
    set of str
        Keys that were handed out and not answered for, because a worker died.
    int
        How many of the others another process has.
    """
    cells = {cell.key: cell for cell in batch}
    unanswered: set[str] = set()
    elsewhere = 0

    def tasks() -> Iterator[Any]:
        for group in grouped(batch, backend.jobs):
            unanswered.update(cell.key for cell in group)
            yield (
                delayed(execute_away)(group)
                if backend.remote
                else delayed(execute)(group, str(folder))
            )

    with Store(folder) as store:
        for answers in _answers(tasks(), backend):
            if backend.remote:
                with store.together():
                    for key, _, seconds, found in answers:
                        if found:
                            store.commit(key, cells[key].kind, *found, seconds)
            for key, status, seconds, _ in answers:
                unanswered.discard(key)
                if status == "elsewhere":
                    elsewhere += 1
                else:
                    told.add(key)
                    on_done(cells[key], status, seconds)
    return unanswered, elsewhere


def _answers(tasks: Iterator[Any], backend: Backend) -> Iterator[list[Done]]:
    """Yield what each task tells, as it comes; end early if a worker died and no more comes."""
    options: dict[str, Any] = {"n_jobs": backend.jobs}
    if backend.remote:
        options["n_jobs"] = max(2, backend.jobs)  # joblib runs 1 in this process
    elif backend.jobs > 1:
        options |= {"initializer": prepare_worker, "initargs": (os.getpid(),)}
    with backend.context():
        workers = Parallel(
            return_as="generator_unordered", batch_size=1, pre_dispatch=backend.ahead, **options
        )
        try:
            for answers in workers(tasks):
                yield answers or []  # None: its worker died
        except backend.died:
            return
        except BackendError:
            raise
        except Exception as error:
            if not backend.remote:
                raise
            raise BackendError(
                f"the {backend.name} cluster failed: {type(error).__name__}: {error}"
            ) from error


def grouped(cells: Sequence[Cell], jobs: int) -> Iterator[list[Cell]]:
    """Yield cheap runs together, for a task each: fewer messages, and still work for all."""
    most = min(TASK_RUNS, math.ceil(len(cells) / (4 * jobs)))
    group: list[Cell] = []
    seconds = 0.0
    for cell in cells:
        if group and (len(group) >= most or seconds + cell.cost > TASK_SECONDS):
            yield group
            group, seconds = [], 0.0
        group.append(cell)
        seconds += cell.cost
    if group:
        yield group


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
