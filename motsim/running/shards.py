"""A sweep over machines that share nothing: each takes a share of the runs; stores are merged."""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from motsim.plans.plan import Cell
from motsim.results.store import Store, StoreError

__all__ = ["Shard", "collect"]


@dataclass(frozen=True)
class Shard:
    """Share `number` (from 1) of `shares` of a sweep."""

    number: int
    shares: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``i/n``.

        >>> Shard.parse("2/3")
        Shard(number=2, shares=3)
        """
        first, _, second = text.partition("/")
        if first.isascii() and first.isdigit() and second.isascii() and second.isdigit():
            found = cls(int(first[:9]), int(second[:9]))
            if 1 <= found.number <= found.shares:
                return found
        raise argparse.ArgumentTypeError(f"must be i/n with 1 <= i <= n, such as 1/4; got {text!r}")

    def cells(self, cells: Sequence[Cell]) -> list[Cell]:
        """Return the runs of this share: it follows the key, so every order gives the same."""
        return [c for c in cells if int(c.key, 16) % self.shares == self.number - 1]

    def __str__(self) -> str:
        """As it was written."""
        return f"{self.number}/{self.shares}"


def collect(sources: Sequence[Path], folder: Path) -> int:
    """Copy the runs of other stores into the one of a folder; return how many were new.

    A failed run never replaces a finished one. A second call changes nothing.

    Raises
    ------
    StoreError
        If one is no store, is damaged, or holds another result of a run that is finished in
        both. What came from the stores before it is kept.
    """
    folders = [source.parent if source.name == "results.db" else source for source in sources]
    for source in folders:
        if not (source / "results.db").is_file():
            raise StoreError(
                f"{source}: no results.db there to collect (names of sweeps go before --collect)"
            )
    new = 0
    with Store(folder) as store:
        for source in folders:
            if source.resolve() != folder.resolve():
                with Store(source, read_only=True) as other:
                    new += store.merge(other)
    return new
