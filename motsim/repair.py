"""Save the sound runs of a damaged store into a new one; the old file is kept aside."""

import argparse
import contextlib
import itertools
import os
import shutil
import sqlite3
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from motsim.commands.door import spoken
from motsim.commands.parser import CommandParser
from motsim.printing import one_line, printable
from motsim.results.content import ContentError, unpacked
from motsim.results.database import Database
from motsim.results.folder import StoreError, check_folder, not_written
from motsim.results.migration import FIRST_COLUMNS, first_row
from motsim.results.opening import check_things
from motsim.results.row import Row
from motsim.results.safeguards import row_checksum

__all__ = ["main", "parser", "repair"]

PRESENT_COLUMNS = (
    "r.key, r.status, d.kind, d.settings, d.seconds, d.versions, d.payload, r.checksum"
    " FROM runs AS r JOIN details AS d USING (key)"
)
MAGIC, HEADER_SIZE = b"SQLite format 3\0", 100
MOST_GROWTH = 1000  # a damaged page count must not fill the disk
#: A damaged page ends a search, so many small ones are made, each from both ends.
PREFIXES = ["".join(digits) for digits in itertools.product("0123456789abcdef", repeat=3)]


def repair(folder: Path) -> tuple[int, Path]:
    """Make ``results.db`` anew from the rows whose checksums are right.

    Returns
    -------
    count : int
        Runs saved; those that are lost will be computed again.
    kept : Path
        The damaged file, unchanged.

    Raises
    ------
    StoreError
        If there is no store, or no room for the new one.
    """
    path = folder / "results.db"
    if not path.is_file():
        raise StoreError(f"{path}: no such file; nothing to repair")
    check_folder(folder)
    log = path.with_name("results.db-wal")
    try:
        with tempfile.TemporaryDirectory(dir=folder, prefix=".repair-") as name:
            work = Path(name)
            shutil.copyfile(path, work / "old.db")  # reading may change a database
            if log.is_file():
                shutil.copyfile(log, work / "old.db-wal")
            make_readable(work / "old.db")
            rows = salvage(work / "old.db", path)
            new = Database(work / "new.db")
            with contextlib.closing(new), new.transaction():
                for row in rows.values():
                    new.insert(row)
            kept = _free_name(folder)
            for end in ("-wal", "-shm", "-tally"):
                with contextlib.suppress(FileNotFoundError):
                    os.replace(folder / f"results.db{end}", kept.with_name(kept.name + end))
            os.replace(path, kept)
            os.replace(work / "new.db", path)
    except StoreError:
        raise
    except OSError as error:
        raise not_written(path, error) from error
    return len(rows), kept


def make_readable(path: Path) -> None:
    """Mend what makes SQLite refuse a file as a whole: its first bytes, pages cut off the end."""
    with path.open("r+b") as stream:
        stream.write(MAGIC)
        header = stream.read(HEADER_SIZE - len(MAGIC))
        size = int.from_bytes(header[:2], "big")  # of a page; 1 stands for 65536
        pages = int.from_bytes(header[12:16], "big")
        whole = pages * (65536 if size == 1 else size)
        length = stream.seek(0, os.SEEK_END)
        if length < whole <= max(MOST_GROWTH * length, 2**20):
            stream.truncate(whole)


def salvage(path: Path, called: Path) -> dict[str, Row]:
    """Every row of a damaged file whose checksums are right, by key; messages use another name."""
    found: dict[str, Row] = {}
    with contextlib.closing(sqlite3.connect(path)) as db:
        check_things(db, called)
        for columns, key in (
            (PRESENT_COLUMNS, "r.key"),
            (f"{FIRST_COLUMNS} FROM runs", "key"),
            (f"{FIRST_COLUMNS} FROM old_runs", "key"),
        ):
            for prefix, order in itertools.product(PREFIXES, ("", " DESC")):
                query = f"SELECT {columns} WHERE {key} >= ? AND {key} < ? ORDER BY {key}"
                for values in _readable(db, query + order, (prefix, prefix + "g")):
                    row = _sound(values) if key == "r.key" else first_row(values)
                    if row is not None:
                        with contextlib.suppress(ContentError):  # else it would stay in the way
                            unpacked(row)
                            found[row.key] = row
    return found


def _readable(db: sqlite3.Connection, query: str, values: Sequence[Any]) -> Iterator[Any]:
    with contextlib.suppress(sqlite3.Error, UnicodeDecodeError, OverflowError):
        yield from db.execute(query, values)


def _sound(values: Sequence[Any]) -> Row | None:
    *fields, checksum = values
    with contextlib.suppress(TypeError, AttributeError, ValueError):
        row = Row.stored(*fields)
        if checksum == row_checksum(row.key, row.status, row.details):
            return row
    return None


def _free_name(folder: Path) -> Path:
    names = (folder / f"results.damaged-{number}.db" for number in itertools.count(1))
    return next(name for name in names if not name.exists())


def parser() -> argparse.ArgumentParser:
    """Return the command's options."""
    options = CommandParser(
        prog="python -m motsim.repair",
        description=(
            "Save the sound runs of a damaged results.db into a new file. Stop the sweeps that"
            " use it first. What is lost is computed again by the next sweep."
        ),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    options.add_argument("folder", type=Path, metavar="DIR", help="the results folder")
    return options


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; return its exit code."""
    folder = parser().parse_args(argv).folder
    try:
        count, kept = repair(folder)
    except StoreError as error:
        print(one_line(spoken(f"python -m motsim.repair: {error}")), file=sys.stderr)
        return 2
    told = f"{folder / 'results.db'}: {count} runs saved; the damaged file is kept as {kept}"
    print(printable(told))
    return 0


if __name__ == "__main__":
    from motsim.commands.streams import as_process

    raise SystemExit(as_process(main))
