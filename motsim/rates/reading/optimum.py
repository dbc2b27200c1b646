"""Optimum: a quantity that is maximized becomes a distance to its optimum."""

import math

import numpy as np

from motsim.rates.reading import names
from motsim.rates.reading.curves import Curves
from motsim.rates.reading.refusal import ReadingError

__all__ = ["below_optimum"]


def below_optimum(name: str, curves: Curves, optimum: float | None, rises: bool | None) -> Curves:
    """Return curves of optimum - value where the value is one to maximize.

    Parameters
    ----------
    name : str
        The file, for messages.
    curves : Curves
        As read.
    optimum : float or None
        Its optimum; None: the value at which several runs end, if it is the largest.
    rises : bool or None
        Whether the file says that the value is to be maximized.
    """
    frame = curves.frame
    loss = frame["loss"].to_numpy()
    if optimum is None:
        if curves.kind == "benchopt" or rises is False or not (rises or _maximized(curves)):
            return curves
        optimum, note = _common_end(name, curves)
    else:
        if not math.isfinite(optimum):
            raise ReadingError(f"{name}: --optimum {optimum} is not finite")
        note = f"The optimum was given: eps = {optimum:g} - {curves.loss_column}."
    above = loss > optimum
    if above.any():
        at = int(above.argmax())
        raise ReadingError(
            f"{name}: row {int(frame['row'].iloc[at]):,}, column {curves.loss_column!r}:"
            f" {loss[at]:g} is above the optimum {optimum:g}; for a loss that falls, give its"
            " --floor instead"
        )
    frame = frame.assign(loss=optimum - loss)
    return Curves(
        frame,
        curves.loss_column,
        curves.step_column,
        curves.run_columns,
        (*curves.notes, note),
        curves.kind,
        optimum,
    )


def _ends(curves: Curves) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return (curve starts, values, logged values' curve index) of finite cells."""
    logged = curves.frame[np.isfinite(curves.frame["loss"])]
    codes = logged.groupby(["group", "run"], observed=True, sort=False).ngroup().to_numpy()
    return _compact(logged["loss"].to_numpy(), codes)


def _compact(value: np.ndarray, codes: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return np.flatnonzero(np.diff(codes, prepend=-1)), value, codes


def _maximized(curves: Curves) -> bool:
    """Tell whether a column rises in each run and is not named like a loss."""
    known, speak = names.loss_columns([curves.loss_column])
    neutral = names.rises_by_name(curves.loss_column) or curves.kind == "ioh"
    if (known or speak) and not neutral:
        return False
    starts, value, codes = _ends(curves)
    if curves.kind == "ioh":  # the last row of a run may hold its current value, not its best
        inner = np.append(codes[1:] == codes[:-1], False)
        starts, value, codes = _compact(value[inner], codes[inner])
    if value.size < (1 if curves.kind == "ioh" else 3 * max(1, starts.size)):
        return False
    same = codes[1:] == codes[:-1]
    step = np.diff(value)[same]
    ends = np.append(starts[1:], value.size) - 1
    return bool(step.size and (step >= 0).all() and (value[ends] > value[starts]).mean() > 0.5)


def _common_end(name: str, curves: Curves) -> tuple[float, str]:
    """Return the value at which several runs end, the largest of all, and how that was found."""
    starts, value, _ = _ends(curves)
    best = np.maximum.reduceat(value, starts)
    top = float(best.max())
    count = int((best == top).sum())
    if count < 2 or 2 * count < best.size:
        raise ReadingError(
            f"{name}: {curves.loss_column} rises: a value to maximize, eps = optimum - value;"
            f" give --optimum (the best of {best.size} runs is {top:g}, reached by {count})"
        )
    return top, (
        f"Values rise in each run, and {count} of {best.size} runs reach exactly {top:g}, taken as"
        f" the optimum: eps = {top:g} - {curves.loss_column} (--optimum X for another)."
    )
