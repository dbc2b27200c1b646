"""Tables in memory: a DataFrame, or rows parsed from JSON."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from motsim.rates.reading.layout import comma_rule
from motsim.rates.reading.refusal import ReadingError
from motsim.rates.reading.table import Cells, Encoder, Table, encoded

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["FrameTable", "frame_table"]

MISSING = {"", "na", "n/a", "null", "none", "<na>"}
NUMBERS = {"nan", "inf", "-inf", "+inf", "infinity", "-infinity", "+infinity"}


class FrameTable(Table):
    """A DataFrame with columns; `rows` are positions + 1 unless lines are given."""

    frame: "pd.DataFrame"
    lines: np.ndarray

    def cells(self, numbers: Sequence[str], labels: Sequence[str]) -> Cells:
        """Return the cells of some columns."""
        import pandas as pd

        values: dict[str, np.ndarray] = {}
        filled: dict[str, np.ndarray] = {}
        for name in numbers:
            values[name], filled[name] = self._numbers(name)
        columns: dict[str, Encoder] = {}
        for name in labels:
            column = self.frame[name]
            try:
                codes, found = pd.factorize(column)
            except TypeError:  # cells that hold lists or dicts
                codes, found = pd.factorize(column.astype(str))
            columns[name] = Encoder()
            columns[name].add(codes, found)
        return Cells(values, filled, encoded(columns), self.lines)

    def _numbers(self, name: str) -> tuple[np.ndarray, np.ndarray]:
        """Return a column as floats, and which of its cells hold anything."""
        import pandas as pd

        column = self.frame[name]
        if pd.api.types.is_numeric_dtype(column.dtype) and not _complex(column):
            array = column.to_numpy(dtype=np.float64, na_value=np.nan)
            return array, ~np.isnan(array)
        array = np.empty(len(column))
        filled = np.ones(len(column), dtype=bool)
        for i, cell in enumerate(column.tolist()):
            try:
                array[i], filled[i] = _number(cell)
            except (TypeError, ValueError, OverflowError):
                raise self.bad_number(int(self.lines[i]), name, cell) from None
        return array, filled


def _complex(column: "pd.Series[Any]") -> bool:
    return getattr(column.dtype, "kind", "") == "c"


def _number(cell: Any) -> tuple[float, bool]:
    """Return (value, whether the cell holds anything); ValueError if it is no number."""
    if cell is None or type(cell).__name__ in ("NAType", "NaTType"):
        return np.nan, False
    if isinstance(cell, str):
        text = cell.strip().lower()
        if text in MISSING:
            return np.nan, False
        if "_" in text:
            raise ValueError(text)
        return float(text), True
    return float(cell), True


def frame_table(
    name: str, frame: "pd.DataFrame", kind: str, lines: np.ndarray | None = None
) -> FrameTable:
    """Return a table over a DataFrame whose column names are made texts."""
    if frame.columns.nlevels > 1:
        raise ReadingError(f"{name}: columns have {frame.columns.nlevels} levels; flatten them")
    columns = [str(column).strip() for column in frame.columns]
    twice = sorted({column for column in columns if columns.count(column) > 1})
    if twice:
        raise ReadingError(f"{name}: two columns are called {twice[0]!r}; rename one")
    frame = frame.set_axis(columns, axis=1)
    table = FrameTable(name, tuple(columns), _text_columns(frame), frame.head(1000), kind, notes=[])
    table.frame = frame
    table.lines = np.arange(1, len(frame) + 1, dtype=np.int64) if lines is None else lines
    return table


def _text_columns(frame: "pd.DataFrame") -> frozenset[str]:
    import pandas as pd

    text = set()
    for column in frame.columns:
        dtype = frame[column].dtype
        if pd.api.types.is_numeric_dtype(dtype) and not pd.api.types.is_bool_dtype(dtype):
            continue
        cells = [cell for cell in frame[column].head(1000).tolist() if cell is not None]
        try:
            for cell in cells:
                if isinstance(cell, bool):
                    raise ValueError(cell)
                if not (isinstance(cell, str) and comma_rule(cell.strip())):
                    _number(cell)
        except (TypeError, ValueError):
            text.add(column)
    return frozenset(text)
