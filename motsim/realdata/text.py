"""Texts from a local folder: one folder a class, one file a document (as 20 Newsgroups comes)."""

from pathlib import Path

import numpy as np

from motsim.realdata.records import DataError, Texts

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
        classes = sorted(p for p in folder.iterdir() if p.is_dir() and p.name[0] != ".")
    except OSError as error:
        raise DataError(f"{folder}: {error.strerror}; give a folder of class folders") from error
    if len(classes) < 2:
        raise DataError(
            f"{folder}: needs two or more folders, one a class; found {len(classes)}"
            + (f" ({classes[0].name})" if classes else "")
        )
    documents: list[str] = []
    labels: list[int] = []
    for place, path in enumerate(classes):
        texts = [_document(file) for file in sorted(path.iterdir()) if _wanted(file)]
        kept = [text for text in texts if text.strip()]
        if not kept:
            raise DataError(f"{path}: holds no document; every class needs one")
        documents += kept
        labels += [place] * len(kept)
        if len(documents) > MAX_DOCUMENTS:
            raise DataError(f"{folder}: more than {MAX_DOCUMENTS:,} documents")
    names = tuple(path.name for path in classes)
    return Texts(tuple(documents), np.array(labels, dtype=np.int64), names)


def _wanted(path: Path) -> bool:
    return path.is_file() and path.name[0] != "."


def _document(path: Path) -> str:
    try:
        size = path.stat().st_size
        if size > MAX_BYTES:
            raise DataError(f"{path}: {size:,} bytes; a document has at most {MAX_BYTES:,}")
        raw = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path}: {error.strerror}") from error
    if b"\0" in raw:
        raise DataError(f"{path}: not a text: it holds a zero byte")
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode("latin-1")
