"""IOHprofiler: .dat files in which a header line starts each run."""

import json
import re
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from motsim.rates.reading.frames import FrameTable, frame_table
from motsim.rates.reading.refusal import ReadingError, short

__all__ = ["ioh_table", "is_ioh"]

WORDS = re.compile(r'"([^"]*)"|(\S+)')
HEADER = re.compile(
    r'\s*("function evaluation"|"?evaluations"?[ \t]+"?(raw_y|current_y|raw_y_best))'
)


def is_ioh(head: bytes) -> bool:
    """Tell whether a file starts with a header of IOHprofiler's.

    >>> is_ioh(b'"function evaluation" "best-so-far f(x)"'), is_ioh(b"evaluations raw_y")
    (True, True)
    """
    return HEADER.match(head[:400].decode("utf-8", "replace")) is not None


def ioh_table(name: str, path: Path, lines: Iterable[str]) -> FrameTable:
    """Return column run, and those of the header, of a .dat file."""
    import pandas as pd

    titles: list[str] = []
    rows: list[tuple[float, ...]] = []
    numbers: list[int] = []
    run = 0
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        if HEADER.match(line):
            new = [quoted or plain for quoted, plain in WORDS.findall(line)]
            if titles and new != titles:
                raise ReadingError(
                    f"{name}: row {number:,}: a header with other columns; split the file"
                )
            titles = new
            run += 1
            continue
        cells = line.split()
        try:
            values = [_number(cell) for cell in cells[: len(titles)]]
        except ValueError:
            wrong = next(i for i, cell in enumerate(cells) if not _is_number(cell))
            raise ReadingError(
                f"{name}: row {number:,}, column {titles[wrong]!r}: {short(cells[wrong])} is not"
                " a number"
            ) from None
        values += [np.nan] * (len(titles) - len(values))
        rows.append((run, *values))
        numbers.append(number)
    if not rows:
        raise ReadingError(f"{name}: only a header and no rows")
    frame = pd.DataFrame(rows, columns=["run", *titles])
    frame["run"] = frame["run"].astype(int)
    table = frame_table(name, frame, "ioh", np.array(numbers, dtype=np.int64))
    table.notes.append(
        "IOHprofiler: each header starts a run; a row is written when the best value improves"
        " by 1e-10 or more (unless told otherwise): T is exact down to eps of about 1e-9, and the"
        " last row is the end of the run."
    )
    maximized = _maximized(path)
    if maximized is not None:
        table.notes.append(f"Its .json says: {'maximized' if maximized else 'minimized'}.")
    table.rises = maximized
    return table


def _number(text: str) -> float:
    """Read a number; ioh 0.4 writes None for an infinite value."""
    return float("inf") if text == "None" else float(text)


def _is_number(text: str) -> bool:
    try:
        _number(text)
    except ValueError:
        return False
    return True


def _maximized(path: Path) -> bool | None:
    """Return what the experiment's .json beside the folder says, if there is one."""
    for beside in sorted(path.parent.parent.glob("IOHprofiler_*.json"))[:100]:
        try:
            told = json.loads(beside.read_text(encoding="utf-8"))
            paths = [scenario["path"] for scenario in told["scenarios"]]
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            continue
        if any(Path(there).parts[-2:] == path.parts[-2:] for there in paths):
            return bool(told.get("maximization"))
    return None
