"""Exported tables once more as Parquet, which keeps the types of columns."""

import os
from pathlib import Path

from motsim.extras import require
from motsim.results.tables import Tables

__all__ = ["write_parquet"]


def write_parquet(tables: Tables, folder: Path) -> list[Path]:
    """Write every table of a sweep beside its CSV; each file appears whole or not at all.

    Parameters
    ----------
    tables : Tables
        As `load_tables` gives them.
    folder : Path
        Gets ``NAME.parquet``, and ``NAME.TABLE.parquet`` for each table beside the main one.

    Returns
    -------
    list of Path
        What was written.

    Raises
    ------
    MissingExtraError
        If pyarrow is not installed (extra `formats`).
    """
    require("formats", ("pyarrow",))
    frames = {tables.name: tables.main}
    frames |= {f"{tables.name}.{table}": frame for table, frame in tables.others.items()}
    written = []
    for name, frame in frames.items():
        target = folder / f"{name}.parquet"
        part = folder / f".{name}.{os.getpid()}.part"
        try:
            frame.to_parquet(part, engine="pyarrow", index=False)
            part.replace(target)
        finally:
            part.unlink(missing_ok=True)
        written.append(target)
    return written
