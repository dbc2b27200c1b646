"""Gives signs of life of a sweep while it runs, and watches for those of others that hold runs."""

import contextlib
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from motsim.results.ownership import Owner, myself, sweep_id
from motsim.results.presence import Presence
from motsim.results.store import Store, StoreError
from motsim.running.holders import counted, named, way_out
from motsim.running.watch import BEAT, Standing, Watch, judge, patience

__all__ = ["Keeper"]

TELL, AGAIN = 3.0, 60.0  # seconds of waiting before a line, and between two lines
HURRY = 1.0  # seconds that a sign waits for other writers; the next one comes soon
FAREWELL = 2.0  # seconds for this sweep's workers to end


class Keeper:
    """A sweep under way in one folder; use as a context manager.

    Signs are given by a thread. Where compiled code keeps it from running, the lock that this
    process holds still shows that it lives (`motsim.results.presence`).

    Parameters
    ----------
    folder : Path
    tell : callable
        Told in lines for whom this sweep waits, and whose runs it takes.
    """

    def __init__(self, folder: Path, tell: Callable[[str], object]) -> None:
        self.folder = folder
        self.sweep = sweep_id()
        self.me = myself(self.sweep)
        self._tell = tell
        self._watch = Watch()
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._live, name="motsim-keeper", daemon=True)
        self._since: float | None = None
        self._told: tuple[float, frozenset[str]] = (0.0, frozenset())

    def __enter__(self) -> Self:
        self._presence = Presence(self.folder, self.me.marks[:1])
        try:
            with self.store() as store:
                self._look(store)  # before the first claim; refused here, like any other write
        except BaseException:
            self._presence.close()
            raise
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._ending.set()
        self._thread.join(2 * HURRY)
        deadline = time.monotonic() + FAREWELL
        with contextlib.suppress(OSError), self.store() as store:  # a disk may be full, or gone
            while not store.leases.end() and time.monotonic() < deadline:
                time.sleep(0.05)  # a worker that was told to end
        self._presence.close()

    def store(self) -> Store:
        """Open the store, to claim runs for this sweep."""
        return Store(self.folder, sweep=self.sweep)

    def _live(self) -> None:
        with contextlib.ExitStack() as stack:
            store: Store | None = None
            while not self._ending.wait(BEAT):
                with contextlib.suppress(OSError):  # busy, or full: the next look may succeed
                    if store is None:
                        store = stack.enter_context(self.store())
                        store.leases.hurry(HURRY)
                    self._look(store)

    def _look(self, store: Store) -> None:
        signs: dict[str, int | None] = {**store.leases.give_sign()}
        for name in store.leases.others():
            if owner := Owner.parse(name):
                signs.setdefault(owner.signs, None)
        signs.pop(self.me.signs, None)
        self._watch.look(signs, time.monotonic())

    def _verdict(self, owner: Owner) -> Standing:
        return judge(owner, self.me, self._watch.sight(owner.signs), self.folder)

    def held(self, store: Store) -> dict[str, Owner]:
        """Return the runs that others hold, by key, after taking those of silent owners."""
        held: dict[str, Owner] = {}
        silent: dict[str, Owner] = {}
        for name, keys in store.leases.others().items():
            owner = Owner.parse(name)
            if owner is not None and self._verdict(owner) == "silent":
                silent[name] = owner
            elif owner is not None:
                held |= dict.fromkeys(keys, owner)
        if silent:
            self._free(store, silent)
        return held

    def _free(self, store: Store, silent: Mapping[str, Owner]) -> None:
        """Take what silent owners hold, and tell of each sweep once."""
        sights = {owner.signs: self._watch.sight(owner.signs) for owner in silent.values()}
        sums, owners = Counter[str](), {owner.signs: owner for owner in silent.values()}
        signs = {name: sight.beat for name, sight in sights.items()}
        for name, count in store.leases.free(silent, signs).items():
            sums[silent[name].signs] += count
        for name, count in sums.items():
            self._tell(
                f"freed {counted(count)} of {named(owners[name], self.me)}: no sign of life for"
                f" {sights[name].silent:.0f} s"
            )

    def wait(self, held: Mapping[str, Owner], seconds: float, *, only: bool) -> None:
        """Wait for others for a while; say for whom, in time and not too often.

        Raises
        ------
        StoreError
            If there is nothing to do but this, and nothing will ever tell whether they live.
        """
        owners = {owner.signs: owner for owner in held.values()}
        counts = {name: sum(o.signs == name for o in held.values()) for name in owners}
        standings = {name: self._verdict(owner) for name, owner in owners.items()}
        if only and set(standings.values()) == {"unknown"}:
            raise StoreError(
                "; ".join(
                    f"{self.folder}: {self._line(owner, counts[name], standings[name])}"
                    for name, owner in owners.items()
                )
            )
        now = time.monotonic()
        self._since = now if self._since is None else self._since
        last, names = self._told
        due = now - last >= AGAIN or names != owners.keys()
        if now - self._since >= TELL and due:
            self._told = now, frozenset(owners)
            for name, owner in owners.items():
                self._tell(f"waiting: {self._line(owner, counts[name], standings[name])}")
        time.sleep(seconds)

    def working(self) -> None:
        """Note that there is something to do."""
        self._since = None

    def _line(self, owner: Owner, count: int, standing: Standing) -> str:
        sight = self._watch.sight(owner.signs)
        told = way_out(owner, self.me, standing, sight, patience(owner, self.folder), self.folder)
        holder = f"{named(owner, self.me)} holds {counted(count)}"
        return f"{holder}, seen for {sight.watched:.0f} s: {told}"
