"""Whether another sweep still gives signs of life: judged by what is seen here, by no clock of its.

A count that moves is a sign. How long one has stood still is added up over looks, so that a
process that was stopped, or could not look, has not seen a silence.
"""

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from motsim.results.ownership import Owner, lives
from motsim.results.presence import is_marked, sees_locks

__all__ = ["BEAT", "Sight", "Standing", "Watch", "judge", "patience"]

BEAT = 2.0  # seconds between two signs, and between two looks
#: Seconds of silence after which an owner is taken for dead: where it would hold a lock that is
#: seen here if it lived, and where nothing but its signs can tell.
QUIET, SILENCE = 5.0, 30.0

#: alive: it is seen to live; gone: it has ended; silent: long enough to be taken for dead;
#: unsure: not yet; unknown: nothing will ever tell.
Standing = Literal["alive", "gone", "silent", "unsure", "unknown"]


@dataclass
class Sight:
    """What was seen of one count.

    Attributes
    ----------
    beat : int or None
        As last seen; None if it has none.
    silent, watched : float
        Seconds since it moved, and since it was first looked at.
    """

    beat: int | None
    silent: float = 0.0
    watched: float = 0.0


class Watch:
    """Counts of other sweeps, as seen over time; for several threads."""

    def __init__(self) -> None:
        self._sights: dict[str, Sight] = {}
        self._last: float | None = None
        self._lock = threading.Lock()

    def look(self, signs: Mapping[str, int | None], now: float) -> None:
        """Take note of the counts, at a time of this process's own steady clock."""
        with self._lock:
            passed = 0.0 if self._last is None else min(now - self._last, 2 * BEAT)
            self._last = now
            before, self._sights = self._sights, {name: Sight(beat) for name, beat in signs.items()}
            for name in before.keys() & signs.keys():
                sight = self._sights[name]
                sight.watched = before[name].watched + passed
                if sight.beat == before[name].beat:
                    sight.silent = before[name].silent + passed

    def sight(self, name: str) -> Sight:
        """Return what was seen of a name; nothing yet, if it is new."""
        with self._lock:
            return self._sights.get(name, Sight(None))


def patience(owner: Owner, folder: Path) -> float:
    """Seconds of silence after which an owner of another place is taken for dead."""
    seen = owner.shares_boot() and sees_locks(folder)
    return QUIET if seen and is_marked(folder, owner.marks) is False else SILENCE


def judge(owner: Owner, me: Owner, sight: Sight, folder: Path) -> Standing:
    """Say whether an owner lives."""
    found = lives(owner, me)
    if found or is_marked(folder, owner.marks):
        return "alive"
    if found is False:
        return "gone"
    if owner.older:
        return "unknown"
    return "silent" if sight.silent >= patience(owner, folder) else "unsure"
