"""Token sequences in an ``.npz`` file: arrays tokens (n, L, d), labels (n,) and classes (n,)."""

import io
import math
import struct
import tokenize
import zipfile
import zlib
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import ArrayLike, NDArray

from motsim.realdata.records import DataError, Sequences
from motsim.regular import open_regular

__all__ = ["read_archive", "write_archive"]

#: Array -> number of dimensions and the NumPy kinds it may have.
KEYS = {"tokens": (3, "f"), "labels": (1, "iu"), "classes": (1, "iu")}
MAX_NUMBERS = 200_000_000  # of `tokens`: 1.6 GB
MAX_COUNT = 10_000
MAX_HEADER = 10_000  # bytes
PACKED = 2**26  # bytes from which on an array unpacks to at most `RATIO` times what the file holds
RATIO = 50
METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # as NumPy writes; others unpack unbounded
BROKEN = (
    zipfile.BadZipFile, zlib.error, struct.error, EOFError, NotImplementedError, RuntimeError,
    ValueError, OverflowError,
)  # fmt: skip
#: What NumPy raises of a header that is none.
HEADERS = (ValueError, TypeError, MemoryError, RecursionError, SyntaxError, tokenize.TokenError)


def write_archive(path: Path, tokens: ArrayLike, labels: ArrayLike, classes: ArrayLike) -> None:
    """Write sequences as `read_archive` reads them."""
    np.savez(
        path,
        tokens=np.asarray(tokens, dtype=np.float64),
        labels=np.asarray(labels, dtype=np.int64),
        classes=np.asarray(classes, dtype=np.int64),
    )


def read_archive(path: Path) -> Sequences:
    """Return the sequences of a file made by ``numpy.savez``.

    Labels are -1 and +1, or 0 to C - 1; classes are the mixture's components, 0 to N - 1, none of
    them without a sequence.

    Raises
    ------
    DataError
        If the file is missing, damaged, lacks an array, or one has another shape, type or range.
    """
    try:
        with open_regular(path) as stream, zipfile.ZipFile(stream) as archive:
            found = {name: _array(archive, path, name) for name in KEYS}
    except OSError as error:
        raise DataError(f"{path}: {error.strerror or error}") from error
    except DataError:
        raise
    except BROKEN as error:
        text = " ".join(str(error).split()) or type(error).__name__
        raise DataError(f"{path}: truncated, or not an .npz file: {text}") from error
    tokens, labels, classes = (found[name] for name in KEYS)
    n = len(tokens)
    if min(tokens.shape) < 1 or labels.shape != (n,) or classes.shape != (n,):
        raise DataError(
            f"{path}: tokens (n, L, d), labels (n,) and classes (n,) must agree and not be empty;"
            f" got shapes {tokens.shape}, {labels.shape} and {classes.shape}"
        )
    if not np.isfinite(tokens).all():
        raise DataError(f"{path}: tokens must be finite")
    _check_count(path, "classes", classes)
    if set(np.unique(labels).tolist()) != {-1, 1}:
        _check_count(path, "labels", labels)
    return Sequences(
        np.ascontiguousarray(tokens, dtype=np.float64),
        labels.astype(np.int64),
        classes.astype(np.int64),
    )


def _array(archive: zipfile.ZipFile, path: Path, name: str) -> NDArray[np.generic]:
    """One array, read only after its header was checked; no pickle is ever loaded."""
    dimensions, kinds = KEYS[name]
    try:
        entry = archive.getinfo(f"{name}.npy")
    except KeyError as error:
        held = ", ".join(n.removesuffix(".npy") for n in archive.namelist()[:8]) or "nothing"
        raise DataError(f"{path}: needs an array {name!r}; it holds {held}") from error
    if entry.compress_type not in METHODS:
        raise DataError(f"{path}: array {name!r} is packed in a way that NumPy does not write")
    if entry.file_size > max(PACKED, RATIO * entry.compress_size):
        raise DataError(
            f"{path}: array {name!r} unpacks to {entry.file_size:,} bytes from"
            f" {entry.compress_size:,}; at most {RATIO} times as much above {PACKED:,}"
        )
    with archive.open(entry) as member:
        try:
            shape, fortran, kind = _header(member)
        except HEADERS as error:
            text = " ".join(str(error).split())[:120]
            raise DataError(f"{path}: array {name!r} has no valid header: {text}") from error
        if kind.kind not in kinds or len(shape) != dimensions or min(shape) < 0:
            rule = "floating numbers (n, L, d)" if name == "tokens" else "integers (n,)"
            raise DataError(f"{path}: {name} must be {rule}; got {kind} of shape {shape}")
        if math.prod(shape) > MAX_NUMBERS:
            raise DataError(f"{path}: {name} has {math.prod(shape):,} numbers; at most 200,000,000")
        size = math.prod(shape) * kind.itemsize
        if member.tell() + size != entry.file_size:  # said by both before anything is unpacked
            raise DataError(f"{path}: array {name!r} is truncated or too long")
        raw = member.read(size + 1)
    if len(raw) != size:
        raise DataError(f"{path}: array {name!r} is truncated or too long")
    flat = np.frombuffer(io.BytesIO(raw).getbuffer(), dtype=kind)
    return flat.reshape(shape, order="F" if fortran else "C")


def _header(member: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Shape, order and type of an array; a header is at most as long as NumPy's own."""
    version = npy.read_magic(member)
    wide = version != (1, 0)
    length = member.read(4 if wide else 2)
    if int.from_bytes(length, "little") > MAX_HEADER:
        raise ValueError("it is too long")
    whole = io.BytesIO(length + member.read(int.from_bytes(length, "little")))
    return npy.read_array_header_2_0(whole) if wide else npy.read_array_header_1_0(whole)


def _check_count(path: Path, name: str, values: NDArray[np.generic]) -> None:
    """DataError unless the values are 0 to K - 1, each of them there."""
    distinct = np.unique(values)
    if not np.array_equal(distinct, np.arange(len(distinct))) or len(distinct) > MAX_COUNT:
        rule = "-1 and +1, or 0 to C - 1" if name == "labels" else "0 to N - 1"
        shown = ", ".join(str(v) for v in distinct[:6]) + (", …" if len(distinct) > 6 else "")
        raise DataError(f"{path}: {name} must be {rule} without gaps; got {shown}")
