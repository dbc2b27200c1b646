"""Files of strangers: regular ones only, opened without waiting and read up to a declared size."""

import errno
import json
import os
import stat
from pathlib import Path
from typing import Any, BinaryIO

__all__ = ["check_regular", "open_regular", "read_json", "read_regular"]

MAX_JSON = 16_000_000  # bytes of a description of tables, or of a sweep file


def check_regular(path: Path) -> os.stat_result:
    """Return what `stat` says of a regular file, or of the one that a link leads to.

    Raises
    ------
    OSError
        If there is none, or a device, a pipe or a socket, which may never end.
    """
    seen = path.stat()
    _refuse(path, seen.st_mode)
    return seen


def open_regular(path: Path) -> BinaryIO:
    """Open a file to read, looking at what was opened; errors as of `check_regular`."""
    # a pipe without a writer would keep an ordinary open waiting
    handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    try:
        _refuse(path, os.fstat(handle).st_mode)
        return os.fdopen(handle, "rb")
    except BaseException:
        os.close(handle)
        raise


def read_regular(path: Path, most: int) -> bytes:
    """Return a file's bytes; OSError also if there are more than `most`."""
    with open_regular(path) as stream:
        size = os.fstat(stream.fileno()).st_size
        if size > most:
            raise OSError(errno.EFBIG, f"{size:,} bytes; at most {most:,} are read", str(path))
        return stream.read(size)


def read_json(path: Path, most: int = MAX_JSON) -> Any:
    """Return what a JSON file holds; errors as of `read_regular`, ValueError if it is no JSON."""
    try:
        return json.loads(read_regular(path, most))
    except RecursionError:
        raise ValueError(f"{path}: nested too deeply") from None


def _refuse(path: Path, mode: int) -> None:
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if not stat.S_ISREG(mode):
        raise OSError(errno.EINVAL, "not a regular file", str(path))
