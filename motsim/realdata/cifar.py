"""CIFAR-10 and CIFAR-100 from a local folder in the published Python format.

The format is a pickle. It is read by an unpickler that can build lists, dictionaries, strings,
numbers and *descriptions* of arrays: the three names that NumPy arrays are pickled with stand for
inert classes here, every other name is refused, and the pixels are then taken from the recorded
bytes after their type and size are checked. So a file cannot run code, nor reach NumPy's own
unpickling.
"""

import codecs
import io
import pickle
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from motsim.checks import check_choice
from motsim.realdata.records import DataError, Images

__all__ = ["load_cifar"]

TRAIN_10 = tuple(f"data_batch_{k}" for k in range(1, 6))
#: Data set -> folder in the published archive, its training files, its test files, label key, C.
LAYOUT: dict[str, tuple[str, tuple[str, ...], tuple[str, ...], str, int]] = {
    "cifar10": ("cifar-10-batches-py", TRAIN_10, ("test_batch",), "labels", 10),
    "cifar100": ("cifar-100-python", ("train",), ("test",), "fine_labels", 100),
}
PIXELS = 3 * 32 * 32
MAX_BYTES = 400_000_000  # the largest published file has 155 MB


def load_cifar(name: str, folder: Path) -> Images:
    """Return the training images, then the test images, of ``cifar10`` or ``cifar100``.

    Parameters
    ----------
    name : {"cifar10", "cifar100"}
    folder : Path
        The unpacked folder, or the one that holds it. All published files must be there.

    Raises
    ------
    DataError
        If a file is missing, truncated or not of this format.
    ValueError
        If the name is unknown.
    """
    check_choice("data", name, LAYOUT)
    inner, train, test, key, num_classes = LAYOUT[name]
    place = folder / inner if (folder / inner).is_dir() else folder
    parts = [_batch(place / file, name, key, num_classes) for file in (*train, *test)]
    pixels, labels = (np.concatenate(found) for found in zip(*parts, strict=True))
    return Images(pixels, labels, 255, sum(len(part[1]) for part in parts[: len(train)]))


def _batch(
    path: Path, name: str, key: str, num_classes: int
) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Pixels (n, 32, 32, 3) and labels (n,) of one file."""
    content = _unpickle(path, name)
    found = {k.decode("latin-1") if isinstance(k, bytes) else k: v for k, v in content.items()}
    if not {"data", key} <= set(found):
        raise DataError(f"{path}: a {name} file holds 'data' and {key!r}; this one does not")
    try:
        data = found["data"].array()
        labels = np.array(found[key], dtype=np.int64)
    except (AttributeError, TypeError, ValueError, OverflowError) as error:
        raise DataError(f"{path}: not a {name} file: {error}") from error
    if data.ndim != 2 or data.shape[1] != PIXELS or labels.shape != data.shape[:1]:
        raise DataError(
            f"{path}: {name} images are rows of {PIXELS} bytes, one label each; got shapes"
            f" {data.shape} and {labels.shape}"
        )
    if len(labels) == 0 or labels.min() < 0 or labels.max() >= num_classes:
        raise DataError(f"{path}: labels of {name} must be 0 to {num_classes - 1}")
    return np.ascontiguousarray(data.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)), labels


def _unpickle(path: Path, name: str) -> dict[Any, Any]:
    try:
        size = path.stat().st_size
        if size > MAX_BYTES:
            raise DataError(f"{path}: {size:,} bytes; a {name} file has less than {MAX_BYTES:,}")
        content = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path}: {error.strerror}; a {name} folder holds this file") from error
    try:
        found = _Inert(io.BytesIO(content), encoding="bytes").load()
    except Exception as error:  # a forged pickle can make the unpickler raise anything
        text = " ".join(str(error).split())[:200] or type(error).__name__
        raise DataError(f"{path}: truncated, or not a {name} file: {text}") from error
    if not isinstance(found, dict):
        raise DataError(f"{path}: not a {name} file: it holds a {type(found).__name__}")
    return found


class _Array:
    """Stands for ``numpy.ndarray``: keeps what was pickled, and checks it when asked."""

    state: Any = None

    def __setstate__(self, state: Any) -> None:
        self.state = state

    def array(self) -> NDArray[np.uint8]:
        """Return the array; ValueError unless it is one of uint8 in C or Fortran order."""
        _, shape, kind, fortran, raw = self.state
        if not isinstance(kind, _Kind) or kind.name != "u1":
            raise ValueError("its pixels are not of type uint8")
        if isinstance(raw, str):  # pickled by Python 3 at protocol 2
            raw = raw.encode("latin-1")
        if not all(isinstance(n, int) and n >= 0 for n in shape) or not isinstance(raw, bytes):
            raise ValueError("its pixels are not an array")
        flat = np.frombuffer(raw, dtype=np.uint8)
        return flat.reshape(shape, order="F" if fortran else "C")


class _Kind:
    """Stands for ``numpy.dtype``."""

    def __init__(self, name: Any, *rest: Any) -> None:
        self.name = name.decode("latin-1") if isinstance(name, bytes) else name

    def __setstate__(self, state: Any) -> None:
        pass


def _reconstruct(*described: Any) -> _Array:
    return _Array()


def _encode(text: str, encoding: str) -> bytes:
    """``_codecs.encode`` for the one codec with which Python 3 pickles bytes at protocol 2."""
    if codecs.lookup(encoding).name != "iso8859-1":
        raise pickle.UnpicklingError(f"codec {encoding!r} is refused")
    return text.encode("latin-1")


class _Inert(pickle.Unpickler):
    """An unpickler whose only names are the inert classes above."""

    known: dict[tuple[str, str], Any] = {  # noqa: RUF012
        ("numpy.core.multiarray", "_reconstruct"): _reconstruct,
        ("numpy._core.multiarray", "_reconstruct"): _reconstruct,
        ("numpy", "ndarray"): _Array,
        ("numpy", "dtype"): _Kind,
        ("_codecs", "encode"): _encode,
    }

    def find_class(self, module: str, name: str) -> Any:
        """Return an inert stand-in, or refuse."""
        try:
            return self.known[module, name]
        except KeyError:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}, which is refused") from None
