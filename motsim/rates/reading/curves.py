"""Curves: what a reader returns, and the last checks on the way there."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from motsim.rates.reading.refusal import ReadingError
from motsim.rates.reading.table import Label

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Curves", "Order", "assemble", "combine", "order_of"]

SAME = 1e-9
"""Two losses of one step that differ by less, relatively, say the same."""
BLOCK = 1 << 20
"""Rows that are looked at together."""
RARE = 0.01
"""Steps that come twice with different losses: above this share, runs are mixed."""


@dataclass(frozen=True, eq=False)
class Curves:
    """Training curves as they were written, one row a step of a run.

    Attributes
    ----------
    frame : DataFrame
        Columns run and group (categories; group is "" where nothing makes groups), step and loss
        (float64; loss is NaN where nothing was logged), logged (bool: the cell held something, so
        NaN with `logged` is a loss that was NaN), row (int64: line in the file, position + 1 in a
        frame). Curves are told apart by (group, run) together; rows of a curve are consecutive
        and their steps rise.
    loss_column, step_column : str
        Where these came from.
    run_columns : tuple of str
        What names the runs; empty if nothing does.
    notes : tuple of str
        What was guessed and from what, what the format does to T(eps), what was dropped and why.
    kind : str
        csv, lightning, keras, wandb, tensorboard, trainer_state, benchopt, coco, ioh, parquet,
        json lines, frame or wide.
    optimum : float or None
        What values were subtracted from, where they are to be maximized.
    """

    frame: "pd.DataFrame"
    loss_column: str
    step_column: str
    run_columns: tuple[str, ...]
    notes: tuple[str, ...]
    kind: str
    optimum: float | None = None

    def __repr__(self) -> str:
        codes = [self.frame[name].cat.codes.to_numpy() for name in ("group", "run")]
        new = np.any([code[1:] != code[:-1] for code in codes], axis=0)
        count = int(new.sum()) + bool(len(self.frame))  # rows of a curve are consecutive
        return f"<Curves: {count} of {len(self.frame):,} rows, {self.loss_column!r}, {self.kind}>"


@dataclass
class Order:
    """Rows sorted by curve, in file order within each: what is wrong with their steps.

    `fall` is the first row (position in the order given) whose step is below the one before in
    its curve, -1 if none; `twice` the first whose step and another loss came before; `clashes`
    how many such there are; `copies` how many rows repeat a step otherwise; `rows` how many there
    are.
    """

    order: np.ndarray | None
    fall: int
    twice: int
    clashes: int
    copies: int
    rows: int

    @property
    def sound(self) -> bool:
        """Whether each curve's steps rise, but for a few that are logged again."""
        return self.fall < 0 and self.clashes <= max(1, RARE * self.rows)

    def row_of(self, at: int) -> int:
        """Return where a row of the sorted order stands in the order given."""
        return at if self.order is None else int(self.order[at])


def combine(labels: Sequence[Label], rows: int) -> Label:
    """Return one label for several columns: codes number the combinations that occur."""
    import pandas as pd

    labels = [label for label in labels if label.count > 1]
    if len(labels) == 1 and labels[0].codes.min() >= 0:
        return labels[0]
    codes = np.zeros(rows, dtype=np.int64)
    for label in labels:
        codes = codes * (len(label.values) + 1) + label.codes + 1
        codes = pd.factorize(codes)[0].astype(np.int64)
    return Label(codes.astype(np.int32), [str(i) for i in range(int(codes.max(initial=-1)) + 1)])


def order_of(curve: np.ndarray, step: np.ndarray, loss: np.ndarray) -> Order:
    """Sort rows by curve, keeping file order within, and look at their steps, block by block."""
    order = None if bool(np.all(curve[1:] >= curve[:-1])) else _sorted(curve)
    result = Order(order, -1, -1, 0, 0, int(step.size))
    for first in range(0, step.size - 1, BLOCK):
        at: Any = slice(first, first + BLOCK + 1)
        if order is not None:
            at = order[at]
        whose, x, y = curve[at], step[at], loss[at]
        same = whose[1:] == whose[:-1]
        falls = same & (x[1:] < x[:-1])
        if result.fall < 0 and falls.any():
            result.fall = result.row_of(first + 1 + int(falls.argmax()))
        repeats = np.flatnonzero(same & (x[1:] == x[:-1]))
        if not repeats.size:
            continue
        old, new = y[repeats], y[repeats + 1]
        with np.errstate(invalid="ignore"):
            differ = np.abs(new - old) > SAME * np.maximum(np.abs(new), np.abs(old))
        clashes = int(differ.sum())
        if result.twice < 0 and clashes:
            result.twice = result.row_of(first + 1 + int(repeats[differ.argmax()]))
        result.clashes += clashes
        result.copies += int(repeats.size) - clashes
    return result


def _sorted(curve: np.ndarray) -> np.ndarray:
    """Return a stable order; 16-bit codes sort by radix, some ten times as fast."""
    if curve.max() < 2**15:
        curve = curve.astype(np.int16)
    return np.argsort(curve, kind="stable").astype(np.int32 if curve.size < 2**31 else np.int64)


def assemble(
    run: Label, group: Label, numbers: dict[str, np.ndarray]
) -> tuple["pd.DataFrame", list[str]]:
    """Return (the long frame, notes on rows that were merged).

    Parameters
    ----------
    run, group : Label
        Names of each row's curve.
    numbers : dict
        step, loss, logged and row (line in the file), sorted by curve or not. Emptied, so that
        memory holds each column once.
    """
    import pandas as pd

    size = run.codes.size
    curve = combine([group, run], size).codes
    checked = order_of(curve, numbers["step"], numbers["loss"])
    if checked.fall >= 0 and not numbers["logged"].all():
        # rows of another column, out of order: they say nothing about this one
        keep = numbers["logged"]
        for name in list(numbers):
            numbers[name] = numbers[name][keep]
        return assemble(
            Label(run.codes[keep], run.values), Label(group.codes[keep], group.values), numbers
        )
    first = int(numbers["row"][checked.twice]) if checked.clashes else 0
    columns: dict[str, Any] = {}
    for name, label in (("run", run), ("group", group)):
        codes = label.codes if checked.order is None else label.codes[checked.order]
        values = pd.Index(label.values, dtype=object)
        columns[name] = pd.Categorical.from_codes(codes, categories=values)
    for name in ("step", "loss", "logged", "row"):
        column = numbers.pop(name)
        columns[name] = column if checked.order is None else column[checked.order]
    frame = pd.DataFrame(columns, copy=False)
    notes: list[str] = []
    if checked.clashes + checked.copies:
        curve = curve if checked.order is None else curve[checked.order]
        frame = _one_a_step(frame, curve)
        count = checked.clashes + checked.copies
        text = f"The step of the row before comes again in {count:,} of {size:,} rows:"
        text += " the last that holds a loss was kept"
        if checked.clashes:
            text += f"; {checked.clashes:,} of them had another loss (first: row {first:,})"
        notes.append(text + ".")
    return frame, notes


def _one_a_step(frame: "pd.DataFrame", curve: np.ndarray) -> "pd.DataFrame":
    """Keep, of rows with one curve and step, the last that holds a loss (or the last)."""
    step = frame["step"].to_numpy()
    new = np.ones(step.size, dtype=bool)
    new[1:] = (curve[1:] != curve[:-1]) | (step[1:] != step[:-1])
    block = np.cumsum(new) - 1
    row = np.arange(step.size)
    logged = frame["logged"].to_numpy()
    best = np.full(int(block[-1]) + 1, -1)
    np.maximum.at(best, block[logged], row[logged])
    last = np.zeros(best.size, dtype=row.dtype)
    np.maximum.at(last, block, row)
    return frame.iloc[np.where(best >= 0, best, last)].reset_index(drop=True)


def check_steps(name: str, step: np.ndarray, rows: np.ndarray, column: str) -> None:
    """Raise ReadingError at the first step that is no number, or if none is positive."""
    wrong = ~np.isfinite(step)
    if wrong.any():
        at = int(wrong.argmax())
        value = "is empty" if np.isnan(step[at]) else f"is {step[at]}"
        raise ReadingError(
            f"{name}: row {int(rows[at]):,}, column {column!r} {value}; every row that holds a"
            " loss needs a step"
        )
    if step.size and step.max() < 0.0:
        raise ReadingError(
            f"{name}: column {column!r} is never positive ({step.min():g} to {step.max():g}):"
            " T(eps) counts steps from 0 on; shift them, or name another column with --step"
        )
