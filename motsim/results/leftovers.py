"""What earlier exports left beside the tables of a sweep: files that a new export makes stale."""

import shlex
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from motsim.experiments.result import check_table
from motsim.regular import read_json
from motsim.results.files import GZIP

__all__ = ["description_before", "leftovers", "parquet_line"]

PARQUET = ".parquet"


def description_before(folder: Path, name: str) -> dict[str, Any] | None:
    """Return the description of tables that are there; {} if it is unreadable, None without one."""
    try:
        found = read_json(folder / f"{name}.json")
        for table in found["tables"]:
            check_table(table)
        return dict(found)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return {}


def leftovers(
    folder: Path, name: str, before: Mapping[str, Any] | None, after: Mapping[str, Any]
) -> list[Path]:
    """Return the files that hold tables of before, whose place no new file takes.

    These are tables that are no longer made, the other form of those that are packed now or no
    longer, and Parquet files of tables that have changed. Nothing is known to be ours without a
    description; then nothing is stale but the other form.

    Parameters
    ----------
    folder : Path
    name : str
        Of the tables.
    before, after : mapping
        Descriptions of the tables that are there, as `description_before` gives it, and of those
        that are about to be.
    """
    old = before or {}
    tables = ("", *dict.fromkeys((*old.get("tables", ()), *after["tables"])))
    return [
        path
        for table in tables
        for path in _of_table(folder, name, table, before, after)
        if path.is_file()
    ]


def _of_table(
    folder: Path, name: str, table: str, before: Mapping[str, Any] | None, after: Mapping[str, Any]
) -> Iterator[Path]:
    stem = f"{name}.{table}" if table else name
    if table and (folder / f"{stem}.json").exists():  # tables of another sweep, called so
        return
    made = table in ("", *after["tables"])
    packed = table in after["packed"]
    if packed or not made:
        yield folder / f"{stem}.csv"
    if not packed:
        yield folder / f"{stem}.csv{GZIP}"
    if before is not None and _state(before, table) != _state(after, table):
        yield folder / f"{stem}{PARQUET}"


def _state(description: Mapping[str, Any], table: str) -> tuple[Any, Any]:
    """What a table holds, and of which types."""
    parts = [description.get(part) for part in ("digests", "types")]
    digest, types = (part.get(table) if isinstance(part, dict) else None for part in parts)
    return digest, types


def parquet_line(stale: Sequence[Path], name: str, folder: Path) -> str:
    """Say which Parquet files are gone and what writes them anew; "" where there were none."""
    gone = [path.name for path in stale if path.suffix == PARQUET]
    if not gone:
        return ""
    again = f"motsim table {shlex.quote(name)} --parquet --out {shlex.quote(str(folder))}"
    held = "held the table" if len(gone) == 1 else "held the tables"
    return f"removed {', '.join(gone)}, which {held} of before; write anew with: {again}"
