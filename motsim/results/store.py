"""Finished runs on disk: one SQLite file a results folder, one transaction a run.

A run is found by a key over its complete settings and the science code, so a changed setting or a
changed kernel never meets an old result. `motsim.results.database` keeps the file.
"""

import json
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from motsim import __version__
from motsim.experiments.result import STATUSES, Result
from motsim.mixture.status import Status
from motsim.plans.keys import run_key
from motsim.results.content import FAILED, ContentError, decompressed, packed, unpacked
from motsim.results.database import SCHEMA, Database, Row, StoreError, check_folder
from motsim.results.leases import MAX_TRIES, Leases, WorkerDiedError

__all__ = [
    "FAILED",
    "MAX_TRIES",
    "SCHEMA",
    "FinishedRun",
    "Store",
    "StoreError",
    "WorkerDiedError",
    "check_folder",
    "run_key",
    "versions_here",
]

FINISHED = STATUSES
MOST_VERSIONS = 10  # that are told


@dataclass(frozen=True)
class FinishedRun:
    """One stored run."""

    key: str
    status: str
    result: Result
    seconds: float
    versions: dict[str, str]


class Store:
    """The results database of one folder; use as a context manager.

    Parameters
    ----------
    folder : Path
        Made if missing; the file is ``results.db`` inside.
    read_only : bool
        Nothing in the folder is changed, and it need not be writable; the file must be there.
    sweep : str
        Who gives signs of life for what is claimed here; a `motsim.results.ownership.sweep_id`.

    Raises
    ------
    StoreError
        If the folder cannot be written or the file is not a store of this schema.
    """

    def __init__(self, folder: Path, *, read_only: bool = False, sweep: str = "") -> None:
        if not read_only:
            check_folder(folder)
        self.path = folder / "results.db"
        self._db = Database(self.path, read_only=read_only)
        self.leases = Leases(self._db, sweep)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.leases.close()
        self._db.close()

    def commit(
        self,
        key: str,
        kind: str,
        settings: dict[str, Any],
        result: Result,
        seconds: float,
        versions: dict[str, str] | None = None,
    ) -> None:
        """Write one finished run in one transaction; on return it is on disk (see `together`).

        `versions` are those of the libraries where it was computed, if not in this process.

        A failure replaces no finished run: its owner was silent for long, and another computed it.
        """
        try:
            payload = packed(result)
        except ContentError as error:
            result = Result(Status.ERROR, {"error": str(error)})
            payload = packed(result)
        stored = json.dumps(versions or versions_here())
        row = Row(
            key, str(result.status), kind, json.dumps(settings), float(seconds), stored, payload
        )
        with self._db.transaction():
            before = self._db.rows("SELECT status FROM runs WHERE key = ?", (key,))
            counts = not before or before[0][0] in FAILED or result.status in FINISHED
            if counts:
                self._db.insert(row)
            self.leases.drop(key)
        if counts:
            self._db.acknowledge()

    def merge(self, other: "Store") -> int:
        """Copy the runs of another store that are not finished here; return how many.

        All in one transaction. A failed run replaces nothing.

        Raises
        ------
        StoreError
            If either store is damaged, or a run that is finished in both has two results.
        """
        count = 0
        with self._db.transaction():
            for key, status in other.settled().items():
                theirs, mine = other._db.read(key), self._db.read(key)
                if theirs is None:
                    continue
                if mine is None or (mine.status in FAILED and status not in FAILED):
                    other._unpacked(theirs)  # what cannot be read there is not taken over
                    self._db.insert(theirs)
                    count += 1
                elif status not in FINISHED or mine.status not in FINISHED:
                    continue
                elif not self._agree(mine, theirs, other):
                    raise StoreError(
                        f"run {key} has one result in {self.path} and another in {other.path};"
                        " two kinds of processor may differ in the last digit: leave one of the"
                        " folders out"
                    )
        if count:  # each run is one entry of the ledger; an empty share makes none
            self._db.acknowledge(count)
        return count

    def lease(self, key: str) -> bool:
        """Take a run for this process; False if it has ended, or another process has it.

        Raises
        ------
        WorkerDiedError
            If two earlier owners died while running it.
        """
        with self._db.transaction(flush=False):
            # A failed run too: of two starts, the second must not try what the first has tried.
            ended = self._db.rows("SELECT 1 FROM runs WHERE key = ?", (key,))
            return not ended and self.leases.take(key)

    def suspects(self) -> set[str]:
        """Keys of unfinished runs whose owner died: one of them may kill its worker."""
        return self.leases.gone()

    def release(self) -> None:
        """Give up every claim of this process, without counting a try."""
        self.leases.release()

    def forget_failures(self, keys: Iterable[str]) -> int:
        """Delete the failed runs among these keys so that they run again; return how many.

        What a process holds that may live stays with it.
        """
        gone = 0
        with self._db.transaction():
            dead = self.suspects()
            for key in keys:
                found = self._db.rows("SELECT status FROM runs WHERE key = ?", (key,))
                if found and found[0][0] in FAILED:
                    self._db.delete(key)
                    gone += 1
                if key in dead:
                    self.leases.drop(key)
        return gone

    def exclusive(self) -> AbstractContextManager[None]:
        """Keep every other writer of this folder out for a moment."""
        return self._db.transaction(flush=False)

    def settled(self) -> dict[str, str]:
        """Status of every run that is finished or has failed, by key.

        Raises
        ------
        StoreError
            If a run is damaged or missing.
        """
        return self._db.statuses()

    def read(self, keys: Iterable[str]) -> Iterator[FinishedRun]:
        """Yield the stored runs of these keys, in their order; absent ones are passed over.

        Raises
        ------
        StoreError
            If a run is damaged or missing.
        """
        keys = list(keys)
        here = self.settled() if keys else {}
        for key in keys:
            row = self._db.read(key) if key in here else None
            if row is not None:
                result, versions = self._unpacked(row)
                yield FinishedRun(key, row.status, result, row.seconds, versions)

    def _agree(self, mine: Row, theirs: Row, other: "Store") -> bool:
        if mine.payload != theirs.payload:  # zlib of another version?
            self._unpacked(mine)
            other._unpacked(theirs)
        return mine.status == theirs.status and (
            mine.payload == theirs.payload
            or decompressed(mine.payload) == decompressed(theirs.payload)
        )

    def _unpacked(self, row: Row) -> tuple[Result, dict[str, str]]:
        try:
            return unpacked(row)
        except ContentError as error:
            raise self._db.damaged(
                f"run {row.key} cannot be read, though its checksum is right ({error})"
            ) from error

    def forget_dead(self) -> None:
        """Forget the claims of dead owners: a killed sweep is no fault of the runs in it."""
        with self._db.transaction():
            for key in self.suspects():
                self.leases.drop(key)

    def under_way(self) -> set[str]:
        """Keys of the runs that processes hold which have not certainly ended."""
        return {key for keys in self.leases.others().values() for key in keys}

    def together(self) -> AbstractContextManager[None]:
        """Return a context in which commits wait for the disk once, in the end."""
        return self._db.together()

    def versions(self) -> str:
        """Say which versions of the libraries made the runs, the most frequent first."""
        rows = self._db.rows(
            "SELECT versions, COUNT(*) FROM details GROUP BY versions ORDER BY 2 DESC"
        )
        return "; ".join(
            ", ".join(f"{name} {number}" for name, number in self._parsed(text).items())
            + (f" ({count:,} runs)" if len(rows) > 1 else "")
            for text, count in rows[:MOST_VERSIONS]
        ) + (f"; and {len(rows) - MOST_VERSIONS:,} more" if len(rows) > MOST_VERSIONS else "")

    def _parsed(self, text: str) -> dict[str, str]:
        try:
            return dict(json.loads(text))
        except (ValueError, TypeError, RecursionError) as error:
            raise self._db.damaged(
                f"a run has versions that cannot be read, though its checksum is right ({error})"
            ) from error


@cache
def versions_here() -> dict[str, str]:
    """Versions of the libraries that runs of this process are made with."""
    found = {name: version(name) for name in ("numpy", "numba", "scipy")}
    return {"motsim": __version__, **found}
