"""Export of a sweep's runs: tables written as CSV, as `load_tables` reads them back.

The same runs give the same bytes: nothing in the tables depends on time, order or the number of
jobs. The description, with the digests of the others, is replaced last.
"""

import itertools
import json
import logging
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from motsim.plans.origins import origin
from motsim.plans.plan import Cell, Sweep
from motsim.results.columns import (
    ColumnKind,
    column_kind,
    kinds_of,
)
from motsim.results.files import TableFile, clean, replace_all
from motsim.results.leftovers import description_before, leftovers, parquet_line
from motsim.results.store import SCHEMA, FinishedRun, Store
from motsim.results.tables import Tables, load_tables, table_path

__all__ = ["export"]

JOINED = "hits"
KEPT_VALUES = 2_000_000  # of the runs of a sweep, at 32 bytes or less
PLAIN_FIELDS = 30_000  # about 300 kB: larger tables are packed
RUN_VALUES = 40  # what the objects of a run take beside, in values
_Columns = dict[str, set[ColumnKind]]  # of a table: name -> kinds of its values
log = logging.getLogger(__name__)


def export(
    store: Store,
    sweep: Sweep,
    tier: str,
    cells: Sequence[Cell],
    folder: Path,
    tell: Callable[[str], object] = log.warning,
) -> Tables:
    """Write the tables of a sweep's runs and return them as `load_tables` does.

    Runs are looked at twice, first for the columns. Those that do not fit in `KEPT_VALUES` are
    read twice, so that few are in memory at a time. In the tables beside the main one a label
    that is named like a column gets the ending ``_setting``. Tables of more than `PLAIN_FIELDS`
    are packed by gzip. What an earlier export left that would be stale goes; of Parquet files
    `tell` is told in a line.

    Raises
    ------
    StoreError
        If a stored run is damaged, or a table cannot be written; then the tables stay as they were.
    """
    labels = list(dict.fromkeys(label for cell in cells for label in cell.labels))
    shape = _Shape(labels)
    versions: list[dict[str, str]] = []
    kept: list[tuple[Cell, FinishedRun]] = []
    again: list[Cell] = []
    left = KEPT_VALUES
    for cell, run in _runs(store, cells):
        shape.add(cell, run)
        if run.versions not in versions:
            versions.append(run.versions)
        left -= _size(run)
        if left >= 0:
            kept.append((cell, run))
        else:
            again.append(cell)
    meta = {
        "schema": SCHEMA,
        "sweep": sweep.name,
        "title": sweep.title,
        "tier": tier,
        "kind": sweep.file.kind,
        "file": origin(sweep, folder),
        "labels": labels,
        "joined": list(shape.joined),
        "runs": len(kept) + len(again),
        "planned": len({cell.key for cell in cells}),
        "tables": sorted(shape.others),
        "packed": shape.packed(),
        "settings": _shared(cells),
        "versions": sorted(versions, key=str),
        "types": shape.types(),
    }
    if sweep.moved:
        meta["seed_start"] = sweep.seed_start
    if changes := sweep.changes.description():
        meta["changes"] = changes
    table = sweep.table
    clean(folder, table)
    others = {
        name: TableFile(table_path(folder, table, name, meta), shape.columns(name))
        for name in sorted(shape.others)
    }
    main = TableFile(table_path(folder, table, "", meta), list(shape.main))
    description = TableFile(folder / f"{table}.json")
    gone: list[Path] = []

    def stale() -> list[Path]:
        gone.extend(leftovers(folder, table, description_before(folder, table), meta))
        return gone

    with replace_all([main, *others.values(), description], store.exclusive, stale):
        for cell, run in itertools.chain(kept, _runs(store, again)):
            front = {label: cell.labels.get(label) for label in labels}
            hits = run.result.tables.get(JOINED, {})
            row = {**front, "run": cell.key[:12], "status": run.status, **run.result.metrics}
            if _count(hits):
                main.write(hits, row, _count(hits))
            else:  # a run has a row even so
                main.write({}, row, 1)
            for name, columns in run.result.tables.items():
                if name != JOINED:
                    labeled = {shape.label(name, label): value for label, value in front.items()}
                    others[name].write(columns, labeled, _count(columns))
        meta["digests"] = {"": main.digest, **{name: file.digest for name, file in others.items()}}
        description.write_text(json.dumps(meta, indent=1) + "\n")
    if line := parquet_line(gone, table, folder):
        tell(line)
    return load_tables(table, folder)


class _Shape:
    """Columns of the tables of some runs, in the order in which they first come."""

    def __init__(self, labels: Sequence[str]) -> None:
        self.labels = labels
        self.main: _Columns = {label: set() for label in labels}
        self.main |= {"run": {"text"}, "status": {"text"}}
        self.joined: dict[str, None] = {}
        self.others: dict[str, _Columns] = {}
        self._front: _Columns = {label: set() for label in labels}
        self._rows: dict[str, int] = {"": 0}

    def add(self, cell: Cell, run: FinishedRun) -> None:
        for label, value in cell.labels.items():
            self.main[label] |= kinds_of([value])
            self._front[label] |= kinds_of([value])
        for name, value in run.result.metrics.items():
            if name != "traceback":
                self.main.setdefault(name, set()).update(kinds_of([value]))
        self._rows[""] += max(_count(run.result.tables.get(JOINED, {})), 1)
        for name, columns in run.result.tables.items():
            table = self.main if name == JOINED else self.others.setdefault(name, {})
            if name != JOINED:
                self._rows[name] = self._rows.get(name, 0) + _count(columns)
            for column, values in columns.items():
                table.setdefault(column, set()).update(kinds_of(values))
        self.joined |= dict.fromkeys(run.result.tables.get(JOINED, {}))

    def label(self, table: str, label: str) -> str:
        """Return the column of a label in a table beside the main one."""
        return f"{label}_setting" if label in self.others[table] else label

    def columns(self, table: str) -> list[str]:
        return [*(self.label(table, label) for label in self.labels), *self.others[table]]

    def packed(self) -> list[str]:
        """Names of the tables that are too large to be plain text."""
        widths = {"": len(self.main)} | {name: len(self.columns(name)) for name in self.others}
        rows = self._rows
        return sorted(name for name, n in widths.items() if n * rows[name] > PLAIN_FIELDS)

    def types(self) -> dict[str, dict[str, ColumnKind]]:
        """Return the kind of every column of every table; the main one is called ``""``."""
        found = {"": self.main}
        for table, columns in self.others.items():
            front = {self.label(table, label): kinds for label, kinds in self._front.items()}
            found[table] = front | columns
        return {
            table: {name: column_kind(kinds) for name, kinds in columns.items()}
            for table, columns in sorted(found.items())
        }


def _runs(store: Store, cells: Sequence[Cell]) -> Iterator[tuple[Cell, FinishedRun]]:
    """Each cell whose run is stored; two cells may share a run."""
    left = iter(cells)
    for run in store.read([cell.key for cell in cells]):
        yield next(cell for cell in left if cell.key == run.key), run


def _count(columns: dict[str, list[Any]]) -> int:
    """Return the number of rows."""
    return len(next(iter(columns.values()), ()))


def _size(run: FinishedRun) -> int:
    """Return about how many values a run holds."""
    tables = run.result.tables.values()
    return (
        RUN_VALUES
        + len(run.result.metrics)
        + sum(_count(columns) * len(columns) for columns in tables)
    )


def _shared(cells: Sequence[Cell]) -> dict[str, Any]:
    """Return the settings that all runs have in common."""
    seeds = {cell.labels["seed"] for cell in cells}
    points = {id(cell.values): cell for cell in cells}.values()  # seeds differ in nothing else
    every = (cell.settings.model_dump(mode="json") for cell in points)
    shared: dict[str, Any] = next(every, {})
    if len(seeds) > 1:
        shared.pop("seed")
    for settings in every:
        shared = {name: shared[name] for name in shared if settings.get(name) == shared[name]}
    return shared
