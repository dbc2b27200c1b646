"""One name for every data set: where it lies, what it holds, how it is split."""

import hashlib
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from motsim.randomness import generator
from motsim.realdata.archive import read_archive
from motsim.realdata.cifar import LAYOUT, load_cifar
from motsim.realdata.packaged import load_packaged
from motsim.realdata.records import DataError, Images, Sequences, Texts
from motsim.realdata.text import load_texts
from motsim.regular import check_regular, open_regular

__all__ = ["LOCAL", "SIDES", "fingerprint", "load_data", "split_rows", "subset"]

Data = Images | Texts | Sequences
Integers = NDArray[np.int64]

LOCAL = (*LAYOUT, "text", "npz")  # data sets of a path
SIDES = {"digits": 8, "mnist": 28, "cifar10": 32, "cifar100": 32}  # pixels


@lru_cache(maxsize=2)
def load_data(name: str, path: str, content: str) -> Data:
    """Return a data set, read once a process; `content` is its fingerprint."""
    if name in LAYOUT:
        return load_cifar(name, Path(path))
    if name == "text":
        return load_texts(Path(path))
    if name == "npz":
        return read_archive(Path(path))
    return load_packaged(name)


def fingerprint(path: str) -> str:
    """Hash of the files of a path, so that changed data never meets an old result.

    Raises
    ------
    DataError
        If it is neither a regular file nor a folder, or cannot be read.
    """
    root = Path(path)
    try:
        files = sorted(p for p in root.rglob("*") if p.is_file()) if root.is_dir() else [root]
        seen = [(str(file), check_regular(file)) for file in files]
        return _hashed(path, tuple((name, s.st_size, s.st_mtime_ns) for name, s in seen))
    except OSError as error:
        raise DataError(f"{error.filename or path}: {error.strerror or error}") from error


@lru_cache(maxsize=4)
def _hashed(path: str, files: tuple[tuple[str, int, int], ...]) -> str:
    digest = hashlib.blake2b(digest_size=16)
    for name, size, _ in files:
        digest.update(f"{Path(name).relative_to(path)} {size} ".encode("utf-8", "replace"))
        with open_regular(Path(name)) as stream:
            while block := stream.read(1 << 20):
                digest.update(block)
    return digest.hexdigest()


def split_rows(
    data: Data, validation_share: float, test_share: float, max_samples: int = 0, seed: int = 0
) -> tuple[Integers, Integers, Integers]:
    """Return the sequences for training, validation and test, drawn by the seed.

    A published test set stays one: test sequences come from it alone, and the others never do.

    Parameters
    ----------
    data : Images, Texts or Sequences
    validation_share, test_share : float
        Of all sequences used.
    max_samples : int
        Sequences used; 0: all.
    seed : int
        Of the run; its "sampling" stream is used.
    """
    count = len(data.labels)
    order = generator(seed, "sampling").permutation(count)
    used = min(max_samples or count, count)
    tests, checks = round(test_share * used), round(validation_share * used)
    published = data.num_train if isinstance(data, Images) else 0
    if published:
        own, order = order[order >= published][:tests], order[order < published]
    else:
        own, order = order[:tests], order[tests:]
    return order[checks : used - len(own)], order[:checks], own


def subset(data: Data, rows: Integers) -> Data:
    """Return some of the sequences, in the order given."""
    if isinstance(data, Images):
        return Images(data.pixels[rows], data.labels[rows], data.peak)
    if isinstance(data, Texts):
        return Texts(tuple(data.documents[i] for i in rows), data.labels[rows], data.names)
    return Sequences(data.tokens[rows], data.labels[rows], data.classes[rows])
