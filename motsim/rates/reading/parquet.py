"""Parquet, through pyarrow if it is installed: only the columns that are asked for are read."""

from collections.abc import Sequence
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from motsim.rates.reading.frames import frame_table
from motsim.rates.reading.refusal import ReadingError, short
from motsim.rates.reading.table import Cells, Encoder, Growing, Table, encoded

__all__ = ["parquet_table"]

ROWS = 1 << 18


class ParquetTable(Table):
    """A Parquet file, read in batches."""

    path: Path

    def cells(self, numbers: Sequence[str], labels: Sequence[str]) -> Cells:
        """Return the cells of some columns."""
        wanted = list(dict.fromkeys([*numbers, *labels]))
        values = {name: Growing(np.float64) for name in numbers}
        filled = {name: Growing(np.bool_) for name in numbers}
        encoders = {name: Encoder() for name in labels}
        first = 0
        for batch in _file(self.name, self.path).iter_batches(batch_size=ROWS, columns=wanted):
            some = frame_table(self.name, batch.to_pandas(), "parquet")
            some.lines = some.lines + first
            first += len(some.frame)
            cells = some.cells(numbers, [])
            for name in numbers:
                column = batch.column(batch.schema.get_field_index(name))
                values[name].add(cells.numbers[name])
                # a NaN that was written is no null
                filled[name].add(np.asarray(column.is_valid()))
            for name in labels:
                encoders[name].add(*_factorize(some.frame[name]))
        return Cells(
            {name: column.array() for name, column in values.items()},
            {name: column.array() for name, column in filled.items()},
            encoded(encoders),
            np.arange(1, first + 1, dtype=np.int64),
        )


def _factorize(column: Any) -> tuple[np.ndarray, Any]:
    import pandas as pd

    try:
        return pd.factorize(column)
    except TypeError:  # lists or dicts
        return pd.factorize(column.astype(str))


def _file(name: str, path: Path) -> Any:
    if find_spec("pyarrow") is None:
        raise ReadingError(f'{name}: Parquet needs pyarrow; install it with: pip install "pyarrow"')
    try:
        return import_module("pyarrow.parquet").ParquetFile(path)
    except Exception as error:  # of pyarrow's own kinds
        raise ReadingError(f"{name}: no readable Parquet: {short(error, 120)}") from None


def parquet_table(name: str, path: Path) -> ParquetTable:
    """Return the table of a Parquet file."""
    file = _file(name, path)
    if not file.metadata.num_rows:
        raise ReadingError(f"{name}: Parquet file with no rows")
    start = next(file.iter_batches(batch_size=1000)).to_pandas()
    start = frame_table(name, start.reset_index(drop=True), "parquet")
    columns = tuple(str(column) for column in file.schema_arrow.names)
    table = ParquetTable(name, columns, start.text, start.start, "parquet", [])
    table.path = path
    return table
