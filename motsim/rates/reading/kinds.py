"""Kinds: which program wrote a table, told from its columns, and what that does to T(eps)."""

import re

import numpy as np

from motsim.rates.reading import names, tensorboard
from motsim.rates.reading.refusal import ReadingError
from motsim.rates.reading.table import Cells, Label, Table

__all__ = ["check_benchopt", "index_columns", "kind_of", "restarts"]

WANDB_POINTS = 500


def index_columns(table: Table) -> tuple[str, ...]:
    """Return the columns that only count rows, as pandas writes its index.

    A column without a name, or one that a frame's reset_index() made, if it rises.
    """
    found = []
    for column in table.columns:
        if not names.counts_rows(column) or column in table.text:
            continue
        cells = [str(cell).strip() for cell in table.start[column].tolist()]
        if not all(re.fullmatch(r"-?\d+(\.0)?", cell) for cell in cells):
            continue
        steps = np.diff([float(cell) for cell in cells])
        if (steps > 0).all() or names.plain(column).startswith("unnamed"):
            found.append(column)
    return tuple(found)


def kind_of(table: Table) -> str:
    """Return the kind of a table by its columns; what it does is added to the table's notes."""
    if table.kind not in ("csv", "parquet", "json lines", "frame"):
        return table.kind
    told = [column for column in table.columns if column not in table.index]
    columns = set(told)
    plain = {names.plain(column) for column in columns}
    if tensorboard.is_scalars(told):
        return "tensorboard"  # its note needs the number of rows
    if {"solver_name", "idx_rep", "stop_val"} <= columns:
        table.notes.append(
            "Written by benchopt: no column says how a solver ended, and solvers that diverge or"
            " ring end as done, with finite values: look at the picture. Stops are spread out"
            " (1, 2, 4, 6, 9, ...): T is known to the gap between them."
        )
        return "benchopt"
    if "_step" in columns and {"_runtime", "_timestamp"} & columns:
        table.notes.append(
            f"W&B history: history() draws {WANDB_POINTS} steps, others at each call, and may leave"
            " out the last; scan_history() gives all. T is known to the gap between them."
        )
        return "wandb"
    named = any(names.is_run(column) for column in columns)
    ends = ("_epoch", "_step")
    if {"epoch", "step"} <= columns and not named and not table.text:
        pairs = any(column.endswith(ends) for column in columns)
        holes = any((table.start[c].astype(str).str.strip() == "").any() for c in columns)
        if pairs or holes:
            table.notes.append(
                "Lightning's metrics.csv: a row fills the columns of one kind (step, epoch,"
                " validation), and validation repeats the last step."
            )
            return "lightning"
    settings = any(names.is_method(column) and column != "learning_rate" for column in columns)
    lone = not (named or settings or table.text or "step" in plain)
    if told[:1] == ["epoch"] and "loss" in columns and lone and _whole(table, "epoch"):
        table.notes.append(
            "Keras' CSVLogger: one row an epoch, NA where nothing was evaluated; loss is the mean"
            " over the epoch, not its end."
        )
        return "keras"
    return table.kind


def _whole(table: Table, column: str) -> bool:
    """Tell whether a column counts 0, 1, ... from its first row on."""
    cells = [str(cell).strip() for cell in table.start[column].tolist()]
    return cells[0] in ("0", "0.0") and all(re.fullmatch(r"\d+(\.0)?", cell) for cell in cells)


def check_benchopt(name: str, cells: Cells, step: str) -> None:
    """Raise ReadingError where the stops of a solver are tolerances, no counts."""
    how = cells.labels.get("sampling_strategy")
    if step != "stop_val" or how is None:
        return
    strange = [value for value in how.values if value.lower() not in ("iteration", "callback")]
    if not strange:
        return
    at = int(np.isin(how.codes, [how.values.index(value) for value in strange]).argmax())
    solver = cells.labels["solver_name"]
    who = solver.values[int(solver.codes[at])]
    raise ReadingError(
        f"{name}: row {int(cells.rows[at]):,}: stop_val of solver {who!r} is a"
        f" {how.values[int(how.codes[at])].lower()}, no count of steps: leave it out with --where"
        " solver_name=..., or use --step time"
    )


def restarts(
    name: str, step: np.ndarray, loss: np.ndarray, rows: np.ndarray
) -> tuple[np.ndarray, Label | None, list[str]]:
    """Return (steps, a label of runs or None, notes) of a log whose epochs start again at 0.

    Keras' CSVLogger appends, and counts from 0 in each fit. If the loss goes on from where it was,
    fit went on with the same model, and epochs are counted on; if it starts anew, so did the run.
    """
    starts = np.flatnonzero(step[1:] < step[:-1]) + 1
    if not starts.size:
        return step, None, []
    for at in starts:
        if step[at] != step[0]:
            raise ReadingError(
                f"{name}: row {int(rows[at]):,}: epoch falls from {step[at - 1]:g} to"
                f" {step[at]:g}, as after a checkpoint was restored; remove the rows that were"
                " done again"
            )
    on = [_goes_on(loss, int(at), int(before)) for at, before in _pairs(starts)]
    lines = ", ".join(f"{int(rows[at]):,}" for at in starts[:5])
    if all(on):
        counted = step.copy()
        for at in starts:
            counted[at:] += counted[at - 1] + 1 - counted[at]
        note = (
            f"Epochs start again at {step[0]:g} in row {lines}, and the loss goes on: counted on."
        )
        return counted, None, [note]
    if not any(on):
        part = np.zeros(step.size, dtype=np.int32)
        part[starts] = 1
        label = Label(
            np.cumsum(part).astype(np.int32), [str(i + 1) for i in range(starts.size + 1)]
        )
        note = f"Epochs start again at {step[0]:g} in row {lines}, and so does the loss: new runs."
        return step, label, [note]
    raise ReadingError(
        f"{name}: row {int(rows[starts[0]]):,}: epochs start again (rows {lines}), in part with the"
        " loss going on and in part anew; add a column that tells the runs apart"
    )


def _pairs(starts: np.ndarray) -> list[tuple[int, int]]:
    return list(zip(starts.tolist(), [0, *starts.tolist()[:-1]], strict=True))


def _goes_on(loss: np.ndarray, at: int, before: int) -> bool:
    """Tell whether the loss after a restart is nearer to the last than to the first before it."""
    old = loss[before:at]
    old = old[np.isfinite(old)]
    new = loss[at:][np.isfinite(loss[at:])]
    if not old.size or not new.size:
        return True
    return bool(abs(new[0] - old[-1]) <= abs(new[0] - old[0]))
