"""Files that are written aside and replaced together: whole and new, or left as they were."""

import contextlib
import csv
import errno
import hashlib
import io
import os
import time
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from itertools import repeat
from operator import ne
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import quote, unquote

from motsim.results.columns import guarded
from motsim.results.folder import StoreError, not_written
from motsim.results.ownership import Owner, lives, myself
from motsim.results.presence import lock_file, sees_locks

__all__ = ["GZIP", "TableFile", "clean", "replace_all"]

GZIP = ".gz"
PART = ".part-"
PATIENCE = 5.0  # seconds to wait for a lock that is held for a moment


class TableFile:
    """A file under way: a CSV table with these columns, a text or a picture; with its digest.

    One whose name ends in ``.gz`` is packed. Its digest is of what was written all the same: zlib
    of another version packs the same text into other bytes.
    """

    def __init__(self, path: Path, columns: Sequence[str] = ()) -> None:
        self.path = path
        self.part = path.with_name(f".{path.name}{PART}{_suffix()}")
        self._columns = columns
        self._digest = hashlib.blake2b(digest_size=16)
        self._stream: BinaryIO | None = None
        self._locked = False
        # wbits of gzip, whose head then holds no time: the same text, the same bytes
        self._packer = zlib.compressobj(6, zlib.DEFLATED, 31) if path.suffix == GZIP else None

    def open(self) -> None:
        """Begin it beside the old one, locked: so it is left alone from wherever it is seen."""
        patience = time.monotonic() + PATIENCE
        while True:
            self._stream = self.part.open("wb")
            locked = lock_file(self._stream.fileno())
            if locked is None or (locked and _is_at(self.part, self._stream)):
                break
            self._stream.close()  # `clean` came between the two steps, and has it for a moment
            if time.monotonic() > patience:
                raise BlockingIOError(errno.EAGAIN, "another process has locked it")
        self._locked = bool(locked)
        if self._columns:
            self.write_rows([self._columns])

    @property
    def digest(self) -> str:
        """Of all that was written: 32 hexadecimal digits."""
        return self._digest.hexdigest()

    def write(
        self, columns: Mapping[str, Sequence[Any]], same: Mapping[str, Any], count: int
    ) -> None:
        """Add `count` rows by their columns, and the values that they all share; else empty."""
        fields: list[Iterable[Any]] = [
            _blank(columns[name]) if name in columns else repeat(_text(same.get(name)), count)
            for name in self._columns
        ]
        self.write_rows(zip(*fields, strict=True))

    def write_text(self, text: str) -> None:
        """Add text as it is."""
        self.write_bytes(text.encode("utf-8"))

    def write_bytes(self, content: bytes) -> None:
        """Add bytes."""
        assert self._stream, "open it first"
        self._digest.update(content)
        self._stream.write(self._packer.compress(content) if self._packer else content)

    def write_rows(self, rows: Iterable[Sequence[Any]]) -> None:
        """Add rows of a table as they are."""
        text = io.StringIO(newline="")
        csv.writer(text, lineterminator="\n").writerows(rows)
        self.write_text(text.getvalue())

    def flush(self) -> None:
        """Bring all of it to the disk."""
        assert self._stream, "open it first"
        if self._packer:
            self._stream.write(self._packer.flush())
        self._stream.flush()
        os.fsync(self._stream.fileno())
        if not self._locked:
            self._stream.close()

    def replace(self) -> None:
        """Take the place of the old file, at once."""
        os.replace(self.part, self.path)
        if self._stream:
            self._stream.close()

    def discard(self) -> None:
        """Leave nothing behind."""
        with contextlib.suppress(OSError):
            if self._stream:
                self._stream.close()
        self.part.unlink(missing_ok=True)


def _text(value: Any) -> str:
    """Text of a value that reads back the same; nothing for None and NaN."""
    if isinstance(value, str):
        return guarded(value)
    return "" if value is None or value != value else str(value)


def _blank(values: Sequence[Any]) -> Sequence[Any]:
    """Return values of which `csv` writes what `_text` gives: it leaves out None, but not NaN."""
    if str in set(map(type, values)):
        return [_text(value) for value in values]
    if any(map(ne, values, values)):
        return [None if value != value else value for value in values]
    return values


@contextmanager
def replace_all(
    files: Sequence[TableFile],
    lock: Callable[[], AbstractContextManager[None]],
    stale: Callable[[], Iterable[Path]] = tuple,
) -> Iterator[None]:
    """Write files inside; at the end they replace the old ones, in this order, under a lock.

    What `stale` names, asked under the lock, goes before the last file takes its place.

    Raises
    ------
    StoreError
        If there is no room; the old files stay as they were.
    """
    try:
        for file in files:
            file.open()
        yield
        for file in files:
            file.flush()
        with lock():
            gone = list(stale())
            for file in files[:-1]:
                file.replace()
            for path in gone:
                path.unlink(missing_ok=True)
            for file in files[-1:]:
                file.replace()
    except StoreError:
        raise
    except OSError as error:
        failed = next((file.path for file in files if file.part.exists()), files[0].path)
        raise not_written(failed, error) from error
    finally:
        for file in files:
            file.discard()


def clean(folder: Path, name: str) -> None:
    """Delete what exports of a sweep left behind whose process was killed."""
    for path in folder.glob(f".{name}.*{PART}*"):
        owner = Owner.parse(unquote(path.name.rpartition(PART)[2]))
        there = lives(owner, myself()) if owner else False
        if there or (there is None and not _tells(owner, folder)):
            continue
        with contextlib.suppress(OSError), path.open("r+b") as stream:
            locked = lock_file(stream.fileno())
            if locked or (locked is None and there is False):
                path.unlink(missing_ok=True)


def _tells(owner: Owner | None, folder: Path) -> bool:
    """Whether a process that cannot be looked up would be seen to lock its file."""
    return owner is not None and not owner.older and owner.shares_boot() and sees_locks(folder)


def _suffix() -> str:
    """Name this process, as short as it can be: the name of a file has an end."""
    return quote(str(replace(myself(), host="")), safe="")


def _is_at(path: Path, stream: BinaryIO) -> bool:
    """Whether an open file is still the one at its path."""
    try:
        return os.path.samestat(path.stat(), os.fstat(stream.fileno()))
    except OSError:
        return False
