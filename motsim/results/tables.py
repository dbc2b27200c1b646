"""Tables of a sweep: exported from the store as CSV, read back by claims and figures.

``results/NAME.csv`` has one row a run and epsilon (one row a run where there is no epsilon);
``results/NAME.TABLE.csv`` the other tables; ``results/NAME.json`` says what they are. Of settings,
cases or first seeds that a call changes, NAME is ``SWEEP@KEY=VALUE`` (`Sweep.table`). The same
runs give the same bytes: nothing in them depends on time, order or the number of jobs. The JSON
file is replaced last and holds the digests of the others, so that a half replaced export is seen.
"""

import hashlib
import itertools
import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from motsim.experiments.result import check_table
from motsim.plans.origins import origin
from motsim.plans.plan import Cell, Sweep, sweep_words
from motsim.regular import open_regular, read_json
from motsim.results.columns import (
    ColumnKind,
    column_kind,
    exact_floats,
    kinds_of,
    read_types,
    unguarded,
)
from motsim.results.files import TableFile, clean, replace_all
from motsim.results.store import SCHEMA, FinishedRun, Store

__all__ = ["Tables", "TablesError", "export", "load_tables"]

JOINED = "hits"
KEPT_VALUES = 2_000_000  # of the runs of a sweep, at 32 bytes or less
RUN_VALUES = 40  # what the objects of a run take beside, in values
PATIENCE = 2.0  # seconds to wait for an export that is under way
_Columns = dict[str, set[ColumnKind]]  # of a table: name -> kinds of its values


class TablesError(ValueError):
    """A table is missing or stale; the message names the command that makes it."""


@dataclass(frozen=True, repr=False)
class Tables:
    """All tables of one sweep.

    Attributes
    ----------
    name : str
    meta : dict
        `title`, `tier`, `labels` (the columns that identify a run), `schema`, `settings` (those
        that all runs share), `versions` of the libraries that made them, `types` of the
        columns, `digests` of the files, ...
    main : DataFrame
        One row a run and epsilon.
    others : dict of DataFrame
        Each with the label columns in front.
    """

    name: str
    meta: dict[str, Any]
    main: pd.DataFrame
    others: dict[str, pd.DataFrame]

    def __repr__(self) -> str:
        beside = f", {', '.join(self.others)}" if self.others else ""
        size = f"{len(self.main)} rows of {self.meta.get('runs', '?')} runs"
        return f"Tables({self.name}, {self.meta.get('tier', '?')} tier: {size}{beside})"

    def _repr_html_(self) -> str:
        from html import escape

        head = self.main.head(10).to_html(index=False, border=0)
        return f"<p><strong>{escape(repr(self))}</strong></p>\n{head}"

    @property
    def labels(self) -> list[str]:
        """Columns that identify a run."""
        return list(self.meta["labels"])

    @property
    def call(self) -> str:
        """What makes them in a call of the sweep command: name, changes, tier."""
        return sweep_words(self.name, meta=self.meta)

    @property
    def runs(self) -> pd.DataFrame:
        """One row a run."""
        columns = [c for c in self.main.columns if c not in self.meta["joined"]]
        return self.main[columns].drop_duplicates("run").reset_index(drop=True)


def export(store: Store, sweep: Sweep, tier: str, cells: Sequence[Cell], folder: Path) -> Tables:
    """Write the tables of a sweep's runs and return them as `load_tables` does.

    Runs are looked at twice, first for the columns. Those that do not fit in `KEPT_VALUES` are
    read twice, so that few are in memory at a time. In the tables beside the main one a label
    that is named like a column gets the ending ``_setting``.

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
    room = KEPT_VALUES
    for cell, run in _runs(store, cells):
        shape.add(cell, run)
        if run.versions not in versions:
            versions.append(run.versions)
        room -= _size(run)
        if room >= 0:
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
    paths = {name: folder / f"{table}.{name}.csv" for name in sorted(shape.others)}
    others = {name: TableFile(path, shape.columns(name)) for name, path in paths.items()}
    main = TableFile(folder / f"{table}.csv", list(shape.main))
    description = TableFile(folder / f"{table}.json")
    with replace_all([main, *others.values(), description], store.exclusive):
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

    def add(self, cell: Cell, run: FinishedRun) -> None:
        for label, value in cell.labels.items():
            self.main[label] |= kinds_of([value])
            self._front[label] |= kinds_of([value])
        for name, value in run.result.metrics.items():
            if name != "traceback":
                self.main.setdefault(name, set()).update(kinds_of([value]))
        for name, columns in run.result.tables.items():
            table = self.main if name == JOINED else self.others.setdefault(name, {})
            for column, values in columns.items():
                table.setdefault(column, set()).update(kinds_of(values))
        self.joined |= dict.fromkeys(run.result.tables.get(JOINED, {}))

    def label(self, table: str, label: str) -> str:
        """Return the column of a label in a table beside the main one."""
        return f"{label}_setting" if label in self.others[table] else label

    def columns(self, table: str) -> list[str]:
        return [*(self.label(table, label) for label in self.labels), *self.others[table]]

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


def load_tables(name: str, folder: Path) -> Tables:
    """Read the exported tables of a sweep.

    Raises
    ------
    TablesError
        If they are missing, unreadable, of another schema, or not of one export.
    """
    command = f"python -m motsim.sweep {sweep_words(name)} --out {folder}"
    place = folder / f"{name}.json"
    if not place.is_file():
        raise TablesError(f"{folder / name}.csv is missing; make it with: {command}")
    patience = time.monotonic() + PATIENCE
    while True:
        try:
            return _load(name, place)
        except _MixedError as error:  # an export may be replacing the files just now
            if time.monotonic() > patience:
                raise TablesError(f"{error}; rebuild with: {command}") from error
            time.sleep(0.02)
        except (LookupError, TypeError, ValueError, OSError, AttributeError) as error:
            if isinstance(error, TablesError):
                raise TablesError(f"{error}; rebuild it with: {command}") from error
            text = " ".join(str(error).split())
            raise TablesError(
                f"{place} and its tables cannot be read ({text}); rebuild: {command}"
            ) from error


class _MixedError(Exception):
    """The files are not of one export."""


def _load(name: str, place: Path) -> Tables:
    meta = read_json(place)
    if meta["schema"] != SCHEMA:
        raise TablesError(f"{place} has schema {meta['schema']}, this motsim reads {SCHEMA}")
    if "types" not in meta:
        raise TablesError(f"{place} is of an older motsim and holds no types of columns")
    frames = {}
    for table in meta["tables"]:
        check_table(table)
    for table in ("", *meta["tables"]):
        path = place.with_name(".".join(filter(None, (name, table, "csv"))))
        digest = _digest(path)
        if digest != meta["digests"][table]:
            raise _MixedError(f"{path} and {place} are not of one export, or were edited")
        frames[table] = _read(path, read_types(meta["types"][table]))
    main = frames.pop("")
    return Tables(name, meta, main, frames)


def _digest(path: Path) -> str:
    digest = hashlib.blake2b(digest_size=16)
    with open_regular(path) as stream:
        while block := stream.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def _read(path: Path, types: dict[str, str]) -> pd.DataFrame:
    # Only an empty field is missing: "None" and "NA" are words that a setting may have. In chunks
    # (`low_memory`) a whole column with gaps has two types.
    frame: pd.DataFrame = pd.read_csv(
        path,
        keep_default_na=False,
        na_values=[""],
        dtype=types,
        low_memory=False,
        **exact_floats(),
    )
    for name, kind in types.items():
        if kind == "str":
            frame[name] = unguarded(frame[name])
    return frame
