"""Misnamed: a column that was named for runs or groups and tells rows apart, not runs."""

from collections.abc import Collection

from motsim.checks import listed
from motsim.rates.reading import names
from motsim.rates.reading.refusal import ReadingError
from motsim.rates.reading.table import MOST_VALUES, Label, Table

__all__ = ["clash", "one_a_row", "own_rows"]

FEW = 3


def one_a_row(label: Label | None) -> bool:
    """Tell whether a column has hardly fewer values than rows (or too many to be kept)."""
    return label is None or (label.count > FEW and 2 * label.count > label.codes.size)


def own_rows(
    table: Table, option: str, column: str, label: Label | None, rows: int, taken: Collection[str]
) -> ReadingError:
    """Return the refusal of a column named with --run or --by that `one_a_row` tells."""
    count = f"{label.count:,}" if label else f"more than {MOST_VALUES:,}"
    kind = "run" if option == "run" else "group"
    return ReadingError(
        f"{table.name}: column {column!r} (for --{option}) has {count} values in {rows:,} rows:"
        f" each {kind} would have one row" + _better(table, option, {column, *taken})
    )


def clash(
    table: Table, role: str, asked: str | None, taken: dict[str, str], found: Collection[str]
) -> None:
    """Raise ReadingError if the only column for a role was named with --run or --by.

    Parameters
    ----------
    table : Table
    role : {"step", "loss"}
    asked : str or None
        The column named for the role.
    taken : dict
        Columns named for runs and groups, and the option of each.
    found : collection of str
        Columns that could have the role; looked at if none was asked for.
    """
    for column, option in taken.items():
        if column == asked or (asked is None and column in found and set(found) <= taken.keys()):
            raise ReadingError(
                f"{table.name}: column {column!r} (for --{option}) holds the {role}, which changes"
                " along a run" + _better(table, option, taken)
            )


def _better(table: Table, option: str, taken: Collection[str]) -> str:
    """Return the columns that could be named instead."""
    losses, speak = names.loss_columns(table.columns)
    no = {*taken, *table.index, *names.step_columns(table.columns), *losses, *speak}
    free = [column for column in table.columns if column not in no]
    labels = table.cells([], free).labels if free else {}
    found = [c for c in free if c in labels and labels[c].count > 1 and not one_a_row(labels[c])]
    wanted = names.is_run if option == "run" else names.is_method
    found.sort(key=lambda c: (not wanted(c), c not in table.text and not names.is_method(c)))
    if not found:
        what = "runs" if option == "run" else "groups"
        return f"; no other column can name {what}: leave --{option} out"
    said = listed([f"{column} ({labels[column].count:,} values)" for column in found], 3)
    return f"; did you mean {said}?"
