"""Tables of a sweep: exported from the store as CSV, read back by claims and figures.

``results/NAME.csv`` has one row a run and epsilon (one row a run where there is no epsilon);
``results/NAME.TABLE.csv`` the other tables; ``results/NAME.json`` says what they are. The same
runs give the same bytes: nothing in them depends on time, order or the number of jobs.
"""

import json
import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from motsim.origins import origin
from motsim.plan import Cell, Sweep
from motsim.store import SCHEMA, Store

__all__ = ["Tables", "TablesError", "export", "load_tables"]

JOINED = "hits"


class TablesError(ValueError):
    """A table is missing or stale; the message names the command that makes it."""


@dataclass(frozen=True)
class Tables:
    """All tables of one sweep.

    Attributes
    ----------
    name : str
    meta : dict
        `title`, `tier`, `labels` (the columns that identify a run), `schema`, `settings`.
    main : DataFrame
        One row a run and epsilon.
    others : dict of DataFrame
        Each with the label columns in front.
    """

    name: str
    meta: dict[str, Any]
    main: pd.DataFrame
    others: dict[str, pd.DataFrame]

    @property
    def labels(self) -> list[str]:
        """Columns that identify a run."""
        return list(self.meta["labels"])

    @property
    def runs(self) -> pd.DataFrame:
        """One row a run."""
        columns = [c for c in self.main.columns if c not in self.meta["joined"]]
        return self.main[columns].drop_duplicates("run").reset_index(drop=True)


def export(store: Store, sweep: Sweep, tier: str, cells: Sequence[Cell], folder: Path) -> Tables:
    """Write the tables of a sweep's runs and return them as `load_tables` does."""
    runs = {run.key: run for run in store.read([cell.key for cell in cells])}
    labels = list(dict.fromkeys(label for cell in cells for label in cell.labels))
    main: list[dict[str, Any]] = []
    others: dict[str, list[pd.DataFrame]] = {}
    joined: list[str] = []
    for cell in cells:
        run = runs.get(cell.key)
        if run is None:
            continue
        front = {label: cell.labels.get(label) for label in labels}
        metrics = {k: v for k, v in run.result.metrics.items() if k != "traceback"}
        row = {**front, "run": cell.key[:12], "status": run.status, **metrics}
        hits = run.result.tables.get(JOINED)
        if hits:
            joined = list(hits)
            main += [
                {**row, **dict(zip(hits, v, strict=True))} for v in zip(*hits.values(), strict=True)
            ]
        else:
            main.append(row)
        for name, columns in run.result.tables.items():
            if name != JOINED:
                frame = pd.DataFrame(columns)
                for place, (label, value) in enumerate(front.items()):
                    frame.insert(place, label, value)
                others.setdefault(name, []).append(frame)
    meta = {
        "schema": SCHEMA,
        "sweep": sweep.name,
        "title": sweep.title,
        "tier": tier,
        "kind": sweep.file.kind,
        "file": origin(sweep, folder),
        "labels": labels,
        "joined": joined,
        "runs": len(runs),
        "planned": len({cell.key for cell in cells}),
        "tables": sorted(others),
    }
    frames = {name: pd.concat(parts, ignore_index=True) for name, parts in others.items()}
    _replace(folder / f"{sweep.name}.csv", pd.DataFrame(main).to_csv(index=False))
    for name, frame in sorted(frames.items()):
        _replace(folder / f"{sweep.name}.{name}.csv", frame.to_csv(index=False))
    _replace(folder / f"{sweep.name}.json", json.dumps(meta, indent=1) + "\n")
    return load_tables(sweep.name, folder)


def load_tables(name: str, folder: Path) -> Tables:
    """Read the exported tables of a sweep.

    Raises
    ------
    TablesError
        If they are missing, unreadable, or of another schema.
    """
    command = f"python -m motsim.sweep {name} --out {folder}"
    place = folder / f"{name}.json"
    if not place.is_file():
        raise TablesError(f"{folder / name}.csv is missing; make it with: {command}")
    try:
        meta = json.loads(place.read_text())
        if meta["schema"] != SCHEMA:
            raise TablesError(
                f"{place} has schema {meta['schema']}, this motsim reads {SCHEMA}; rebuild it"
                f" with: {command}"
            )
        main = _read(folder / f"{name}.csv")
        others = {table: _read(folder / f"{name}.{table}.csv") for table in meta["tables"]}
    except TablesError:
        raise
    except (KeyError, TypeError, ValueError, OSError) as error:
        raise TablesError(
            f"{place} and its tables cannot be read ({error}); rebuild: {command}"
        ) from error
    return Tables(name, meta, main, others)


def _read(path: Path) -> pd.DataFrame:
    # Floats must read back to the bit: the default from pandas 3.1 on, an option before.
    recent = tuple(int(part) for part in pd.__version__.split(".")[:2]) >= (3, 1)
    exact: dict[str, Any] = {} if recent else {"float_precision": "round_trip"}
    frame: pd.DataFrame = pd.read_csv(path, **exact)
    return frame


def _replace(path: Path, text: str) -> None:
    """Write a file whole or not at all."""
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
