"""One thread for the arithmetic of a run, wherever it runs."""

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any

from threadpoolctl import ThreadpoolController

__all__ = ["one_thread"]

_lock = threading.Lock()
_inside = 0
_limits: list[Any] = []  # threadpoolctl's, each of which can restore what it found
_modules: tuple[int, str] = (0, "")
_libraries: Any = None


@contextmanager
def one_thread() -> Iterator[None]:
    """Limit BLAS, OpenMP and numba to one thread; restore them when the last run has left.

    Concerns the libraries that are loaded by now. BLAS with another number of threads gives other
    bits, also in a sweep with one job. Its limit belongs to the process, so runs on several
    threads of one process (a dask worker) share it.
    """
    global _inside
    # numba's limit belongs to the thread; importing waits for another thread that is doing it,
    # and the first question starts numba's threads, which may load OpenMP
    numba: Any = import_module("numba") if "numba" in sys.modules else None
    before = numba.get_num_threads() if numba else 1
    with _lock:
        libraries = _loaded()
        _any_thread_may(libraries)
        _limits.append(libraries.limit(limits=1))
        _inside += 1
    try:
        if before > 1:
            numba.set_num_threads(1)
        yield
    finally:
        if before > 1:
            numba.set_num_threads(before)
        with _lock:
            _inside -= 1
            _any_thread_may(_libraries)
            while _inside == 0 and _limits:
                _limits.pop().restore_original_limits()


def _loaded() -> Any:
    """Return the controller of the thread pools that are loaded by now; under the lock.

    To look for them takes 1 to 2 ms, so it is done again only where a module was imported since:
    that is how BLAS, OpenMP and numba's threads come into the process.
    """
    global _modules, _libraries
    # before the look: another thread may be importing, and its library is there before its module
    modules = len(sys.modules), next(reversed(sys.modules))
    if modules != _modules:
        _libraries, _modules = ThreadpoolController(), modules
    return _libraries


def _any_thread_may(libraries: Any) -> None:
    """Let this thread set the limits; under the lock.

    threadpoolctl 3.8 and later obeys only the first thread that sets a limit of a whole process,
    and silently does nothing for the others: runs on a dask worker's other threads had two.
    """
    for library in libraries.lib_controllers:
        if hasattr(library, "clear_controlling_thread"):
            library.clear_controlling_thread(force=True)
