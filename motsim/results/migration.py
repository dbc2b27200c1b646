"""Runs of an older schema, read row by row and checked; for migration and for repair."""

import hashlib
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from motsim.results.row import Row

if TYPE_CHECKING:
    from motsim.results.database import Database

__all__ = ["first_row", "migrate"]

#: Columns of `runs` in schema 1, which kept everything in one table.
FIRST_COLUMNS = "key, status, kind, settings, seconds, versions, payload, checksum"


def first_row(values: Sequence[Any]) -> Row | None:
    """Return a run from `FIRST_COLUMNS` of schema 1; None if it is damaged."""
    *fields, checksum = values
    try:
        row = Row(*fields)
        text = row.key.encode() + row.status.encode() + row.payload
    except (TypeError, AttributeError, UnicodeError):
        return None
    return row if checksum == hashlib.blake2b(text, digest_size=16).hexdigest() else None


def _old_rows(database: "Database") -> Iterator[Row]:
    for values in database.each(f"SELECT {FIRST_COLUMNS} FROM old_runs"):
        row = first_row(values)
        if row is None:
            raise database.damaged(f"run {values[0]!r} is damaged (checksum)")
        yield row


def migrate(database: "Database") -> None:
    """Bring a file of an older schema to the present one; inside a transaction: all or nothing.

    Keys stay, so nothing is computed again. Rows of schema 2 stay as they are: their settings are
    text, and what they measured is packed without words.
    """
    if database.version() > 1:
        return
    database.rows("ALTER TABLE runs RENAME TO old_runs")
    database.create()
    for row in _old_rows(database):
        database.insert(row)
    database.rows("DROP TABLE old_runs")
