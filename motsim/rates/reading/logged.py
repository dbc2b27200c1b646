"""Logged or not: an empty cell is a row that another column was for, or a NaN that pandas wrote."""

import numpy as np

from motsim.checks import listed

__all__ = ["trailing_empty"]


def trailing_empty(
    curve: np.ndarray, filled: np.ndarray, names: list[str]
) -> tuple[np.ndarray, list[str]]:
    """Return (which cells count as logged, notes).

    pandas writes NaN as an empty cell. Where a run has losses in every row up to some step and in
    none of the two or more rows after, the cells count as NaN, not as rows of another column.
    """
    if filled.all():
        return filled, []
    count = len(names)
    size = np.bincount(curve, minlength=count)
    full = np.bincount(curve[filled], minlength=count)
    row = np.arange(curve.size)
    last = np.full(count, -1)
    np.maximum.at(last, curve[filled], row[filled])
    first = np.full(count, curve.size)
    np.minimum.at(first, curve[~filled], row[~filled])
    ended = (full > 0) & (size - full >= 2) & (first > last)
    if not ended.any():
        return filled, []
    which = [name for name, end in zip(names, ended.tolist(), strict=True) if end]
    cells = int((size - full)[ended].sum())
    note = (
        f"{len(which)} of {count} runs ({listed(which, 3)}) have no loss from some step to their"
        f" end, and one in every row before: these {cells:,} cells count as NaN (diverged), as"
        " pandas writes it; cut the rows off if the runs just stopped."
    )
    return filled | ended[curve], [note]
