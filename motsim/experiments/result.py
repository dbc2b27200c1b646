"""What one run hands back: a status, numbers, and tidy tables."""

import re
from dataclasses import dataclass, field
from typing import Any

from motsim.mixture.status import Status
from motsim.printing import CONTROL

__all__ = [
    "STATUSES", "Result", "check_column", "check_table", "check_word", "plain_result", "readable",
]  # fmt: skip

#: What a run may hand back; the others are found from outside.
STATUSES = tuple(status for status in Status if status.finished)
TABLE = re.compile(r"\w+(?:[.-]+\w+)*")  # part of the name of a file
LONGEST = 100  # letters of a name
OURS = ("run", "status")  # columns of every main table
FORMULA = tuple("=+-@'")  # what a spreadsheet computes, or hides


@dataclass(frozen=True)
class Result:
    """Result of one run, made of plain Python values only.

    Parameters
    ----------
    status : Status or str
        `reached`, `max_steps` (censored) or `diverged`; `done` where there is no target.
    metrics : dict
        One number or string a name.
    tables : dict of dict of list
        Columns of each table, for instance ``{"hits": {"epsilon": [...], "step": [...]}}``.
        Table "hits" is joined to the main table of a sweep; the others are exported beside it.
    """

    status: str
    metrics: dict[str, Any]
    tables: dict[str, dict[str, list[Any]]] = field(default_factory=dict)


def plain_result(result: Any) -> Result:
    """Return a result of plain values, as the store keeps them: NumPy's become Python's.

    Raises
    ------
    TypeError, ValueError
        If it is no result, or holds what no table can.

    >>> plain_result(Result(Status.DONE, {"loss": 0.5})).metrics
    {'loss': 0.5}
    """
    if not isinstance(result, Result):
        raise TypeError(f"run must return a motsim.Result; got {type(result).__name__}")
    if result.status not in STATUSES:
        means = "; ".join(f"{status}: {status.message}" for status in STATUSES)
        raise ValueError(
            f"status must be one of {', '.join(STATUSES)}; got {result.status!r} ({means})"
        )
    for name in result.metrics:
        check_column(str(name), main=True)
    for table, columns in result.tables.items():
        check_table(str(table))
        for column in columns:
            check_column(str(column), main=table == "hits")
    metrics = {str(name): _value(value, name) for name, value in result.metrics.items()}
    tables = {
        str(table): {
            str(column): [_value(value, f"{table}.{column}") for value in _list(values)]
            for column, values in columns.items()
        }
        for table, columns in result.tables.items()
    }
    for table, columns in tables.items():
        lengths = {column: len(values) for column, values in columns.items()}
        if len(set(lengths.values())) > 1:
            raise ValueError(f"columns of table {table!r} differ in length: {lengths}")
    return Result(str(result.status), metrics, tables)


def check_word(word: str) -> None:
    """Refuse what no table can hold: half a character, as in names of files, or a zero."""
    if "\0" in word or (not word.isascii() and word != readable(word)):
        raise ValueError(f"{word[:LONGEST]!a} is no text: it holds a zero, or half a character")


def readable(text: str) -> str:
    r"""Return text with what no table can hold spelt out.

    >>> readable("a\udcff\0")
    'a\\udcff\\0'
    """
    return text.encode("utf-8", "backslashreplace").decode().replace("\0", "\\0")


def check_table(name: str) -> None:
    """Refuse a table's name that could lead elsewhere than to a file beside the others.

    >>> check_table("../x")
    Traceback (most recent call last):
    ValueError: a table is named by letters, digits, dashes, dots inside; got '../x'
    """
    if not TABLE.fullmatch(name) or len(name) > LONGEST:
        raise ValueError(
            f"a table is named by letters, digits, dashes, dots inside; got {name[:LONGEST]!r}"
        )


def check_column(name: str, *, main: bool = False) -> None:
    """Refuse a column's name that is none, no text, a formula, or one that tables have anyway."""
    plain = name and len(name) <= LONGEST and not CONTROL.search(name) and name.isprintable()
    if not plain or name.startswith(FORMULA) or (main and name in OURS):
        raise ValueError(f"{name[:LONGEST]!r} cannot be the name of a column")


def _list(values: Any) -> list[Any]:
    return values.tolist() if hasattr(values, "tolist") else list(values)


def _value(value: Any, name: object) -> Any:
    if hasattr(value, "item") and getattr(value, "shape", None) == ():
        value = value.item()
    if isinstance(value, str):
        check_word(value)
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise TypeError(f"{name} must be a number or a string; got {type(value).__name__}")
