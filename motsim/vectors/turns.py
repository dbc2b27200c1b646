"""Turns between processes: who compiles a kernel, and who waits to load it.

A turn is a lock on a file that the system takes back from whoever dies. Where there are no such
locks, or a holder never ends, one goes on without: to compile twice only costs time.
"""

import contextlib
import os
import time
from pathlib import Path
from typing import Any

try:
    import fcntl
except ImportError:  # no such locks on this system
    fcntl = None  # type: ignore[assignment]

__all__ = ["Turn"]

POLL = 0.05  # seconds between looks at a lock that another has
PATIENCE = 300.0  # seconds; several times as long as all kernels take


class Turn:
    """The right to make one file; `waited` says whether another had it meanwhile."""

    def __init__(self, path: Path) -> None:
        self.path, self.waited = path, False
        self._handle: int | None = None

    def taken(self) -> bool:
        """Whether this call took the turn, or there is none to take; False: another has it."""
        locks: Any = fcntl
        try:
            handle = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError:
            return True
        try:
            if locks is not None:
                locks.flock(handle, locks.LOCK_EX | locks.LOCK_NB)
        except BlockingIOError:
            os.close(handle)
            return False
        except OSError:  # a file system without locks
            os.close(handle)
            return True
        self._handle = handle
        return True

    def wait(self) -> None:
        """Take the turn when it is free, or go on without after PATIENCE."""
        end = time.monotonic() + PATIENCE
        while not self.taken() and time.monotonic() < end:
            self.waited = True
            time.sleep(POLL)

    def end(self, *, made: bool) -> None:
        """Give the turn back. What is `made` needs none any more."""
        if self._handle is None:
            return
        if made:  # whoever waits has this file open, looks once more, and finds what was made
            with contextlib.suppress(OSError):
                self.path.unlink()
        os.close(self._handle)
        self._handle = None
