"""Filters: the rows that --where asks for."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from motsim.checks import listed, nearest
from motsim.rates.reading.refusal import ReadingError
from motsim.rates.reading.table import Cells, Label, Table, as_label

__all__ = ["Where", "chosen_files", "chosen_rows", "parse_where"]

Where = dict[str, list[str]]


def parse_where(where: Mapping[str, Any] | Iterable[str] | str | None) -> Where:
    """Return column -> texts that it may hold, from a mapping or from "key=value" texts.

    >>> parse_where(["optimizer=Adam", "lr=0.1", "lr=0.2"])
    {'optimizer': ['Adam'], 'lr': ['0.1', '0.2']}
    """
    if where is None:
        return {}
    asked: Where = {}
    if isinstance(where, Mapping):
        for key, value in where.items():
            many = isinstance(value, Sequence | np.ndarray) and not isinstance(value, str)
            asked[str(key)] = [as_label(one) for one in (value if many else [value])]
        return asked
    for text in [where] if isinstance(where, str) else where:
        key, equals, value = str(text).partition("=")
        if not equals or not key.strip():
            raise ReadingError(f"--where {text!r}: write it as column=value")
        asked.setdefault(key.strip(), []).append(as_label(value))
    return asked


def chosen_rows(table: Table, cells: Cells, where: Where) -> Cells:
    """Return the rows that hold one of the values asked for in each column asked for."""
    keep = np.ones(cells.rows.size, dtype=bool)
    for key, values in where.items():
        label = cells.labels.get(key)
        if label is None:
            raise ReadingError(f"{table.name}: column {key!r} has too many values for --where")
        codes = [_code(table.name, key, label, value) for value in values]
        keep &= np.isin(label.codes, codes)
    if not keep.any():
        said = ", ".join(f"{key}={'|'.join(values)}" for key, values in where.items())
        raise ReadingError(f"{table.name}: no row has {said} together")
    return cells if keep.all() else cells.take(keep)


def _code(name: str, key: str, label: Label, value: str) -> int:
    if value in label.values:
        return label.values.index(value)
    same = [i for i, text in enumerate(label.values) if _equal(text, value)]
    if same:
        return same[0]
    if not value and label.codes.min() < 0:
        return -1
    near = nearest(value, label.values)
    choices = f"; there are: {listed(label.values)}"
    raise ReadingError(
        f"{name}: no row has {key}={value}{near if near.startswith('; did') else ''}{choices}"
    )


def _equal(one: str, other: str) -> bool:
    try:
        return float(one) == float(other)
    except ValueError:
        return one.lower() == other.lower()


def chosen_files(
    paths: list[Path], labels: list[str], wanted: list[str] | None
) -> tuple[list[Path], list[str]]:
    """Return the files that `--where file=...` asks for, and their labels."""
    if wanted is None:
        return paths, labels
    for value in wanted:
        if value not in labels:
            raise ReadingError(f"no file is called {value!r} here" + nearest(value, labels))
    pairs = [(p, label) for p, label in zip(paths, labels, strict=True) if label in wanted]
    return [path for path, _ in pairs], [label for _, label in pairs]
