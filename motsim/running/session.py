"""Sweeps run into one results folder by one command."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from motsim.experiments.protocol import Kind
from motsim.plans.plan import Cell, Sweep
from motsim.results.export import export
from motsim.results.store import FAILED, Store
from motsim.results.tables import Tables
from motsim.running.backends import Backend
from motsim.running.progress import Count, Progress
from motsim.running.runner import run_cells

__all__ = ["Session"]


@dataclass(frozen=True)
class Session:
    """What the sweeps of one call share.

    Attributes
    ----------
    folder : Path
        Of the results.
    backend : Backend
    progress : Progress
    retry_failed : bool
        Whether runs that failed before are run again.
    """

    folder: Path
    backend: Backend
    progress: Progress
    retry_failed: bool = False

    def tables(self, sweep: Sweep, cells: Sequence[Cell], tier: str) -> Tables:
        """Run what the store does not hold yet; export and return the tables."""
        self.compute(sweep, cells, f"{tier} tier")
        with Store(self.folder) as store:
            return export(store, sweep, tier, cells, self.folder, self.progress.notice)

    def compute(self, sweep: Sweep, cells: Sequence[Cell], what: str) -> dict[str, str]:
        """Run what the store does not hold yet; return the error of every run that failed."""
        wanted = {cell.key for cell in cells}
        self.run(sweep.name, len(wanted), self.prepare(sweep, cells, what))
        with Store(self.folder) as store:
            settled = store.settled()
            failed = [key for key in wanted if settled.get(key) in FAILED]
            return {run.key: run.result.metrics["error"] for run in store.read(failed)}

    def prepare(self, sweep: Sweep, cells: Sequence[Cell], what: str) -> dict[str, Cell]:
        """Return the cells that the store does not hold yet, by key; compile what they need.

        Raises
        ------
        MissingExtraError
            If something is left to run, and the kind's extra is not installed.
        """
        wanted = {cell.key: cell for cell in cells}
        with Store(self.folder) as store:
            if self.retry_failed:
                store.forget_failures(wanted)
            settled = store.settled()
        left = {key: cell for key, cell in wanted.items() if key not in settled}
        self.progress.say(
            f"{sweep.name} ({what}): {len(wanted)} runs, {len(wanted) - len(left)} finished before"
        )
        if left:
            self._compile(sweep.kind)
        return left

    def run(self, name: str, total: int, left: Mapping[str, Cell]) -> None:
        """Run what is left of `total` runs, of one sweep or several: one queue, one count."""
        if not left:
            return
        cells = list(left.values())
        count = Count(name, self.backend.jobs, total, total - len(cells))
        count.expect(cells)
        self.progress.start(count)
        try:
            run_cells(cells, self.folder, self.backend, self.progress.add, self.progress.notice)
        finally:
            self.progress.stop()

    def _compile(self, kind: Kind) -> None:
        """Compile before workers start what they do not compile together, each a share."""
        if not (kind.compiles or kind.compiles_in_workers):
            return  # and numba is not loaded
        from motsim.vectors.compiling import compiled_here

        first = not compiled_here()
        if first and kind.compiles_in_workers:
            self.progress.say("compiling the kernels, once on this machine, as runs need them ...")
        if not kind.compiles:
            return
        if first:
            self.progress.say("compiling the kernels, once on this machine: about 20 s ...")
        begin = time.perf_counter()
        kind.compile_kernels()
        if first:
            self.progress.say(f"compiled in {time.perf_counter() - begin:.0f} s")
