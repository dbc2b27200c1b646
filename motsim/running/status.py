"""What is in a results folder."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import get_args

from motsim.plans.changes import Changes
from motsim.plans.loading import load_sweep, sweep_names
from motsim.plans.origins import origin_path
from motsim.plans.plan import Sweep, SweepError, Tier
from motsim.regular import read_json
from motsim.results.store import FAILED, Store, StoreError
from motsim.running.holders import held_lines

__all__ = ["describe"]

TIERS: tuple[Tier, ...] = get_args(Tier)


def describe(folder: Path, names: Sequence[str] = (), seed_start: int | None = None) -> list[str]:
    """Say in lines what a folder holds: runs a sweep, failures, size, versions, damage.

    Every run's checksum is verified. `names` limits the sweeps; default: all that have runs.
    `seed_start` as for `load_sweep`.

    Raises
    ------
    StoreError
        If there is no store, or it is damaged.
    SweepError
        If a named sweep does not exist.
    """
    path = folder / "results.db"
    if not path.is_file():
        raise StoreError(f"{folder}: no results.db there; a sweep with --out {folder} makes one")
    with Store(folder, read_only=True) as store:
        statuses = store.settled()
        running = store.under_way()
        holders = held_lines(store, folder)
        versions = store.versions()
    size = sum(part.stat().st_size for part in folder.glob("results.db*"))
    failed = sum(status in FAILED for status in statuses.values())
    lines = [
        f"{path}: {len(statuses):,} runs, {failed:,} failed, {len(running):,} under way,"
        f" {size / 1e6:,.1f} MB; all checksums are right",
        f"made with: {versions}" if versions else "made with: nothing yet",
        "",
        f"{'sweep':<22} {'tier':<6} {'planned':>8} {'finished':>8} {'failed':>7} {'under way':>9}",
    ]
    known: set[str] = set()
    for sweep in _sweeps(folder, names, seed_start):
        for tier in TIERS:
            keys = {cell.key for cell in sweep.cells(tier)}
            found = Counter(statuses[key] in FAILED for key in keys & statuses.keys())
            busy = len(keys & running)
            known |= keys
            if found or busy or names:
                lines.append(
                    f"{sweep.table:<22} {tier:<6} {len(keys):>8,} {found[False]:>8,}"
                    f" {found[True]:>7,} {busy:>9,}"
                )
    other = len(statuses.keys() - known)
    if other:
        lines.append(
            f"{other:,} runs are of none of these sweeps: other settings or seeds, older code, or"
            " kinds or data of your own, whose files are to be named"
        )
    return [*lines, *holders]


def _sweeps(folder: Path, names: Sequence[str], seed_start: int | None) -> Iterator[Sweep]:
    """Sweeps that were named; else those that come with motsim and those with tables here."""
    if names or seed_start is not None:
        yield from (load_sweep(name, seed_start) for name in names or sweep_names())
        return
    shipped = sweep_names()
    asked: dict[tuple[str, str], Changes] = {(name, ""): Changes() for name in shipped}
    for path in sorted(folder.glob("*.json")):
        try:
            meta = read_json(path)
            origin = origin_path(meta["file"], folder)
            changes = Changes.described(path.stem, meta)
            if not (changes.sets or changes.cases):  # fewer seeds of the file's own settings
                changes = replace(changes, seeds=None)
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            continue
        if changes != Changes() or origin.stem not in shipped:
            asked[str(origin), changes.options] = changes
    for (name, _), changes in asked.items():
        try:
            sweep = load_sweep(name, changes=changes, trusted=False)
            # A file that the user did not name runs no code of its own, and opens no data.
            if not (sweep.own_kind or sweep.opens_data):
                yield sweep
        except SweepError:  # moved or changed since; its runs count as those of no sweep
            continue
