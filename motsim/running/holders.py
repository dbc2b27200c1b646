"""Other processes that hold runs of a folder: named for people, and freed when they ask for it."""

import hashlib
import shlex
from collections import Counter
from pathlib import Path

from motsim.results.ownership import Owner, lives, myself
from motsim.results.presence import is_marked
from motsim.results.store import Store, StoreError
from motsim.running.watch import Sight, Standing

__all__ = ["counted", "free", "held_lines", "named", "tag", "way_out"]


def counted(number: int) -> str:
    """Say how many runs.

    >>> counted(1), counted(1200)
    ('1 run', '1,200 runs')
    """
    return f"{number:,} run{'s' * (number != 1)}"


def named(owner: Owner, me: Owner) -> str:
    """Say which process an owner is, as its own machine calls it."""
    if owner.older:
        where = "of an older motsim"
    elif owner.place == me.place:
        where = "of this machine"
    else:
        same = owner.shares_boot()
        where = "of this machine, in another name space" if same else "of another machine or start"
    return f"process {owner.pid} on {owner.host} ({where})"


def tag(owner: Owner) -> str:
    """Return eight digits by which a holder is freed."""
    return hashlib.blake2b(owner.signs.encode(), digest_size=4).hexdigest()


def call(owner: Owner, folder: Path) -> str:
    """Return the command that frees what an owner holds."""
    return f"python -m motsim.sweep --out {shlex.quote(str(folder))} --free {tag(owner)}"


def way_out(
    owner: Owner, me: Owner, standing: Standing, sight: Sight, patience: float, folder: Path
) -> str:
    """Say what shows that an owner lives, and how to have its runs."""
    if standing == "unknown":
        return f"nothing shows whether it lives; if it has ended: {call(owner, folder)}"
    if owner.place == me.place and standing == "alive":
        return f"it lives; to have them here, end it: kill {owner.pid}"
    if standing == "alive" and owner.shares_boot():
        return "it lives; to have them here, end it there"
    if standing == "alive" or (sight.watched > sight.silent and sight.silent < patience / 2):
        told = "it lives" if standing == "alive" else "it gives signs of life"
        return f"{told}; to have them here, end it there, and then: {call(owner, folder)}"
    return (
        f"no sign of life for {sight.silent:.0f} s: its runs are freed after {patience:.0f} s, or"
        f" at once by: {call(owner, folder)}"
    )


def held_lines(store: Store, folder: Path) -> list[str]:
    """Say in lines which other processes hold runs, dead ones left out."""
    me, sums, owners = myself(), Counter[str](), dict[str, Owner]()
    for name, keys in store.leases.others().items():
        if owner := Owner.parse(name):
            sums[owner.signs] += len(keys)
            owners[owner.signs] = owner
    return [
        f"{named(owner, me)} holds {counted(count)}: {state(owner, me, folder)}"
        for owner, count in ((owners[name], count) for name, count in sums.items())
    ]


def state(owner: Owner, me: Owner, folder: Path) -> str:
    """Say what one look tells of an owner."""
    if lives(owner, me) or is_marked(folder, owner.marks):
        return "it lives"
    return f"one look does not tell whether it lives; if it has ended: {call(owner, folder)}"


def free(folder: Path, wanted: str) -> str:
    """Take away what one holder has, whether or not it gives signs of life; say what was done.

    Raises
    ------
    StoreError
        If there is no such holder, or if this machine knows that it lives.
    """
    me = myself()
    if not (folder / "results.db").is_file():
        raise StoreError(f"{folder}: no results.db there")
    with Store(folder) as store, store.exclusive():
        freed, owner = 0, None
        for name, keys in store.leases.by_owner().items():
            found = Owner.parse(name)
            if found is None or tag(found) != wanted:
                continue
            owner = found
            here = lives(found, me)
            if here or (found.shares_boot() and is_marked(folder, found.marks)):
                raise StoreError(
                    f"{named(found, me)} lives, and holds runs in {folder}; end it first"
                )
            for key in keys:
                store.leases.drop(key)
            freed += len(keys)
    if owner is None:
        raise StoreError(
            f"{folder}: nobody called {wanted} holds a run there; `python -m motsim.sweep --status"
            f" --out {shlex.quote(str(folder))}` names who does"
        )
    return f"freed {counted(freed)} of {named(owner, me)}"
