"""One thread for the arithmetic of a run, wherever it runs."""

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from threadpoolctl import threadpool_limits

__all__ = ["one_thread"]

_lock = threading.Lock()
_inside = 0
_limits: Any = None


@contextmanager
def one_thread() -> Iterator[None]:
    """Limit BLAS, OpenMP and numba to one thread; restore them when the last run has left.

    BLAS with another number of threads gives other bits, also in a sweep with one job. Its limit
    belongs to the process, so runs on several threads of one process (a dask worker) share it.
    """
    global _inside, _limits
    with _lock:
        if _inside == 0:
            _limits = threadpool_limits(1)
        _inside += 1
    numba: Any = sys.modules.get("numba")  # numba's limit belongs to the thread
    before = numba.get_num_threads() if numba else 1
    try:
        if before > 1:
            numba.set_num_threads(1)
        yield
    finally:
        if before > 1:
            numba.set_num_threads(before)
        with _lock:
            _inside -= 1
            if _inside == 0:
                _limits.restore_original_limits()
                _limits = None
