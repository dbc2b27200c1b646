"""Which file a sweep's tables came from, so that two files of one name never mix in a folder."""

import os
from collections.abc import Sequence
from pathlib import Path

from motsim.plans.file import FOLDER
from motsim.plans.plan import Sweep, SweepError
from motsim.regular import read_json

__all__ = ["SHIPPED", "check_origins", "origin", "origin_path"]

SHIPPED = "motsim:"


def origin(sweep: Sweep, folder: Path) -> str:
    """Name of the file of a sweep, as its tables in a folder carry it: relative to the folder."""
    path = sweep.path.resolve()
    if path.parent == FOLDER:
        return f"{SHIPPED}{path.name}"
    try:
        return Path(os.path.relpath(path, folder.resolve())).as_posix()
    except ValueError:  # another drive
        return path.as_posix()


def origin_path(name: str, folder: Path) -> Path:
    """Path that `origin` has named."""
    if name.startswith(SHIPPED):
        return FOLDER / name.removeprefix(SHIPPED)
    return Path(os.path.normpath(folder.resolve() / name))


def check_origins(sweeps: Sequence[Sweep], folder: Path) -> None:
    """Refuse sweeps that would overwrite each other's tables, or those of another file.

    A file that is no longer where it was does not count: it may have been moved.

    Raises
    ------
    SweepError
        Naming both files.
    """
    seen: dict[str, Path] = {}
    for sweep in sweeps:
        path = sweep.path.resolve()
        before = seen.setdefault(sweep.table, path)
        try:
            meta = read_json(folder / f"{sweep.table}.json")
            made = origin_path(meta["file"], folder)
            if made.is_file() and not made.samefile(path):
                before = made
        except (
            OSError,
            ValueError,
            KeyError,
            TypeError,
            AttributeError,
        ):  # none, or not ours: made anew
            pass
        if before != path:
            raise SweepError(
                f"{folder}: tables of {sweep.table!r} are those of {before}; {sweep.path} would"
                " overwrite them: rename one of the files or use another --out"
            )
