"""Which process runs what: leases on runs, and the signs of life of the sweeps that hold them.

A sign of life is a count in the store that a sweep raises every few seconds. It is written without
waiting for the disk, and compared with nobody's clock (`motsim.running.watch`).
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path

from motsim.results.database import Database
from motsim.results.ownership import Owner, lives, myself
from motsim.results.presence import Presence, is_marked

__all__ = ["MAX_TRIES", "Leases", "WorkerDiedError", "is_gone"]

MAX_TRIES = 2  # of a run whose worker dies
#: Made by the first sweep that gives signs of life, so that older files need no migration.
SIGNS = """CREATE TABLE IF NOT EXISTS signs (
    name TEXT PRIMARY KEY, beat INTEGER NOT NULL
) WITHOUT ROWID"""


class WorkerDiedError(RuntimeError):
    """A run has killed its worker too often to be tried again."""


def is_gone(name: str, me: Owner, folder: Path) -> bool:
    """Whether an owner has certainly ended, or its name is a damaged one."""
    owner = Owner.parse(name)
    if owner is None:
        return True
    # A mark outweighs the table of processes, which may be hidden from other users.
    return lives(owner, me) is False and not is_marked(folder, owner.marks[:1])


class Leases:
    """The leases in one store, and the signs of life there.

    Parameters
    ----------
    database : Database
    sweep : str
        A `sweep_id`: who gives signs of life for the leases that are made here.
    """

    def __init__(self, database: Database, sweep: str = "") -> None:
        self._db = database
        self.folder = database.path.parent
        self.me = myself(sweep)
        self._presence: Presence | None = None

    def close(self) -> None:
        """Give up nothing; but this process need not be there for what it has claimed here."""
        if self._presence:
            self._presence.close()

    def take(self, key: str) -> bool:
        """Lease a run, inside a transaction; False if another process has it.

        Raises
        ------
        WorkerDiedError
            If two earlier owners died while running it.
        """
        held = self._db.rows("SELECT owner, tries FROM claims WHERE key = ?", (key,))
        owner, tries = held[0] if held else (str(self.me), 0)
        if owner != str(self.me) and not self._gone(str(owner)):
            return False
        if tries >= MAX_TRIES:
            raise WorkerDiedError(f"{tries} workers died while running this")
        if self._presence is None:
            self._presence = Presence(self.folder, self.me.marks[:1])
        lease = (key, str(self.me), tries + 1)
        self._db.rows("INSERT OR REPLACE INTO claims VALUES (?, ?, ?)", lease)
        return True

    def release(self) -> None:
        """Give up every lease of this process, without counting a try."""
        with self._db.transaction(flush=False):
            self._db.rows("DELETE FROM claims WHERE owner = ?", (str(self.me),))

    def drop(self, key: str) -> None:
        """Forget whose a run was; inside a transaction."""
        self._db.rows("DELETE FROM claims WHERE key = ?", (key,))

    def by_owner(self) -> dict[str, list[str]]:
        """Return the keys that each owner holds, dead or alive."""
        found = defaultdict(list)
        for key, owner in self._db.rows("SELECT key, owner FROM claims ORDER BY key"):
            found[str(owner)].append(key)
        return dict(found)

    def gone(self) -> set[str]:
        """Keys of runs whose owner has certainly ended."""
        return {key for owner, keys in self.by_owner().items() if self._gone(owner) for key in keys}

    def others(self) -> dict[str, list[str]]:
        """Return the keys that owners outside this sweep hold, unless they have certainly ended."""
        return {
            owner: keys for owner, keys in self.by_owner().items() if not self._mine_or_gone(owner)
        }

    def _gone(self, owner: str) -> bool:
        return is_gone(owner, self.me, self.folder)

    def _mine_or_gone(self, name: str) -> bool:
        owner = Owner.parse(name)
        mine = owner is not None and owner.place == self.me.place and owner.sweep == self.me.sweep
        return (mine and self.me.sweep != "") or name == str(self.me) or self._gone(name)

    # --- signs of life ----------------------------------------------------------------------------

    def hurry(self, seconds: float) -> None:
        """Wait no longer than this for other writers."""
        self._db.rows(f"PRAGMA busy_timeout={int(1000 * seconds)}")

    def give_sign(self) -> dict[str, int]:
        """Give one for this sweep; return all that are there.

        Both in one transaction: who cannot write for a while does not take others, which cannot
        write either, for silent.
        """
        with self._db.transaction(flush=False):
            self._db.rows(SIGNS)
            self._db.rows(
                "INSERT INTO signs VALUES (?, 1) ON CONFLICT(name) DO UPDATE SET beat = beat + 1",
                (self.me.signs,),
            )
            return dict(self._db.rows("SELECT name, beat FROM signs"))

    def free(self, owners: Iterable[str], signs: Mapping[str, int | None]) -> dict[str, int]:
        """Take runs from owners that have given no sign since these; count them by owner."""
        freed = {}
        with self._db.transaction():
            silent = {name for name, beat in signs.items() if self._sign(name) == beat}
            for name in owners:
                owner = Owner.parse(name)
                if owner is not None and owner.signs in silent:
                    held = self._db.rows("SELECT count(*) FROM claims WHERE owner = ?", (name,))
                    self._db.rows("DELETE FROM claims WHERE owner = ?", (name,))
                    freed[name] = int(held[0][0])
            for name in silent:
                if signs[name] is not None:
                    self._db.rows("DELETE FROM signs WHERE name = ?", (name,))
        return freed

    def _sign(self, name: str) -> int | None:
        if not self._db.rows("SELECT 1 FROM sqlite_master WHERE name = 'signs'"):
            return None
        found = self._db.rows("SELECT beat FROM signs WHERE name = ?", (name,))
        return int(found[0][0]) if found else None

    def end(self) -> bool:
        """Forget what dead workers of this sweep held, and its signs; False if some still live."""
        left = False
        with self._db.transaction(flush=False):
            for name in self.by_owner():
                owner = Owner.parse(name)
                if owner is None or owner.signs != self.me.signs:
                    continue
                if name == str(self.me) or self._gone(name):
                    self._db.rows("DELETE FROM claims WHERE owner = ?", (name,))
                else:
                    left = True
            if not left:
                self._db.rows("DELETE FROM signs WHERE name = ?", (self.me.signs,))
        return not left
