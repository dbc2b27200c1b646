"""A table of any source: column names, what kind they are, and the cells of chosen columns."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from motsim.checks import nearest
from motsim.rates.reading.layout import comma_rule
from motsim.rates.reading.refusal import ReadingError, short

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Cells", "Encoder", "Growing", "Label", "Table", "as_label", "encoded"]

MOST_VALUES = 20_000
"""A column with more distinct values than this names neither runs nor methods."""


@dataclass
class Label:
    """A column of names: integer codes into a list of texts; -1 where the cell is empty."""

    codes: np.ndarray
    values: list[str]

    def take(self, keep: np.ndarray) -> "Label":
        """Return the chosen rows, with only those values that still occur."""
        return Label(self.codes[keep], self.values).compact()

    def compact(self) -> "Label":
        """Drop values that do not occur."""
        used = np.bincount(self.codes + 1, minlength=len(self.values) + 1)[1:] > 0
        if used.all():
            return self
        new = np.append(np.cumsum(used) - 1, -1)
        return Label(
            new[self.codes], [value for value, use in zip(self.values, used, strict=True) if use]
        )

    @property
    def count(self) -> int:
        """How many different values there are; empty cells count as one."""
        return len(self.values) + bool(self.codes.size and self.codes.min() < 0)


@dataclass
class Cells:
    """The cells that were asked for.

    Attributes
    ----------
    numbers : dict
        float64 a column; NaN where the cell is empty or says so.
    filled : dict
        bool a column: the cell holds something, if only the word nan.
    labels : dict
        A Label a column; columns with too many values are left out.
    rows : ndarray of int64
        Line in the file, or position + 1 in a frame.
    """

    numbers: dict[str, np.ndarray]
    filled: dict[str, np.ndarray]
    labels: dict[str, Label]
    rows: np.ndarray

    def take(self, keep: np.ndarray) -> "Cells":
        """Return the chosen rows."""
        return Cells(
            {name: column[keep] for name, column in self.numbers.items()},
            {name: column[keep] for name, column in self.filled.items()},
            {name: label.take(keep) for name, label in self.labels.items()},
            self.rows[keep],
        )


@dataclass
class Table:
    """What every source offers.

    Attributes
    ----------
    name : str
        What messages call it.
    columns : tuple of str
        Names in their order, each once.
    text : frozenset of str
        Columns that hold text in the first rows.
    start : DataFrame
        The first rows.
    kind : str
        See `Curves.kind`.
    notes : list of str
        What reading has already found out.
    rises : bool or None
        Whether its files say that the value is to be maximized.
    index : tuple of str
        Columns that only count rows, as pandas writes its index.
    """

    name: str
    columns: tuple[str, ...]
    text: frozenset[str]
    start: "pd.DataFrame"
    kind: str
    notes: list[str] = field(default_factory=list)
    rises: bool | None = None
    index: tuple[str, ...] = ()

    def cells(self, numbers: Sequence[str], labels: Sequence[str]) -> Cells:
        """Return the cells of some columns; ReadingError at text in a column of numbers."""
        raise NotImplementedError

    def find(self, name: str, role: str) -> str:
        """Return a column as it is spelt here, whatever the case; ReadingError if there is none."""
        if name in self.columns:
            return name
        same = [column for column in self.columns if column.lower() == name.lower()]
        if len(same) == 1:
            return same[0]
        raise ReadingError(
            f"{self.name}: no column {name!r} (for --{role})" + nearest(name, self.columns)
        )

    def bad_number(self, row: int, column: str, value: object) -> ReadingError:
        """Return the refusal of a cell that is no number."""
        rule = comma_rule(str(value).strip())
        rule = rule or "write a number, nan or inf, or leave the cell empty"
        return ReadingError(
            f"{self.name}: row {row:,}, column {column!r}: {short(value)} is not a number; {rule}"
        )


def as_label(value: Any) -> str:
    """Return a cell as the name of a run or method: whole numbers without a point.

    >>> as_label(3.0), as_label("3.0"), as_label(0.1), as_label("Adam ")
    ('3', '3', '0.1', 'Adam')
    """
    text = str(value).strip()
    if text.endswith(".0") and text[:-2].lstrip("+-").isdigit():
        return text[:-2]
    return text


class Growing:
    """An array that blocks are appended to, in place: no second copy when the last one is there."""

    def __init__(self, dtype: type):
        self._array: np.ndarray = np.empty(1 << 16, dtype=dtype)
        self._size = 0

    def add(self, block: np.ndarray) -> None:
        """Append a block."""
        size = self._size + block.size
        if size > self._array.size:
            self._array.resize(max(size, self._array.size * 3 // 2), refcheck=False)
        self._array[self._size : size] = block
        self._size = size

    def array(self) -> np.ndarray:
        """Return what was added; nothing may be added afterwards."""
        self._array.resize(self._size, refcheck=False)
        return self._array


class Encoder:
    """Give each text of a column its code, block after block."""

    def __init__(self) -> None:
        self.known: dict[str, int] = {}
        self.codes = Growing(np.int32)

    def add(self, codes: np.ndarray, values: Iterable[Any]) -> None:
        """Append a block given as codes into its own values; empty texts count as missing."""
        texts = [as_label(value) for value in values]
        new = [self.known.setdefault(text, len(self.known)) if text else -1 for text in texts]
        self.codes.add(np.array([*new, -1], dtype=np.int32)[codes])

    def label(self) -> Label | None:
        """Return the column, or None if it has too many values to name anything."""
        if len(self.known) > MOST_VALUES:
            return None
        return Label(self.codes.array(), list(self.known))


def encoded(columns: Mapping[str, Encoder]) -> dict[str, Label]:
    """Return the labels of those columns that have few enough values."""
    labels = {name: column.label() for name, column in columns.items()}
    return {name: label for name, label in labels.items() if label is not None}
