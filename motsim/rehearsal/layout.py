"""A schedule as index arrays over the sample rows of one run."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from motsim.rehearsal.arguments import IntArray
from motsim.rehearsal.schedules import Schedule

__all__ = ["Layout", "sample_layout"]


class Layout(NamedTuple):
    """A schedule as index arrays over the sample rows of one run.

    `blocks` (B, 3): task, first row, rows; `fit_start` (F+1,) into blocks; `step_start` (T+1,) into
    fits; `rows`: sample rows of a run.
    """

    blocks: IntArray
    fit_start: IntArray
    step_start: IntArray
    rows: int

    @property
    def columns(self) -> IntArray:
        """Columns K of every fit, shape (fits,)."""
        sums = np.add.reduceat(self.blocks[:, 2], self.fit_start[:-1])
        return np.asarray(sums, dtype=np.int64)


def sample_layout(schedule: Schedule, stored: tuple[int, ...] | None) -> Layout:
    """Return the rows that each block uses: new ones, or with `stored` those of its task."""
    blocks: list[tuple[int, int, int]] = []
    fit_start, step_start = [0], [0]
    rows = 0
    home: list[int] = []  # first row of each task's own data, when it is replayed
    for t, step in enumerate(schedule):
        if stored is not None:
            home.append(rows)
            rows += stored[t]
        for fit in step:
            for task, samples in fit:
                if stored is not None:
                    blocks.append((task, home[task], samples))
                else:
                    blocks.append((task, rows, samples))
                    rows += samples
            fit_start.append(len(blocks))
        step_start.append(len(fit_start) - 1)
    return Layout(np.array(blocks, dtype=np.int64), np.array(fit_start), np.array(step_start), rows)
