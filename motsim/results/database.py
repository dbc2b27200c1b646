"""The SQLite file under a store: opened, checked against losses, brought to the present schema.

`motsim.results.safeguards` says what finds the losses that SQLite itself does not notice.
"""

import contextlib
import logging
import sqlite3
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from motsim.results.folder import BUSY, StoreError, check_folder, damaged, not_written, trouble
from motsim.results.mounts import network_file_system
from motsim.results.opening import (
    APPLICATION,
    OPENING,
    check_ours,
    check_things,
    connect_to_read,
    copied,
    held,
    looks,
)
from motsim.results.row import TABLES, Row
from motsim.results.safeguards import Tally, fold, row_checksum

__all__ = ["SCHEMA", "Database", "Row", "StoreError", "check_folder", "not_written"]

SCHEMA = 3
PATIENCE = 60.0  # seconds to wait for another writer
BROKEN = (sqlite3.Error, UnicodeDecodeError, OverflowError)  # what a damaged file may raise
log = logging.getLogger(__name__)


class Database:
    """One open database file; `close` it.

    Parameters
    ----------
    path : Path
    read_only : bool
        Nothing in the folder is changed, which need not be writable; the file must be there.

    Raises
    ------
    StoreError
        If the file cannot be used, is not motsim's or of a newer schema, or has lost commits.
    """

    def __init__(self, path: Path, *, read_only: bool = False) -> None:
        self.path = path
        self.tally = Tally(path.with_name(path.name + "-tally"))
        self._waiting: int | None = None
        self._network: str | None = None
        self._seen: tuple[int, ...] | None = None
        with OPENING:
            there = check_ours(path, self.tally)
            try:
                if read_only:
                    if not there:
                        raise self.damaged("holds nothing")
                    self._seen = looks(path)
                    self._db, self._close = connect_to_read(path)
                else:
                    self._db = sqlite3.connect(path, timeout=PATIENCE, isolation_level=None)
                    self._close = self._db.close
            except BROKEN as error:
                raise self.trouble(error) from error
            self._let_go = held(path)
        try:
            check_things(self._db, path)
            self._read_prepared() if read_only else self._prepare()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Close the file; other connections stay as they are."""
        self._close()
        self._let_go()

    def _known_version(self) -> int:
        found = self.version()
        if found > SCHEMA or found < 0:
            raise StoreError(
                f"{self.path}: schema {found}, this motsim reads {SCHEMA}; use another --out"
                " folder, or the motsim that wrote it"
            )
        return found

    def _read_prepared(self) -> None:
        """Of an older schema, read a copy that is migrated."""
        found = self._known_version()
        if found == SCHEMA:
            return
        self.close()
        try:
            self._db, self._close = copied(self.path)
        except sqlite3.Error as error:
            raise self.trouble(error) from error
        self._bring_up()

    def _prepare(self) -> None:
        found = self._known_version()
        self._set_journal()
        if found != SCHEMA:
            self._bring_up()
        elif self.rows("PRAGMA application_id")[0][0] != APPLICATION:
            with self.transaction(flush=False):
                self.rows(f"PRAGMA application_id={APPLICATION}")

    def _bring_up(self) -> None:
        with self.transaction():
            found = self.version()  # another process may have been faster
            if found == 0:
                if self.tally.commits():
                    raise self.damaged(f"empty, though {self.tally.commits()} commits were made")
                self.create()
            elif found < SCHEMA:
                from motsim.results.migration import migrate

                migrate(self)
            self.rows(f"PRAGMA user_version={SCHEMA}")
            self.rows(f"PRAGMA application_id={APPLICATION}")

    def create(self) -> None:
        """Make the tables of the present schema; inside a transaction."""
        for table in TABLES:
            self.rows(table)
        if not self.rows("SELECT 1 FROM ledger"):
            self.rows("INSERT INTO ledger VALUES (0, ?)", (f"{0:032x}",))

    def _set_journal(self) -> None:
        """Write-ahead log, or a rollback journal on a network, where the log is unsafe."""
        self._network = network = network_file_system(self.path.parent)
        wanted = "delete" if network else "wal"
        if network and self.rows("PRAGMA journal_mode")[0][0] != wanted:
            log.warning(
                "%s: on a network file system (%s): slower safe writes, and only one machine at a"
                " time may use it; a folder on a local disk is better", self.path, network,
            )  # fmt: skip
        patience = time.monotonic() + PATIENCE
        while True:  # SQLite does not wait by itself for this change
            try:
                self._db.execute(f"PRAGMA journal_mode={wanted}")
                break
            except BROKEN as error:
                if (
                    getattr(error, "sqlite_errorcode", 0) & 0xFF not in BUSY
                    or time.monotonic() > patience
                ):
                    raise self.trouble(error) from error
                time.sleep(0.01)
        if network:
            self.rows("PRAGMA synchronous=EXTRA")

    def version(self) -> int:
        """Schema of the file; 0 for a new one."""
        return int(self.rows("PRAGMA user_version")[0][0])

    def rows(self, command: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Run one command and return all its rows; StoreError if the file is not sound."""
        return list(self.each(command, values))

    def each(self, command: str, values: Sequence[Any] = ()) -> Iterator[tuple[Any, ...]]:
        """Run one command and yield its rows, few in memory at a time."""
        try:
            yield from self._db.execute(command, values)
        except BROKEN as error:
            raise self.trouble(error) from error

    @contextmanager
    def transaction(self, kind: str = "IMMEDIATE", *, flush: bool = True) -> Iterator[None]:
        """All or nothing; ``DEFERRED`` for several reads of one state.

        Without `flush` a commit outlives this process at once, and a power failure only with the
        next commit that is flushed.
        """
        if self._network is None:  # a rollback journal is unsafe without
            now = flush and self._waiting is None
            self.rows(f"PRAGMA synchronous={'FULL' if now else 'NORMAL'}")
        self.rows(f"BEGIN {kind}")
        try:
            yield
            self.rows("COMMIT")
        except BaseException:
            with contextlib.suppress(sqlite3.Error):
                self._db.rollback()
            raise

    def trouble(self, error: Exception) -> StoreError:
        """Say in one line what an error of SQLite means for the user."""
        return self._moved() or trouble(self.path, error, PATIENCE)

    def damaged(self, what: str) -> StoreError:
        """Error of a file that is not what was written, with the way out."""
        return self._moved() or damaged(self.path, what)

    def _moved(self) -> StoreError | None:
        """Error of a file that was read only, and that another process has written meanwhile."""
        if self._seen is None or self._seen == looks(self.path):
            return None
        return StoreError(f"{self.path}: changed while it was read; give the same command again")

    # --- rows -------------------------------------------------------------------------------------

    def insert(self, row: Row) -> None:
        """Write one run, in place of an earlier one of its key; inside a transaction."""
        before = self.rows("SELECT checksum FROM runs WHERE key = ?", (row.key,))
        mark = row_checksum(row.key, row.status, row.details)
        self.rows(
            "INSERT OR REPLACE INTO runs VALUES (?, ?, ?, ?)",
            (row.key, row.status, row.details, mark),
        )
        self.rows(
            "INSERT OR REPLACE INTO details VALUES (?, ?, ?, ?, ?, ?)",
            (row.key, row.kind, row.packed_settings, row.seconds, row.versions, row.payload),
        )
        self.book(mark, *(checksum for (checksum,) in before))

    def delete(self, key: str) -> None:
        """Remove one run; inside a transaction."""
        before = self.rows("SELECT checksum FROM runs WHERE key = ?", (key,))
        self.rows("DELETE FROM runs WHERE key = ?", (key,))
        self.rows("DELETE FROM details WHERE key = ?", (key,))
        self.book(*(checksum for (checksum,) in before))

    def book(self, *checksums: str) -> None:
        """Enter rows that come or go into the ledger."""
        ((commits, digest),) = self.rows("SELECT commits, digest FROM ledger")
        self.rows(
            "UPDATE ledger SET commits = ?, digest = ?", (commits + 1, fold(digest, *checksums))
        )

    def statuses(self) -> dict[str, str]:
        """Status of every run by key, each row checked, and all of them against the ledger."""
        acknowledged = self.tally.commits()  # before the rows: another process may add to both
        found: dict[str, str] = {}
        total = 0
        with self.transaction("DEFERRED"):
            by_name = "SELECT key, status, details, checksum FROM runs"  # a name may be spoilt
            for key, status, details, checksum in self.each(by_name):
                if checksum != row_checksum(key, status, details):
                    raise self.damaged(f"run {key!r} is damaged (checksum)")
                found[key] = sys.intern(status)
                total ^= int(checksum, 16)
            ledger = self.rows("SELECT commits, digest FROM ledger")
        if len(ledger) != 1 or ledger[0][1] != f"{total:032x}":
            raise self.damaged(f"runs are missing; {len(found)} are left")
        if acknowledged > ledger[0][0]:
            raise self.damaged(f"the last {acknowledged - ledger[0][0]} commits are missing")
        return found

    def read(self, key: str) -> Row | None:
        """Return one run, checked; None if it is not there (any more)."""
        found = self.rows(
            "SELECT key, status, kind, settings, seconds, versions, payload, runs.details"
            " FROM runs LEFT JOIN details USING (key) WHERE key = ?", (key,)
        )  # fmt: skip
        if not found:
            return None
        *values, details = found[0]
        with contextlib.suppress(TypeError, AttributeError, ValueError):  # of values of other types
            row = Row.stored(*values)
            if row.details == details:
                return row
        raise self.damaged(f"run {key} is damaged (checksum)")

    # --- speed ------------------------------------------------------------------------------------

    def acknowledge(self, commits: int = 1) -> None:
        """Note commits in the tally, as soon as they are on disk."""
        if self._waiting is None:
            self.tally.add(commits)
        else:  # not on disk yet: `together` does it
            self._waiting += commits

    @contextmanager
    def together(self) -> Iterator[None]:
        """Wait for the disk once, in the end, not at each commit.

        Each commit inside survives the death of this process at once, and a loss of power from
        the end of the block on, where all are acknowledged.
        """
        if self._network is not None:
            yield
            return
        self._waiting = 0
        try:
            yield
        finally:
            count, self._waiting = self._waiting, None
            if count:
                with self.transaction():  # flushes the whole log
                    self.book()
                self.acknowledge(count + 1)
