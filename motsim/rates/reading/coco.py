"""COCO: the .dat and .tdat files that coco-experiment writes, one header line a run."""

import math
import re
from collections.abc import Iterable
from itertools import pairwise

import numpy as np

from motsim.rates.reading.frames import FrameTable, frame_table
from motsim.rates.reading.refusal import ReadingError, short

__all__ = ["coco_table", "is_coco"]

HEADER = re.compile(r"% *(f evaluations|function evaluation)\b.*Fopt", re.IGNORECASE)
LEAST = 1e-8
"""COCO's final target."""
GRIDS = (100, 50, 25, 20, 10, 5, 4, 2, 1)
"""Targets a decade that an observer may be told to watch; 100 unless told."""


def is_coco(head: bytes) -> bool:
    """Tell whether a file starts with COCO's header.

    >>> is_coco(b"% f evaluations | g evaluations | best noise-free fitness - Fopt (1.0e+00) ...")
    True
    """
    return HEADER.match(head[:400].decode("utf-8", "replace")) is not None


def coco_table(name: str, lines: Iterable[str]) -> FrameTable:
    """Return columns run, evaluations and suboptimality of a .dat or .tdat file.

    The last line of a run is written when its budget ends. Its value was first reached there only
    if it passes a target that the line before had not passed: targets are logged when they are
    passed. Otherwise the value is taken back to that of the line before: the budget stays, and no
    false hit.
    """
    import pandas as pd

    runs: list[list[tuple[int, float, float]]] = []
    gap = 2
    for number, line in enumerate(lines, 1):
        if line.startswith("%"):
            if HEADER.match(line):
                runs.append([])
                titles = [title.strip() for title in line.lstrip("% ").split("|")]
                gap = next((i for i, title in enumerate(titles) if "Fopt" in title), 2)
            continue
        cells = line.split()
        if not cells:
            continue
        try:
            runs[-1].append((number, float(cells[0]), float(cells[gap])))
        except (ValueError, IndexError):
            raise ReadingError(
                f"{name}: row {number:,}: {short(line.strip())} is no line of COCO's:"
                " evaluations, g evaluations, best - Fopt, ..."
            ) from None
    full = [run for run in runs if run]
    if not full:
        raise ReadingError(f"{name}: COCO headers only: no run wrote a line")
    timed = name.endswith((".tdat", ".tdat.gz"))
    per_decade = _grid(full)
    false = 0
    for run in full if not timed else ():
        if len(run) > 1 and not _passes(run[-2][2], run[-1][2], per_decade):
            number, evaluations, _ = run[-1]
            false += run[-1][2] < run[-2][2]
            run[-1] = (number, evaluations, run[-2][2])
    frame = pd.DataFrame(
        [
            (str(i), evaluations, value)
            for i, run in enumerate(full, 1)
            for _, evaluations, value in run
        ],
        columns=["run", "evaluations", "suboptimality"],
    )
    numbers = np.array([number for run in full for number, _, _ in run], dtype=np.int64)
    table = frame_table(name, frame, "coco", numbers)
    table.notes.append(
        "COCO: eps = best noise-free value - Fopt; each header starts a run (an instance of its"
        " own, taken as a seed)."
    )
    if timed:
        table.notes.append(
            "A .tdat file is written at given evaluations: T is known to the gap between lines;"
            " the .dat file beside it has the evaluation at which each target was passed."
        )
    table.notes.append(
        "The last line of a run is the end of its budget, no target: kept as the budget"
        + (f"; {false} of {len(full)} had a lower value there, which is no hit." if false else ".")
    )
    return table


def _passes(old: float, new: float, per_decade: int) -> bool:
    """Tell whether a target 10^(k / per_decade) lies between two values."""
    if not new < old:
        return False
    if new <= LEAST:
        return old > LEAST
    return math.ceil(per_decade * math.log10(new) - 1e-9) < math.ceil(
        per_decade * math.log10(old) - 1e-9
    )


def _grid(runs: list[list[tuple[int, float, float]]]) -> int:
    """Return how many targets a decade the lines speak of: each of them passes one."""
    pairs = [(old[2], new[2]) for run in runs for old, new in pairwise(run[:-1]) if new[2] < old[2]]
    for per_decade in reversed(GRIDS):
        if all(_passes(old, new, per_decade) for old, new in pairs):
            return per_decade
    return GRIDS[0]
