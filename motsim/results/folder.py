"""The results folder: can it be written, how much room is there, what is wrong with its store."""

import errno
import os
import shutil
import sqlite3
from pathlib import Path

from motsim.results.mounts import file_system

__all__ = ["BUSY", "StoreError", "check_folder", "damaged", "free_bytes", "not_written", "trouble"]

BUSY = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}
CUT = sqlite3.SQLITE_IOERR_SHORT_READ
SCARCE = 2**20  # free bytes below which SQLite may be unable to open its files
FULL = {errno.ENOSPC, errno.EDQUOT}
#: SQLite's log is an index in memory that its processes share, by a file that is mapped.
NOT_SHARED = {
    sqlite3.SQLITE_IOERR_SHMMAP, sqlite3.SQLITE_IOERR_SHMOPEN, sqlite3.SQLITE_IOERR_SHMLOCK,
}  # fmt: skip


class StoreError(OSError):
    """The store cannot be used; the message names the file and what to do."""


def check_folder(folder: Path, *, make: bool = True) -> None:
    """Refuse a results folder that cannot be written; make it if it is missing.

    Parameters
    ----------
    folder : Path
    make : bool
        False: look only, so that a wrong path is refused before anything is loaded.

    Raises
    ------
    StoreError
    """
    try:
        if make:
            folder.mkdir(parents=True, exist_ok=True)
        there = next(path for path in (folder, *folder.absolute().parents) if path.exists())
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


def not_written(path: Path, error: BaseException) -> StoreError:
    """Error of a write that failed: the disk is full, or else it is the file system's doing."""
    folder = path.parent
    free = free_bytes(folder)
    told = f"{path}: {error}; {free:,} bytes are free in {folder}"
    full = getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_FULL
    if full or getattr(error, "errno", None) in FULL or free < SCARCE:
        return StoreError(
            f"{told}. Make room and give the same command again: finished runs are kept"
        )
    return StoreError(
        f"{told}: {named(folder)} refuses it (a limit on files, or a fault?). Use a folder"
        " elsewhere with --out, or give the same command again: finished runs are kept"
    )


def named(folder: Path) -> str:
    """Say which file system a folder is on."""
    kind = file_system(folder)
    return f"its file system ({kind})" if kind else "its file system"


def trouble(path: Path, error: Exception, patience: float) -> StoreError:
    """Return what an error of SQLite means; `patience`: seconds that it waited for others."""
    exact = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT)
    code = exact & 0xFF
    if code in BUSY:
        return StoreError(f"{path}: another process has held it for {patience:g} seconds")
    scarce = free_bytes(path.parent) < SCARCE
    if exact in NOT_SHARED and not scarce:
        return StoreError(
            f"{path}: {named(path.parent)} maps no files into shared memory, without which SQLite"
            f" keeps no log ({error}); use a folder on another one with --out"
        )
    full = code == sqlite3.SQLITE_CANTOPEN and scarce
    if code == sqlite3.SQLITE_FULL or full or (code == sqlite3.SQLITE_IOERR and exact != CUT):
        return not_written(path, error)
    if code in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM, sqlite3.SQLITE_CANTOPEN):
        return StoreError(f"{path}: {error}; use another --out folder")
    return damaged(path, " ".join(str(error).split()))


def damaged(path: Path, what: str) -> StoreError:
    """Return the error of a file that is not what was written."""
    return StoreError(
        f"{path}: {what}; save what is sound with: python -m motsim.repair {path.parent}  (or move"
        f" {path.name}* away to begin anew)"
    )
