"""Before a file is opened: is it motsim's, is it all there; and how it is read without a trace."""

import contextlib
import os
import shutil
import sqlite3
import tempfile
import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from motsim.regular import check_regular
from motsim.results.folder import StoreError
from motsim.results.safeguards import Tally

__all__ = [
    "APPLICATION",
    "OPENING",
    "check_ours",
    "connect_to_read",
    "held",
    "looks",
    "size_of",
]

APPLICATION = 0x6D6F7473  # "mots", in the header of every store
#: Columns of `runs` in every schema: files of before `APPLICATION` are known by them.
KNOWN_BY = {"key", "status", "checksum"}
HEADER_SIZE = 100
MAX_VALUE = 2**27  # bytes of one value of a database: more than a run may hold, packed or not
#: Files that connections of this process are on, by device and inode, and how many are.
_held: Counter[tuple[int, int]] = Counter()
#: Kept from looking at a file until its connection is there.
OPENING = threading.RLock()
CANNOT = {
    sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM, sqlite3.SQLITE_IOERR,
}  # fmt: skip


def size_of(path: Path) -> int:
    """Bytes of a file; 0 without one."""
    try:
        return path.stat().st_size
    except OSError:
        return 0


def held(path: Path) -> Callable[[], None]:
    """Note a connection to a file; return what takes the note away.

    Whatever closes a file takes away all locks that its process has on it (POSIX), those of
    SQLite too: another process may then remove the log under a connection of this one. So no file
    is read here, other than by SQLite, that a connection is on.
    """
    file_id = _file_id(path)
    _held[file_id] += 1
    notes = [file_id]

    def away() -> None:
        with OPENING:
            while notes:
                _held[notes.pop()] -= 1

    return away


def _is_held(path: Path) -> bool:
    return _held[_file_id(path)] > 0


def _file_id(path: Path) -> tuple[int, int]:
    try:
        seen = path.stat()
    except OSError:
        return 0, 0  # gone again: of no process
    return seen.st_dev, seen.st_ino


def looks(path: Path) -> tuple[int, ...]:
    """What changes when a file, or its log, is written."""
    try:
        time = path.stat().st_mtime_ns
    except OSError:
        time = 0
    return (time, size_of(path), size_of(beside(path, "-wal")))


def beside(path: Path, end: str) -> Path:
    """Return a file that SQLite or motsim keeps beside a database."""
    return path.with_name(path.name + end)


def check_ours(path: Path, tally: Tally) -> bool:
    """Return whether there is a store, looking at it only; a file of no bytes is none yet.

    Raises
    ------
    StoreError
        If the file is gone and what belongs to it is there, or if it is someone else's.
    """
    commits = tally.commits()  # first: while a store is there, another process may add to it
    log = size_of(beside(path, "-wal"))
    if not path.exists():
        if commits or log:
            told = f"{commits:,} commits were made" if commits else "its log is there"
            raise StoreError(
                f"{path}: missing, though {told} ({path.name}-*); put it back, or move"
                f" {path.name}-* away to begin anew"
            )
        return False
    for end in ("", "-wal", "-shm", "-journal", "-tally"):
        try:
            check_regular(beside(path, end))
        except FileNotFoundError:
            pass
        except OSError as error:
            told = f"{beside(path, end)}: {error.strerror}; use another --out folder"
            raise StoreError(told) from error
    if not size_of(path):
        return False
    if _is_held(path):
        return True  # looked at when it was opened
    with path.open("rb") as stream:
        header = stream.read(HEADER_SIZE)
    if int.from_bytes(header[68:72], "big") == APPLICATION:
        return True
    try:
        connection, close = connect_to_read(path)
        try:
            (things,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
            columns = {row[1] for row in connection.execute("PRAGMA table_info(runs)")}
        finally:
            close()
    except (sqlite3.Error, UnicodeDecodeError):
        return True  # damaged, or no database at all: the one who opens it says what is wrong
    if things and not columns >= KNOWN_BY:
        raise StoreError(
            f"{path}: a database that is not motsim's; nothing was changed in it. Use another"
            " --out folder"
        )
    return bool(things)


def check_things(connection: sqlite3.Connection, path: Path) -> None:
    """Refuse a database in which something computes where it is read or written.

    A table holds what is in the file; a view, or a column that is generated, may never end.
    What cannot be read is left to those who read it.

    Raises
    ------
    StoreError
        If there is such a thing; it calls the database `path`.
    """
    connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, MAX_VALUE)
    text = connection.text_factory
    connection.text_factory = lambda raw: raw.decode("latin-1")  # a wrong letter hides nothing
    try:
        connection.execute("PRAGMA trusted_schema=OFF")
        if odd := _odd_thing(connection):
            raise StoreError(
                f"{path}: holds {odd}, which no store of motsim has; use another --out folder"
            )
    except (
        sqlite3.Error,
        UnicodeDecodeError,
    ):  # the latter of a message, of a file that no one reads
        pass
    finally:
        connection.text_factory = text


def _odd_thing(connection: sqlite3.Connection) -> str:
    # by its text, which is what SQLite runs: a bit of the type beside it does no harm
    columns = ", ".join(f"CAST({name} AS TEXT)" for name in ("name", "tbl_name", "sql"))
    things = f"SELECT {columns} FROM sqlite_master WHERE sql IS NOT NULL"
    for name, table, text in connection.execute(things):
        kind = text.upper().removeprefix("CREATE ")[:20].split()
        if kind[:1] != ["TABLE"]:
            told = {"VIRTUAL": "a virtual table", "INDEX": "an index", "UNIQUE": "an index"}
            word = "".join(kind[:1])
            return f"{told.get(word, f'a {word.lower()}')} {name!r} of {table!r}"
    for table in ("runs", "details", "claims", "ledger", "old_runs"):
        for _, column, _, _, default, _, hidden in connection.execute(
            f"PRAGMA table_xinfo({table})"
        ):
            if hidden or default is not None:
                return f"a computed column {column!r} of {table!r}"
    return ""


def connect_to_read(path: Path) -> tuple[sqlite3.Connection, Callable[[], None]]:
    """Connect to a database of which nothing is written, and no file is made beside it.

    Where the folder cannot be written, SQLite cannot read a log; then a copy is read.

    Returns
    -------
    connection
    close : callable
        Closes it, and removes the copy.

    Raises
    ------
    sqlite3.Error
        If it cannot be read.
    """
    if _is_held(path):
        return _connect(path, "mode=ro")
    with path.open("rb") as stream:
        logged = stream.read(HEADER_SIZE)[18:19] == b"\2"
    under_way = size_of(beside(path, "-wal")) or size_of(beside(path, "-journal"))
    options = "mode=ro"
    if logged and not under_way:
        options += "&immutable=1"  # closed by all: nothing but the file is needed
    try:
        return _connect(path, options)
    except sqlite3.Error as error:
        if getattr(error, "sqlite_errorcode", 0) & 0xFF not in CANNOT or not under_way:
            raise
    return copied(path)


def copied(path: Path) -> tuple[sqlite3.Connection, Callable[[], None]]:
    """Connect to a copy of a database, which may be written; as `connect_to_read`."""
    folder = tempfile.mkdtemp(prefix="motsim-")
    try:
        copy = Path(folder) / path.name
        for end in ("", "-wal", "-journal"):
            with contextlib.suppress(FileNotFoundError):
                shutil.copyfile(beside(path, end), beside(copy, end))
        connection, close = _connect(copy, "mode=rw")
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise

    def remove() -> None:
        close()
        shutil.rmtree(folder, ignore_errors=True)

    return connection, remove


def _connect(path: Path, options: str) -> tuple[sqlite3.Connection, Callable[[], None]]:
    address = Path(os.path.abspath(path)).as_uri()
    connection = sqlite3.connect(f"{address}?{options}", uri=True, isolation_level=None, timeout=60)
    try:
        connection.execute("SELECT count(*) FROM sqlite_master").fetchall()
    except BaseException:
        connection.close()
        raise
    return connection, connection.close
