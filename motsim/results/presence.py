"""Locks that show that a process is there: the kernel takes them away with it, however it ends.

They are seen from every name space of a machine, also while their process is stopped, and over
network file systems that pass locks on. That a lock is not there says something only where such
locks are known to be seen.
"""

import contextlib
import hashlib
import os
import struct
from collections.abc import Iterable
from pathlib import Path

from motsim.results.mounts import network_file_system

try:
    import fcntl
except ImportError:  # not a POSIX system
    fcntl = None  # type: ignore[assignment]

__all__ = ["Presence", "is_marked", "lock_file", "sees_locks"]

FILE = ".motsim-alive"
#: Without waiting: someone may have put a pipe there.
OPEN = os.O_RDONLY | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NONBLOCK", 0)
#: Locks of an open file, not of a process: closing another descriptor does not take them away.
SET = getattr(fcntl, "F_OFD_SETLK", None)
GET = getattr(fcntl, "F_OFD_GETLK", None)


class Presence:
    """Marks in a folder that this process is there; until `close`, or until it ends.

    Where there are no such locks, or no file can be made, it marks nothing.
    """

    def __init__(self, folder: Path, marks: Iterable[str]) -> None:
        self._file: int | None = None
        if SET is None:
            return
        with contextlib.suppress(OSError):
            self._file = os.open(folder / FILE, OPEN | os.O_CREAT, 0o666)
            for mark in marks:
                fcntl.fcntl(self._file, SET, _request(fcntl.F_RDLCK, _byte(mark)))

    def close(self) -> None:
        """Take the marks away."""
        if self._file is not None:
            os.close(self._file)
            self._file = None


def is_marked(folder: Path, marks: Iterable[str]) -> bool | None:
    """Whether a process is there that made one of these marks; None if that cannot be asked."""
    if GET is None:
        return None
    try:
        file = os.open(folder / FILE, OPEN)
    except OSError:
        return None
    try:
        return any(
            struct.unpack(LAYOUT, fcntl.fcntl(file, GET, _request(fcntl.F_WRLCK, _byte(mark))))[0]
            != fcntl.F_UNLCK
            for mark in marks
        )
    except OSError:
        return None
    finally:
        os.close(file)


def lock_file(descriptor: int) -> bool | None:
    """Lock an open file as a whole; False if another has it, None if there are no such locks."""
    if SET is None:
        return None
    try:
        fcntl.fcntl(descriptor, SET, _request(fcntl.F_WRLCK, 0, 0))
    except (BlockingIOError, PermissionError):
        return False
    except OSError:
        return None
    return True


def sees_locks(folder: Path) -> bool:
    """Whether every process of this machine that uses a folder sees the others' locks there."""
    return SET is not None and network_file_system(folder) is None


LAYOUT = "hhqqi4x"  # struct flock: type, whence, start, length, pid (0: of an open file)


def _request(kind: int, start: int, length: int = 1) -> bytes:
    return struct.pack(LAYOUT, kind, os.SEEK_SET, start, length, 0)


def _byte(mark: str) -> int:
    """Return the offset of a mark's lock in the file, which has no content."""
    return int.from_bytes(hashlib.blake2b(mark.encode(), digest_size=7).digest(), "big")
