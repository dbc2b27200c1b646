"""Delimited text: what separates the cells, and a reader that goes through a file in blocks.

A file of 10^7 rows is read in pieces of some megabytes, and only the columns that are asked for,
so that memory holds the result and one piece.
"""

import csv
import io
from collections.abc import Callable, Iterator, Sequence
from typing import BinaryIO

import numpy as np

from motsim.rates.reading.heads import head_of
from motsim.rates.reading.layout import DECIMAL_COMMA, EMPTY, NAN, Layout, is_number
from motsim.rates.reading.refusal import ReadingError, short
from motsim.rates.reading.table import Cells, Encoder, Growing, Table, encoded
from motsim.results.columns import exact_floats

__all__ = ["Delimited", "delimited"]

BLOCK = 4 << 20
Opener = Callable[[], BinaryIO]


class Delimited(Table):
    """A delimited text file.

    `header` is the number of lines up to and including its header.
    """

    opener: Opener
    layout: Layout
    header: int

    def cells(self, numbers: Sequence[str], labels: Sequence[str]) -> Cells:
        """Return the cells of some columns, read block by block."""
        values = {name: Growing(np.float64) for name in numbers}
        filled = {name: Growing(np.bool_) for name in numbers}
        encoders = {name: Encoder() for name in labels}
        rows = Growing(np.int64)
        for first, block in self._blocks():
            columns, lines = self._parse(first, block, numbers, labels, encoders)
            for name, (some, given) in columns.items():
                values[name].add(some)
                filled[name].add(given)
            rows.add(lines)
        if not rows.array().size:
            raise ReadingError(f"{self.name}: only a header and no rows")
        return Cells(
            {name: column.array() for name, column in values.items()},
            {name: column.array() for name, column in filled.items()},
            encoded(encoders),
            rows.array(),
        )

    def bad_number(self, row: int, column: str, value: object) -> ReadingError:
        """Return the refusal of a cell that is no number; decimal commas need semicolons."""
        error = super().bad_number(row, column, value)
        if not DECIMAL_COMMA.fullmatch(str(value).strip()):
            return error
        more = "decimal commas are read in files with semicolons between columns"
        return ReadingError(f"{error}; {more}")

    def _blocks(self) -> Iterator[tuple[int, bytes]]:
        """Yield (line number of its first line, whole records) after the header."""
        with self.opener() as stream:
            line = 1
            for _ in range(self.header):
                stream.readline()
                line += 1
            rest = b""
            while True:
                piece = stream.read(BLOCK)
                block = rest + piece
                if not block:
                    return
                cut = _cut(block) if piece else len(block)
                rest = block[cut:]
                if cut:
                    yield line, block[:cut]
                    line += block.count(b"\n", 0, cut)
                elif len(block) > 64 * BLOCK:
                    raise ReadingError(f"{self.name}: row {line:,} is longer than 256 MB")
                if not piece:
                    return

    def _parse(
        self,
        first: int,
        block: bytes,
        numbers: Sequence[str],
        labels: Sequence[str],
        encoders: dict[str, Encoder],
    ) -> tuple[dict[str, tuple[np.ndarray, np.ndarray]], np.ndarray]:
        """Return the columns of numbers of one block, and the line of each row."""
        import pandas as pd

        wanted = list(dict.fromkeys([*numbers, *labels]))
        commented = any(block.startswith(mark) or b"\n" + mark in block for mark in (b"#", b"%"))
        text = _without_comments(block) if commented else block
        types: dict[str, str] = dict.fromkeys(labels, "category")
        types |= dict.fromkeys(numbers, "float64")
        both = [name for name in labels if name in numbers]
        try:
            frame = pd.read_csv(
                io.BytesIO(text),
                sep=self.layout.delimiter or r"\s+",
                decimal=self.layout.decimal,
                header=None,
                names=list(self.columns),
                usecols=wanted,
                dtype=types,
                na_values={name: [*EMPTY, *NAN] if name in numbers else [""] for name in wanted},
                keep_default_na=False,
                index_col=False,
                skipinitialspace=True,
                encoding_errors="replace",
                low_memory=False,
                **exact_floats(),
            )
        except pd.errors.EmptyDataError:
            return {}, np.empty(0, dtype=np.int32)
        except (ValueError, OverflowError, pd.errors.ParserError) as error:
            raise self._refusal(first, block, numbers, str(error)) from None
        lines = self._lines(first, block, len(frame), commented)
        for name in labels:
            column = frame[name].astype("category") if name in both else frame[name]
            encoders[name].add(column.cat.codes.to_numpy(), column.cat.categories)
        result: dict[str, tuple[np.ndarray, np.ndarray]] = {}
        literal = b"nan" in block.lower()
        for name in numbers:
            values = frame[name].to_numpy()
            given = ~np.isnan(values)
            if literal and not given.all():
                given |= self._says_nan(text, name)
            result[name] = values, given
        return result, lines

    def _says_nan(self, text: bytes, name: str) -> np.ndarray:
        """Return which cells of a column hold the word nan, as opposed to nothing."""
        import pandas as pd

        column = pd.read_csv(
            io.BytesIO(text),
            sep=self.layout.delimiter or r"\s+",
            header=None,
            names=list(self.columns),
            usecols=[name],
            dtype=str,
            keep_default_na=False,
            na_filter=False,
            index_col=False,
            skipinitialspace=True,
            encoding_errors="replace",
        )[name]
        return column.str.strip().isin(NAN).to_numpy(dtype=bool)

    def _lines(self, first: int, block: bytes, count: int, commented: bool) -> np.ndarray:
        """Return the line of each row: counted one by one only where lines and rows differ."""
        ends = block.count(b"\n") + (not block.endswith(b"\n"))
        if ends == count and not commented:
            return np.arange(first, first + count, dtype=np.int32)
        found = [number for number, _ in self._records(block)]
        if len(found) != count:  # odd quoting: the place is not known better than this
            found = list(range(1, count + 1))
        return np.array(found, dtype=np.int32) + np.int32(first - 1)

    def _records(self, block: bytes) -> Iterator[tuple[int, list[str]]]:
        lines = io.StringIO(block.decode("utf-8", "replace").replace("\r\n", "\n"))
        yield from self.layout.split(lines)

    def _refusal(self, first: int, block: bytes, numbers: Sequence[str], why: str) -> ReadingError:
        """Return the error of the first cell that is no number, or of the first odd row."""
        positions = {name: self.columns.index(name) for name in numbers}
        try:
            for number, cells in self._records(block):
                row = first - 1 + number
                for name, i in positions.items():
                    cell = cells[i] if i < len(cells) else ""
                    if cell in EMPTY or is_number(cell, self.layout.decimal):
                        continue
                    if cell == name:
                        return ReadingError(
                            f"{self.name}: row {row:,} repeats the header: several files in one;"
                            " split it, or give the files one by one"
                        )
                    return self.bad_number(row, name, cell)
                if len(cells) > len(self.columns):
                    return ReadingError(
                        f"{self.name}: row {row:,} has {len(cells)} cells, the header"
                        f" {len(self.columns)}; quote cells that hold {self.layout.delimiter!r}"
                    )
        except csv.Error as error:
            why = str(error)
        return ReadingError(f"{self.name}: from row {first:,} on: {short(why, 120)}")


def _cut(block: bytes) -> int:
    """Return the end of the last whole record: a newline outside of quotes."""
    cut = block.rfind(b"\n") + 1
    while cut and b'"' in block and block.count(b'"', 0, cut) % 2:
        cut = block.rfind(b"\n", 0, cut - 1) + 1
    return cut


def _without_comments(block: bytes) -> bytes:
    lines = block.split(b"\n")
    return b"\n".join(b"" if line.startswith((b"#", b"%")) else line for line in lines)


def delimited(name: str, opener: Opener, head: bytes, whole: bool) -> Delimited:
    """Return the table of a text file whose first bytes are `head`.

    Parameters
    ----------
    name : str
        What messages call it.
    opener : callable
        Opens the file anew, as bytes.
    head : bytes
        Its first bytes.
    whole : bool
        They are all there is.
    """
    told = head_of(name, head, whole)
    table = Delimited(name, told.columns, told.words, told.start, "csv", told.notes)
    table.opener, table.layout, table.header = opener, told.layout, told.lines
    return table
