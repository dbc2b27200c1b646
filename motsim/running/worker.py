"""What a worker does with the runs that it is given, in whatever process or on whatever machine."""

import ctypes
import os
import signal
import sys
import time
import traceback
from collections.abc import Sequence
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from typing import Any, NamedTuple

from joblib.externals.loky import process_executor

from motsim.experiments import load_kind
from motsim.experiments.protocol import Kind
from motsim.experiments.result import Result, readable
from motsim.mixture.status import Status
from motsim.plans.keys import kind_key
from motsim.plans.plan import Cell
from motsim.results.store import Store, WorkerDiedError, versions_here
from motsim.running.backends import BackendError
from motsim.threads import one_thread

__all__ = ["Done", "execute", "execute_away", "prepare_worker", "worker_died"]

PR_SET_PDEATHSIG = 1


class Done(NamedTuple):
    """What a task tells of one run.

    Where the caller commits them, also settings, result and the versions of the libraries there.
    """

    key: str
    status: str
    seconds: float
    found: tuple[dict[str, Any], Result] | None = None
    versions: dict[str, str] | None = None


def execute(cells: Sequence[Cell], folder: str, sweep: str = "") -> list[Done]:
    """Run some cells in this process, one after the other, and commit each as it ends.

    The disk is waited for once, before the caller hears of them. `sweep` gives signs of life for
    this process, which may be deaf in a kernel.

    One that has killed two workers is stored as `worker_died`; one that another process has is
    passed over (`elsewhere`).
    """
    done = []
    with Store(Path(folder), sweep=sweep) as store, store.together(), one_thread_for(cells):
        for cell in cells:
            begin = time.perf_counter()
            try:
                if not store.lease(cell.key):
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
            known = bool(cell.science) or result.status == Status.ERROR
            if not known and kind_key(load_kind(cell.kind), settings) != cell.key:
                raise BackendError(
                    "a worker has another version of motsim than this command; install the same"
                    " one everywhere"
                )
            seconds = time.perf_counter() - begin
            done.append(Done(cell.key, result.status, seconds, (settings, result), versions_here()))
    return done


def one_thread_for(cells: Sequence[Cell]) -> AbstractContextManager[None]:
    """Return `one_thread`, after loading what these cells need, so that it is limited too."""
    for cell in cells:
        with suppress(Exception):  # `compute` tells of it
            load_kind(cell.kind, cell.folder)
    return one_thread()


def compute(cell: Cell) -> tuple[dict[str, Any], Result]:
    """Run one cell; return the settings that its key is of, all of them, and its result.

    A run that raises has the status `error`: it must not stop the others, and is reported.

    Raises
    ------
    BackendError
        If a user's own module is not here, or not as it was when the runs were planned.
    """
    own = _own_kind(cell) if cell.science else None
    try:
        kind = own or load_kind(cell.kind)
        settings = kind.effective(kind.Settings(**cell.values, seed=cell.labels["seed"]))
        result = kind.run(settings)
        if own:
            _check_imports(own)
        return kind.dump(settings), result
    except Exception as error:
        text = readable(" ".join(f"{type(error).__name__}: {error}".split()))
        trace = readable(traceback.format_exc())
        failed = Result(Status.ERROR, {"error": text, "traceback": trace})
        return dict(cell.values), failed


def _own_kind(cell: Cell) -> Kind:
    """Return the user's own kind of a cell, as it was when its key was made."""
    try:
        kind = load_kind(cell.kind, cell.folder)
    except ValueError as error:
        raise BackendError(
            f"a worker cannot load the kind of run: {error}; install its package there, or share"
            " the folder"
        ) from error
    if kind.science != cell.science:
        raise BackendError(
            f"the sources of kind {cell.kind!r} have changed since this sweep began, or are others"
            " on a worker; give the same command again"
        )
    return kind


def _check_imports(kind: Kind) -> None:
    """Refuse the result of code that no key covers."""
    from motsim.experiments.own import undeclared

    names = undeclared(kind)
    if names:
        raise ImportError(
            f"the run imported {', '.join(names)} by other means than an import statement; name"
            " the file in SOURCES, so that its change makes stored runs stale"
        )


def worker_died(reason: object) -> Result:
    """Return the result of a run that is given up because its workers died."""
    return Result(Status.WORKER_DIED, {"error": readable(str(reason))})


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
