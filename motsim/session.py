"""Sweeps run into one results folder by one command."""

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from motsim.backends import Backend
from motsim.experiments import kind_module
from motsim.kernel_cache import compiled_here
from motsim.plan import Cell, Sweep
from motsim.progress import Count, Progress
from motsim.runner import run_cells
from motsim.store import FAILED, Store
from motsim.tables import Tables, export

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
            return export(store, sweep, tier, cells, self.folder)

    def compute(self, sweep: Sweep, cells: Sequence[Cell], what: str) -> dict[str, str]:
        """Run what the store does not hold yet; return the error of every run that failed."""
        self.compute_together([(sweep, cells)], what, sweep.name)
        with Store(self.folder) as store:
            settled = store.settled()
            failed = [cell.key for cell in cells if settled.get(cell.key) in FAILED]
            return {run.key: run.result.metrics["error"] for run in store.read(failed)}

    def compute_together(
        self, planned: Sequence[tuple[Sweep, Sequence[Cell]]], what: str, name: str
    ) -> None:
        """Run what the store does not hold yet of some sweeps, as one queue under one name.

        The longest runs of all come first: no core waits while one sweep ends.
        """
        wanted: dict[str, Cell] = {}
        resumed = 0
        for sweep, cells in planned:
            new = {cell.key: cell for cell in cells}
            left = self.left(new.values())
            self.progress.say(
                f"{sweep.name} ({what}): {len(new)} runs, {len(new) - len(left)} finished before"
            )
            if left:
                self.compile(sweep)
            resumed += sum(key not in left and key not in wanted for key in new)
            wanted |= new
        left = self.left(wanted.values())
        if not left:
            return
        count = Count(name, self.backend.jobs, len(wanted), resumed)
        count.expect(list(left.values()))
        self.progress.start(count)
        try:
            run_cells(list(left.values()), self.folder, self.backend, self.progress.add)
        finally:
            self.progress.stop()

    def left(self, cells: Iterable[Cell]) -> dict[str, Cell]:
        """Cells that the store does not hold yet, by their keys."""
        wanted = {cell.key: cell for cell in cells}
        with Store(self.folder) as store:
            if self.retry_failed:
                store.forget_failures(wanted)
            settled = store.settled()
        return {key: cell for key, cell in wanted.items() if key not in settled}

    def compile(self, sweep: Sweep) -> None:
        """Compile before workers start, so that they all load one finished cache."""
        first = not compiled_here()
        if first:
            self.progress.say("compiling the kernels, once on this machine: about 20 s ...")
        begin = time.perf_counter()
        kind_module(sweep.file.kind).compile_kernels()
        if first:
            self.progress.say(f"compiled in {time.perf_counter() - begin:.0f} s")
