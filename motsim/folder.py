"""The results folder: can it be written, and how much room is there."""

import os
import shutil
from pathlib import Path

__all__ = ["StoreError", "check_folder", "free_bytes", "no_room"]


class StoreError(OSError):
    """The store cannot be used; the message names the file and what to do."""


def check_folder(folder: Path, *, make: bool = True) -> None:
    """Refuse a results folder that cannot be written; make it if it is missing.

    Parameters
    ----------
    folder : Path
    make : bool
        False: look only, so that a wrong place is refused before anything is loaded.

    Raises
    ------
    StoreError
    """
    try:
        if make:
            folder.mkdir(parents=True, exist_ok=True)
        there = next(place for place in (folder, *folder.absolute().parents) if place.exists())
        if not there.is_dir():
            raise NotADirectoryError(f"{there} is a file")
    except OSError as error:
        raise StoreError(f"{folder}: cannot be used as results folder: {error}") from error
    if not os.access(there, os.W_OK):
        raise StoreError(f"{folder}: cannot be written; choose another with --out")


def free_bytes(folder: Path) -> int:
    """Bytes that are free in a folder; 0 if it cannot be asked."""
    try:
        return shutil.disk_usage(folder).free
    except OSError:
        return 0


def no_room(path: Path, error: object) -> StoreError:
    """Error of a write that failed, with the bytes that are free."""
    return StoreError(
        f"{path}: {error}; {free_bytes(path.parent):,} bytes are free in {path.parent}. Make room"
        " and give the same command again: finished runs are kept"
    )
