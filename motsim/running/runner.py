"""Runs cells over a backend; what is finished is in the store, whoever dies."""

import logging
import math
import os
import signal
import threading
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from joblib import Parallel, delayed

from motsim.plans.plan import Cell
from motsim.results.store import MAX_TRIES
from motsim.running.backends import Backend, BackendError
from motsim.running.keeper import Keeper
from motsim.running.worker import Done, execute, execute_away, prepare_worker, worker_died

__all__ = ["run_cells"]

POLL = 0.5  # seconds between looks at runs that another process has
TASK_SECONDS = 0.2  # cheap runs are handed out together, up to about this long
TASK_RUNS = 100

OnDone = Callable[[Cell, str, float], Any]
log = logging.getLogger(__name__)


def run_cells(
    cells: Sequence[Cell],
    folder: Path,
    workers: int | Backend,
    on_done: OnDone = lambda cell, status, seconds: None,
    tell: Callable[[str], object] = log.warning,
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
    tell : callable
        Told in lines for whom this call waits, and whose runs it takes.

    Raises
    ------
    BackendError
        If the cluster is lost.
    StoreError
        If the store cannot be used, or if nothing tells whether those live that hold the rest.
    """
    backend = workers if isinstance(workers, Backend) else Backend(jobs=workers, ahead=2 * workers)
    with Keeper(folder, tell) as keeper:
        _run_all(cells, keeper, backend, on_done)


def _run_all(cells: Sequence[Cell], keeper: Keeper, backend: Backend, on_done: OnDone) -> None:
    with keeper.store() as store:
        store.forget_dead()
        told = set(store.settled())
    deaths: dict[str, int] = {}  # of a cluster's workers, by the run that was under way
    waiting = fruitless = 0
    while True:
        with keeper.store() as store:
            held = keeper.held(store)
            settled = store.settled()  # after `held`: what ends in between is settled
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
        theirs = {key: held[key] for key in left.keys() & held.keys()}
        nothing_else = len(theirs) == len(left)
        if waiting or nothing_else:
            keeper.wait(theirs, POLL, only=nothing_else)
        else:
            keeper.working()
        if nothing_else:
            continue
        left = {key: cell for key, cell in left.items() if key not in theirs}
        # A run whose worker died is tried again alone, so that only the guilty one dies twice.
        ordered = sorted(left.values(), key=lambda cell: cell.cost, reverse=True)
        alone = [[cell] for cell in ordered if cell.key in suspects]
        together = [cell for cell in ordered if cell.key not in suspects]
        waiting, before = len(theirs), len(told)
        for batch in (together, *alone):
            unanswered, elsewhere = _run_batch(batch, keeper, backend, told, on_done)
            waiting += elsewhere
            for key in unanswered if backend.remote else ():
                deaths[key] = deaths.get(key, 0) + 1
                if deaths[key] >= MAX_TRIES:
                    with keeper.store() as store:
                        reason = worker_died(f"{deaths[key]} workers died while running this")
                        store.commit(key, left[key].kind, dict(left[key].values), reason, 0.0)
            if unanswered and not backend.remote:
                waiting = 0
                break  # the store knows which runs were under way
        fruitless = 0 if waiting or len(told) > before else fruitless + 1
        if fruitless > 2 * MAX_TRIES:
            raise RuntimeError("workers die before they can run anything; try --jobs 1 to see why")


def _run_batch(
    batch: Sequence[Cell], keeper: Keeper, backend: Backend, told: set[str], on_done: OnDone
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
                else delayed(execute)(group, str(keeper.folder), keeper.sweep)
            )

    with keeper.store() as store, closing(_answers(tasks(), backend)) as found_by_task:
        for answers in found_by_task:
            if backend.remote:
                with store.together():
                    for key, _, seconds, found, versions in answers:
                        if found:
                            store.commit(key, cells[key].kind, *found, seconds, versions)
            for key, status, seconds, *_ in answers:
                unanswered.discard(key)
                if status == "elsewhere":
                    elsewhere += 1
                else:
                    told.add(key)
                    on_done(cells[key], status, seconds)
    return unanswered, elsewhere


def _answers(tasks: Iterator[Any], backend: Backend) -> Generator[list[Done], None, None]:
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
            with _unheard():
                found = workers(tasks)
            for answers in found:
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


@contextmanager
def _unheard() -> Iterator[None]:
    """Ctrl-C is not heard by processes that start here: this one ends them, without tracebacks.

    A terminal sends it to all of them, also to one that is still importing.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


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
