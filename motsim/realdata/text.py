"""Texts from a local folder: one folder a class, one file a document (as 20 Newsgroups comes)."""

from pathlib import Path

import numpy as np

from motsim.realdata.records import DataError, Texts
from motsim.regular import read_regular

__all__ = ["load_texts"]

MAX_DOCUMENTS = 200_000
MAX_BYTES = 10_000_000  # of one document


def load_texts(folder: Path) -> Texts:
    """Return the documents of every class, in alphabetical order of class and file.

    Files are read as UTF-8, or as Latin-1 where they are not (20 Newsgroups). Hidden files and
    empty documents are passed over.

    Raises
    ------
    DataError
        If there are not two classes with documents, or a file is not text.
    """
    try:
        inside = [p for p in folder.iterdir() if p.is_dir() and p.name[0] != "."]
    except OSError as error:
        raise DataError(f"{folder}: {error.strerror}; give a folder of class folders") from error
    classes = sorted(path for path in inside if _inside(path, folder))
    if len(classes) < 2:
        raise DataError(
            f"{folder}: needs two or more folders, one a class; found {len(classes)}"
            + (f" ({classes[0].name})" if classes else "")
        )
    documents: list[str] = []
    labels: list[int] = []
    for i_class, path in enumerate(classes):
        texts = [_document(file) for file in sorted(path.iterdir()) if _wanted(file, folder)]
        kept = [text for text in texts if text.strip()]
        if not kept:
            raise DataError(f"{path}: holds no document; every class needs one")
        documents += kept
        labels += [i_class] * len(kept)
        if len(documents) > MAX_DOCUMENTS:
            raise DataError(f"{folder}: more than {MAX_DOCUMENTS:,} documents")
    names = tuple(path.name for path in classes)
    return Texts(tuple(documents), np.array(labels, dtype=np.int64), names)


def _wanted(path: Path, corpus: Path) -> bool:
    return path.name[0] != "." and path.is_file() and _inside(path, corpus)


def _inside(path: Path, corpus: Path) -> bool:
    """True; DataError if it is a link that leads out of the corpus."""
    if path.is_symlink() and not path.resolve().is_relative_to(corpus.resolve()):
        raise DataError(f"{path}: a link that leads out of {corpus}; copy what belongs to it")
    return True


def _document(path: Path) -> str:
    try:
        raw = read_regular(path, MAX_BYTES)
    except OSError as error:
        raise DataError(f"{path}: {error.strerror}") from error
    if b"\0" in raw:
        raise DataError(f"{path}: not a text: it holds a zero byte")
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode("latin-1")
