"""Sources: a path becomes a table; the kind of file is told from its content."""

import gzip
import io
import os
import stat
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

from motsim.checks import did_you_mean
from motsim.rates.reading import coco, ioh, records, tensorboard
from motsim.rates.reading.delimited import delimited
from motsim.rates.reading.line_ends import NewlineStream, returns_only
from motsim.rates.reading.parquet import parquet_table
from motsim.rates.reading.refusal import ReadingError
from motsim.rates.reading.table import Table

__all__ = ["open_table"]

HEAD = 4 << 20
GZIP = b"\x1f\x8b"
UNPACKED = 1 << 26
"""Bytes from which on a gzipped file unpacks to at most `RATIO` times its own."""
RATIO = 50
BINARY = {
    b"\x80": "a pickle, never opened as it may run code",
    b"PK": "a zip archive (xlsx, npz, ...)",
    b"\x93NUMPY": "a NumPy array",
    b"SQLite": "an SQLite file",
    b"\x89HDF": "an HDF5 file",
    b"BZh": "bzip2",
    b"\xfd7zXZ": "xz",
    b"\x28\xb5\x2f\xfd": "zstd",
    b"\xff\xfe": "UTF-16 text; save it as UTF-8",
    b"\xfe\xff": "UTF-16 text; save it as UTF-8",
}


def open_table(path: Path, loss: str | None) -> Table:
    """Return the table of a file, or of a folder of TensorBoard events.

    `loss` chooses among the tags of TensorBoard, which are files of their own kind.
    """
    name = str(path)
    try:
        mode = os.stat(path).st_mode
    except FileNotFoundError:
        raise _missing(path) from None
    except OSError as error:
        raise ReadingError(f"{name}: {error.strerror or error}") from None
    if stat.S_ISDIR(mode):
        return _folder(path, loss)
    if not stat.S_ISREG(mode):
        raise ReadingError(f"{name}: not a regular file; write it to disk first")
    try:
        return _file(path, name, loss)
    except UnicodeError as error:
        raise ReadingError(f"{name}: no UTF-8 text: {error.reason}") from None  # type: ignore[attr-defined]
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise ReadingError(f"{name}: broken gzip: {error}") from None
    except OSError as error:
        raise ReadingError(f"{name}: {error.strerror or error}") from None


def _file(path: Path, name: str, loss: str | None) -> Table:
    with open(path, "rb") as file:
        packed = file.read(2) == GZIP

    def bare() -> BinaryIO:
        return _Unpacked(name, path).buffered() if packed else open(path, "rb")

    with bare() as stream:
        head = stream.read(HEAD)
        whole = len(head) < HEAD
    if not head.strip():
        raise ReadingError(f"{name}: empty file" if not head else f"{name}: only blank lines")
    if head.startswith(b"PAR1"):
        if packed:
            raise ReadingError(f"{name}: Parquet inside gzip; unpack it first")
        return parquet_table(name, path)
    if tensorboard.is_events(path.name, head):
        return tensorboard.events_table(name, [path], loss)
    binary = next((text for mark, text in BINARY.items() if head.startswith(mark)), "")
    if binary or b"\0" in head:
        raise ReadingError(
            f"{name}: binary file{': ' + binary if binary else ''}; give CSV, Parquet, JSON lines"
            " or TensorBoard events"
        )
    opener = bare
    if returns_only(head):
        head, opener = head.replace(b"\r", b"\n"), lambda: io.BufferedReader(NewlineStream(bare()))
    if head.removeprefix(b"\xef\xbb\xbf").lstrip()[:1] in (b"{", b"["):
        return records.json_table(name, opener)
    if coco.is_coco(head):
        with _text(opener) as lines:
            return coco.coco_table(name, lines)
    if ioh.is_ioh(head):
        with _text(opener) as lines:
            return ioh.ioh_table(name, path, lines)
    return delimited(name, opener, head, whole)


class _Unpacked(io.RawIOBase):
    """What a gzipped file holds; a refusal where it is far more than the file."""

    def __init__(self, name: str, path: Path) -> None:
        self._name, self._stream = name, gzip.GzipFile(path, "rb")
        self._packed = os.stat(path).st_size
        self._most = max(UNPACKED, RATIO * self._packed)
        self._read = 0

    def buffered(self) -> BinaryIO:
        return io.BufferedReader(self, 1 << 20)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        count = self._stream.readinto(buffer)
        self._read += count
        if self._read > self._most:
            raise ReadingError(
                f"{self._name}: unpacks to more than {self._most:,} bytes from {self._packed:,};"
                " unpack it first"
            )
        return count

    def close(self) -> None:
        self._stream.close()
        super().close()


def _text(opener: Callable[[], BinaryIO]) -> io.TextIOWrapper:
    return io.TextIOWrapper(opener(), encoding="utf-8", errors="replace")


def _folder(path: Path, loss: str | None) -> Table:
    """Return the table of a folder of event files; others are refused, naming what is inside."""
    events = tensorboard.event_files(path)
    if events:
        return tensorboard.events_table(str(path), events, loss)
    inside = [
        str(found.relative_to(path))
        for pattern in ("*.csv", "*.csv.gz", "*.parquet", "*.jsonl", "trainer_state.json", "*.dat")
        for found in sorted(path.glob(pattern))
    ]
    hint = f"; did you mean {inside[0]!r} in it?" if inside else "; name a file"
    raise ReadingError(f"{path}: a folder without TensorBoard events{hint}")


def _missing(path: Path) -> ReadingError:
    try:
        there = os.listdir(path.parent)
    except OSError:
        return ReadingError(f"{path}: no such file, and no folder {str(path.parent)!r}")
    return ReadingError(f"{path}: no such file{did_you_mean(path.name, there)}")
