"""Types of the columns of a table: written down at the export, so that no reader guesses them.

A guess takes the cases ``1`` and ``01`` for one number, ``1e3`` for 1000.0 and a run's key of
digits alone for an integer; what it takes depends on the other rows, too.
"""

import numbers
import re
from collections.abc import Iterable, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "KINDS", "ColumnKind", "column_kind", "exact_floats", "guarded", "kinds_of", "read_types",
    "unguarded",
]  # fmt: skip

ColumnKind = Literal["text", "real", "whole", "truth"]
#: What pandas is told; None: all fields are numbers or empty, which it reads in one way only.
KINDS: dict[ColumnKind, str | None] = {
    "text": "str",
    "real": "float64",
    "whole": None,
    "truth": None,
}


@cache
def _kind(kind: type) -> ColumnKind | None:
    """Return the kind of a value's type; None for None, which is an empty field."""
    if kind is type(None):
        return None
    if issubclass(kind, (bool, np.bool_)):
        return "truth"
    if issubclass(kind, numbers.Integral):
        return "whole"
    return "real" if issubclass(kind, numbers.Real) else "text"


def kinds_of(values: Iterable[Any]) -> set[ColumnKind]:
    """Return the kinds of some values.

    >>> sorted(kinds_of([1, None, 0.5])), kinds_of(["1"])
    (['real', 'whole'], {'text'})
    """
    return {kind for kind in map(_kind, set(map(type, values))) if kind is not None}


def column_kind(kinds: set[ColumnKind]) -> ColumnKind:
    """Return the kind of a column that holds values of these kinds.

    >>> column_kind({"real", "whole"}), column_kind({"truth", "whole"}), column_kind(set())
    ('real', 'text', 'real')
    """
    if len(kinds) == 1:
        return next(iter(kinds))
    return "real" if kinds <= {"real", "whole"} else "text"


def read_types(columns: Mapping[str, str]) -> dict[str, str]:
    """Return what pandas must be told to read columns of these kinds; KeyError for no kind."""
    told = {name: KINDS[kind] for name, kind in columns.items()}  # type: ignore[index]
    return {name: kind for name, kind in told.items() if kind}


def exact_floats() -> dict[str, Any]:
    """Return what pandas must be told to read floats to the bit: nothing from 3.1 on."""
    import pandas as pd

    recent = tuple(int(part) for part in pd.__version__.split(".")[:2]) >= (3, 1)
    return {} if recent else {"float_precision": "round_trip"}


#: What a spreadsheet takes for a formula, behind any number of our own marks.
FORMULA = re.compile(r"'*[=+\-@\t\r]")


def guarded(text: str) -> str:
    """Return a word as a cell that no spreadsheet computes: behind one more apostrophe.

    >>> guarded("=1+1"), guarded("'=1+1"), guarded("a=1")
    ("'=1+1", "''=1+1", 'a=1')
    """
    return f"'{text}" if FORMULA.match(text) else text


def unguarded(column: "pd.Series[Any]") -> "pd.Series[Any]":
    """Return the words of a column of cells."""
    if not column.str.startswith("'").any():
        return column
    return column.str.replace(r"^'('*[=+\-@\t\r])", r"\1", regex=True)
