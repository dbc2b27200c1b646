"""Tables of a sweep, as `export` wrote them: read by claims and figures.

``results/NAME.csv`` has one row a run and epsilon (one row a run where there is no epsilon);
``results/NAME.TABLE.csv`` the other tables; ``results/NAME.json`` says what they are. A table of
more than 30,000 fields is packed, as ``.csv.gz``. Of settings, cases or first seeds that a call
changes, NAME is ``SWEEP@KEY=VALUE`` (`Sweep.table`). The same runs give the same bytes: nothing in
them depends on time, order or the number of jobs. The JSON file is replaced last and holds the
digests of the others, so that a half replaced export is seen.
"""

import contextlib
import gzip
import hashlib
import os
import time
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, cast

import pandas as pd

from motsim.experiments.result import check_table
from motsim.plans.plan import sweep_words
from motsim.regular import open_regular, read_json
from motsim.results.columns import (
    exact_floats,
    read_types,
    unguarded,
)
from motsim.results.files import GZIP
from motsim.results.store import SCHEMA

__all__ = ["Tables", "TablesError", "load_tables", "stored_names", "table_path"]

UNPACKED = 2**28  # bytes from which on a packed table unpacks to at most `RATIO` times its own
RATIO = 500
PACKING = (EOFError, zlib.error)  # of a packed file that is damaged, beside OSError
PATIENCE = 2.0  # seconds to wait for an export that is under way


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
        columns, `packed` (tables that are ``.csv.gz``), `digests` of their texts, ...
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

    def with_columns(self, table: str, *columns: str) -> pd.DataFrame:
        """Another table; without a row where it is not there or lacks one of the `columns`."""
        found = self.others.get(table)
        if found is not None and set(columns) <= set(found):
            return found
        return pd.DataFrame({name: pd.Series(dtype=float) for name in columns})

    @property
    def call(self) -> str:
        """What makes them in a call of the sweep command: name, changes, tier."""
        return sweep_words(self.name, meta=self.meta)

    @property
    def runs(self) -> pd.DataFrame:
        """One row a run; where settings without effect make several of one run, a row each."""
        columns = [c for c in self.main.columns if c not in self.meta["joined"]]
        several = ["run", *(label for label in self.labels if label in columns)]
        return self.main[columns].drop_duplicates(several).reset_index(drop=True)


def table_path(folder: Path, name: str, table: str, meta: Mapping[str, Any]) -> Path:
    """Return the file of a table, the main one being ``""``, by its description."""
    ending = f".csv{GZIP}" if table in meta.get("packed", ()) else ".csv"
    return folder / f"{name}{'.' if table else ''}{table}{ending}"


def stored_names(folder: Path) -> list[str]:
    """Return the names of all tables in a results folder."""
    return sorted(
        path.stem
        for path in folder.glob("*.json")
        if any(path.with_suffix(ending).exists() for ending in (".csv", f".csv{GZIP}"))
    )


def load_tables(name: str, folder: Path) -> Tables:
    """Read the exported tables of a sweep.

    Raises
    ------
    TablesError
        If they are missing, unreadable, of another schema, or not of one export.
    """
    command = f"python -m motsim.sweep {sweep_words(name)} --out {folder}"
    meta_path = folder / f"{name}.json"
    if not meta_path.is_file():
        raise TablesError(f"{folder / name}.csv is missing; make it with: {command}")
    patience = time.monotonic() + PATIENCE
    while True:
        try:
            return _load(name, meta_path)
        except _MixedError as error:  # an export may be replacing the files just now
            if time.monotonic() > patience:
                raise TablesError(f"{error}; rebuild with: {command}") from error
            time.sleep(0.02)
        except (LookupError, TypeError, ValueError, OSError, AttributeError, *PACKING) as error:
            if isinstance(error, TablesError):
                raise TablesError(f"{error}; rebuild it with: {command}") from error
            text = " ".join(str(error).split())
            raise TablesError(
                f"{meta_path} and its tables cannot be read ({text}); rebuild: {command}"
            ) from error


class _MixedError(Exception):
    """The files are not of one export."""


def _load(name: str, meta_path: Path) -> Tables:
    meta = read_json(meta_path)
    if meta["schema"] != SCHEMA:
        raise TablesError(f"{meta_path} has schema {meta['schema']}, this motsim reads {SCHEMA}")
    if "types" not in meta:
        raise TablesError(f"{meta_path} is of an older motsim and holds no types of columns")
    frames = {}
    for table in meta["tables"]:
        check_table(table)
    for table in ("", *meta["tables"]):
        path = table_path(meta_path.parent, name, table, meta)
        try:
            digest = _digest(path)
        except FileNotFoundError as error:
            raise _MixedError(
                f"{meta_path} and its tables cannot be read: no {path.name}"
            ) from error
        if digest != meta["digests"][table]:
            raise _MixedError(f"{path} and {meta_path} are not of one export, or were edited")
        frames[table] = _read(path, read_types(meta["types"][table]))
    main = frames.pop("")
    return Tables(name, meta, main, frames)


def _digest(path: Path) -> str:
    digest = hashlib.blake2b(digest_size=16)
    with _opened(path) as (stream, most):
        while block := stream.read(1 << 20):
            most -= len(block)
            if most < 0:
                raise ValueError(f"{path.name} unpacks to more than a table of its size")
            digest.update(block)
    return digest.hexdigest()


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[tuple[BinaryIO, int]]:
    """Open the text of a table; with how many bytes there may be."""
    with open_regular(path) as stream:
        size = os.fstat(stream.fileno()).st_size
        if path.suffix != GZIP:
            yield stream, size
            return
        with gzip.GzipFile(fileobj=stream) as unpacked:
            yield cast(BinaryIO, unpacked), max(UNPACKED, RATIO * size)


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
