"""CIFAR-10 and CIFAR-100 from a local folder in the published Python format.

The format is a pickle, which is read without unpickling (`motsim.realdata.pickled`): a file cannot
run code. The pixels are then taken from the recorded bytes, after their type and size are checked.
"""

import math
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from motsim.checks import check_choice
from motsim.realdata.pickled import Call, PickleError, described
from motsim.realdata.records import DataError, Images
from motsim.regular import read_regular

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
    inner_folder = folder / inner if (folder / inner).is_dir() else folder
    parts = [_batch(inner_folder / file, name, key, num_classes) for file in (*train, *test)]
    pixels, labels = (np.concatenate(found) for found in zip(*parts, strict=True))
    return Images(pixels, labels, 255, sum(len(part[1]) for part in parts[: len(train)]))


def _batch(
    path: Path, name: str, key: str, num_classes: int
) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Pixels (n, 32, 32, 3) and labels (n,) of one file."""
    content = _content(path, name)
    found = {k.decode("latin-1") if isinstance(k, bytes) else k: v for k, v in content.items()}
    if not {"data", key} <= set(found):
        raise DataError(f"{path}: a {name} file holds 'data' and {key!r}; this one does not")
    try:
        data, labels = _pixels(found["data"]), _labels(found[key])
    except (TypeError, ValueError, IndexError, OverflowError) as error:
        raise DataError(f"{path}: not a {name} file: {error}") from error
    if data.ndim != 2 or data.shape[1] != PIXELS or labels.shape != data.shape[:1]:
        raise DataError(
            f"{path}: {name} images are rows of {PIXELS} bytes, one label each; got shapes"
            f" {data.shape} and {labels.shape}"
        )
    if len(labels) == 0 or labels.min() < 0 or labels.max() >= num_classes:
        raise DataError(f"{path}: labels of {name} must be 0 to {num_classes - 1}")
    return np.ascontiguousarray(data.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)), labels


def _content(path: Path, name: str) -> dict[Any, Any]:
    try:
        raw = read_regular(path, MAX_BYTES)
    except OSError as error:
        raise DataError(f"{path}: {error.strerror}; a {name} folder holds this file") from error
    try:
        found = described(raw)
    except PickleError as error:
        raise DataError(f"{path}: truncated, or not a {name} file: {error}") from error
    if not isinstance(found, dict):
        raise DataError(f"{path}: not a {name} file: it holds a {type(found).__name__}")
    return found


def _pixels(array: Any) -> NDArray[np.uint8]:
    """Return a described array; ValueError unless it is one of uint8 in C or Fortran order."""
    if not isinstance(array, Call) or not array.name.endswith(" _reconstruct"):
        raise ValueError("its 'data' are not an array")
    _, shape, kind, fortran, raw = array.state
    if not isinstance(kind, Call) or kind.name != "numpy dtype":
        raise ValueError("its pixels have no type")
    if kind.arguments[0] not in ("u1", b"u1"):
        raise ValueError("its pixels are not of type uint8")
    if isinstance(raw, str):  # pickled by Python 3 at protocol 2
        raw = raw.encode("latin-1")
    plain = isinstance(shape, tuple) and all(type(n) is int and n >= 0 for n in shape)
    if not plain or not isinstance(raw, bytes) or math.prod(shape) != len(raw):
        raise ValueError("its pixels are not as many as it says")
    return np.frombuffer(raw, dtype=np.uint8).reshape(shape, order="F" if fortran else "C")


def _labels(values: Any) -> NDArray[np.int64]:
    """Return whole numbers as they stand: 0.5 is no label, nor is True."""
    if not isinstance(values, list):
        raise ValueError("its labels are not a list")
    if odd := [value for value in values if type(value) is not int][:1]:
        shown = repr(odd[0])[:40] if isinstance(odd[0], str | bytes | float | bool) else "another"
        raise ValueError(f"a label must be a whole number; got {shown}")
    return np.array(values, dtype=np.int64)
