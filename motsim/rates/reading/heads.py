"""The head of delimited text: its columns, where its rows begin, what the first of them hold."""

from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

from motsim.checks import listed
from motsim.rates.reading.layout import (
    DECIMAL_COMMA,
    EMPTY,
    Layout,
    comma_rule,
    comment_header,
    is_number,
    sniff,
)
from motsim.rates.reading.refusal import ReadingError, short

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Head", "head_of"]

PEEKED = 1000  # rows
Records = list[tuple[int, list[str]]]  # line number, cells


class Head(NamedTuple):
    """What the first lines of a file tell."""

    layout: Layout
    columns: tuple[str, ...]
    lines: int  # up to and including the header
    words: frozenset[str]  # columns of which a cell is no number
    start: "pd.DataFrame"  # the first rows, as text
    notes: list[str]


def head_of(name: str, first: bytes, whole: bool) -> Head:
    """Return what the first bytes of a text file tell; `whole`: they are all there is.

    Raises
    ------
    ReadingError
        In one line, with the row and what to do.
    """
    text = first.decode("utf-8", "replace").replace("\r\n", "\n")
    lines = text.split("\n")
    if not whole and len(lines) > 1:
        lines.pop()  # cut in the middle
    lines = [line + "\n" for line in lines]
    layout = sniff(lines[:200])
    records = list(islice(layout.split(iter(lines)), PEEKED + 1))
    if not records:
        raise ReadingError(f"{name}: empty: no line but blanks and comments")
    at, names = records[0]
    if "\r" in lines[at - 1].rstrip("\r\n") and '"' not in lines[at - 1]:
        raise ReadingError(
            f"{name}: row {at:,} holds a carriage return within the line: save the file with one"
            " kind of line ends"
        )
    names[0] = names[0].removeprefix("\ufeff")
    body, notes = records[1:], []
    if all(cell and is_number(cell, layout.decimal) for cell in names):
        above = comment_header(lines[: at - 1], layout, len(names))
        names = above or [f"column {i}" for i in range(1, len(names) + 1)]
        at, body = at - 1, records
        notes.append(
            f"Header taken from the comment above the numbers: {listed(names)}."
            if above
            else f"No header: columns are called {listed(names, 3)}."
        )
    names = _columns(name, names, body, layout)
    start = _start(names, body, layout)
    words = frozenset(column for column in names if not all(map(_may_count, start[column])))
    return Head(layout, tuple(names), at, words, start, notes)


def _columns(name: str, names: list[str], body: Records, layout: Layout) -> list[str]:
    """Return names of all columns; refuse those that cannot be told apart, or hold no rows."""
    if len(names) == 1:
        raise ReadingError(
            f"{name}: one column ({short(names[0])}); curves need a step and a loss, separated"
            " by commas, tabs, semicolons or blanks"
        )
    if not body:
        raise ReadingError(f"{name}: only a header ({listed(names)}) and no rows")
    if not names[0]:
        names[0] = "Unnamed: 0"  # pandas' index, by the name that pandas reads it under
    names = [cell or f"column {i}" for i, cell in enumerate(names, 1)]
    for column in names:
        if names.count(column) > 1:
            numbers = [str(i) for i, other in enumerate(names, 1) if other == column]
            raise ReadingError(
                f"{name}: columns {' and '.join(numbers)} are both called {column!r}; rename one"
            )
    for number, cells in body:
        if len(cells) > len(names) and any(cells[len(names) :]):
            raise ReadingError(
                f"{name}: row {number:,} has {len(cells)} cells, the header {len(names)};"
                f" quote cells that hold {layout.delimiter or 'blanks'!r}"
            )
    return names


def _start(names: list[str], body: Records, layout: Layout) -> "pd.DataFrame":
    """Return the first rows as text, their decimal marks as points."""
    import pandas as pd

    padded = [(cells + [""] * len(names))[: len(names)] for _, cells in body[:PEEKED]]
    if layout.decimal == ",":
        padded = [[_point(cell) for cell in cells] for cells in padded]
    return pd.DataFrame(padded, columns=names, dtype=object)


def _point(cell: str) -> str:
    return cell.replace(",", ".") if DECIMAL_COMMA.fullmatch(cell) else cell


def _may_count(cell: str) -> bool:
    """Whether a cell is empty, a number, or one but for its commas."""
    return bool(cell in EMPTY or is_number(cell) or comma_rule(cell))
