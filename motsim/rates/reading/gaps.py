"""Gaps: how well the first passage is known from rows that are some steps apart."""

import numpy as np

from motsim.rates.reading import names
from motsim.rates.reading.curves import Curves

__all__ = ["gap_notes"]


def gap_notes(curves: Curves) -> list[str]:
    """Return what the spacing of the logged rows does to T(eps)."""
    frame = curves.frame
    loss = frame["loss"].to_numpy()
    logged = ~np.isnan(loss)
    if not logged.all():
        frame, loss = frame[logged], loss[logged]
    run, group = (frame[name].cat.codes.to_numpy() for name in ("run", "group"))
    same = (run[1:] == run[:-1]) & (group[1:] == group[:-1])
    step = frame["step"].to_numpy()
    gaps = np.diff(step)[same]
    if not gaps.size:
        return []
    change = np.diff(loss)[same] if "best" in names.plain(curves.loss_column) else None
    if change is not None and gaps.max() > gaps.min() and _one_way(change):
        return [
            "Every row improves on the one before, at uneven steps: rows are written at"
            " improvements only. T is exact, and the budget is not in the file."
        ]
    if curves.kind in ("coco", "ioh"):
        return []
    middle, largest = float(np.median(gaps)), float(gaps.max())
    if largest <= 1 and middle == largest and bool((step == np.round(step)).all()):
        return []  # every step is there
    if middle == largest:
        return [f"Rows are {middle:,g} {curves.step_column} apart: T is known to that gap."]
    return [
        f"Rows are {middle:,g} {curves.step_column} apart (median; at most {largest:,g}): T is"
        " known to the gap."
    ]


def _one_way(change: np.ndarray) -> bool:
    return bool((change > 0).all() or (change < 0).all())
