"""The reader of one table: roles, rows, groups, and the checks between them."""

from dataclasses import dataclass

import numpy as np

from motsim.rates.reading import kinds, names, tensorboard
from motsim.rates.reading.curves import Curves, assemble, check_steps, combine, order_of
from motsim.rates.reading.filters import Where, chosen_rows
from motsim.rates.reading.grouping import Grouping, group_rows
from motsim.rates.reading.logged import trailing_empty
from motsim.rates.reading.misnamed import one_a_row, own_rows
from motsim.rates.reading.refusal import ReadingError
from motsim.rates.reading.roles import Roles, choose, choose_step
from motsim.rates.reading.single_times import refuse_single_times
from motsim.rates.reading.table import Cells, Label, Table
from motsim.rates.reading.wide import Columns, long_cells, wide_columns

__all__ = ["Asked", "read_table", "read_wide"]

BENCHOPT_GROUPS = ("solver_name", "dataset_name", "data_name", "objective_name")


@dataclass(frozen=True)
class Asked:
    """What the caller named: columns of loss, step, runs and groups, and a filter."""

    loss: str | None
    step: str | None
    run: tuple[str, ...]
    where: Where
    by: tuple[str, ...]


def read_table(table: Table, asked: Asked) -> Curves:
    """Return the curves of a table, values as they are written."""
    table.index = table.index or kinds.index_columns(table)
    table.kind = kinds.kind_of(table)
    if asked.step is None and asked.loss is None:
        refuse_single_times(table)
    step = table.find(asked.step, "step") if asked.step is not None else None
    if not asked.run and not asked.by:
        columns = wide_columns(table, asked.loss, step)
        if columns is not None:
            return _read_columns(table, asked, columns, step)
    return _read_long(table, asked)


def read_wide(table: Table, asked: Asked, runs: dict[str, str], step: np.ndarray) -> Curves:
    """Return the curves of a table whose columns are runs and whose steps are given."""
    _nothing_else(table, asked)
    cells = long_cells(table, runs, None)
    cells.numbers["step"] = step[cells.rows - 1]
    return _finish(table, cells, "value", "step")


def _read_columns(table: Table, asked: Asked, columns: Columns, step: str | None) -> Curves:
    """Return the curves of a wide file."""
    _nothing_else(table, asked)
    if step is None:
        step = choose_step(table, None, set(columns.runs), table.notes)
    cells = long_cells(table, columns.runs, step, padded=columns.kind == "wandb")
    table.kind = columns.kind
    table.notes += columns.notes
    if asked.step is None and step in table.index:
        table.notes.insert(0, _index_note(step, cells.numbers["step"]))
        step = "row"
    if columns.kind == "wandb":
        table.notes.append(
            "A W&B export holds sampled steps (500 of a long run), and the last may be missing: T"
            " is known to the gap between them."
        )
    return _finish(table, cells, columns.metric, step)


def _nothing_else(table: Table, asked: Asked) -> None:
    if asked.run or asked.by or asked.where:
        raise ReadingError(
            f"{table.name}: each column is a run here: --run, --by and --where need a long table"
            " (columns run, step, loss)"
        )


def _finish(table: Table, cells: Cells, loss: str, step: str) -> Curves:
    """Return the curves of long cells with a label run and no groups."""
    x, y, run = cells.numbers["step"], cells.numbers["loss"], cells.labels["run"]
    check_steps(table.name, x, cells.rows, step)
    fall = np.flatnonzero((x[1:] < x[:-1]) & (run.codes[1:] == run.codes[:-1]))
    if fall.size:
        at = int(fall[0]) + 1
        raise ReadingError(
            f"{table.name}: row {int(cells.rows[at]):,}: {step} falls from {x[at - 1]:g} to"
            f" {x[at]:g}; steps must rise"
        )
    group = Label(np.zeros(x.size, dtype=np.int32), [""])
    logged = np.ones(x.size, dtype=bool)
    numbers = {"step": x, "loss": y, "logged": logged, "row": cells.rows}
    frame, merged = assemble(run, group, numbers)
    count = f"{len(run.values):,} run{'s' * (len(run.values) > 1)}, one a column."
    notes = (*table.notes, count, *merged)
    return Curves(frame, loss, step, ("column",), notes, table.kind)


def _read_long(table: Table, asked: Asked) -> Curves:
    """Return the curves of a table with columns for step, loss and perhaps run and method."""
    where = {table.find(key, "where"): values for key, values in asked.where.items()}
    roles = _roles(table, asked, where)
    watched = ["sampling_strategy", "solver_name"] if table.kind == "benchopt" else []
    wanted = [*roles.run, *roles.by, *roles.runs, *roles.methods, *where]
    wanted += [column for column in watched if column in table.columns]
    cells = table.cells([roles.step, roles.loss], list(dict.fromkeys(wanted)))
    total = cells.rows.size
    cells = chosen_rows(table, cells, where)
    for option, named in (("run", roles.run), ("by", roles.by)):
        for column in named:
            label = cells.labels.get(column)
            if one_a_row(label):
                taken = {roles.step, roles.loss, *roles.run, *roles.by}
                raise own_rows(table, option, column, label, cells.rows.size, taken)
    if cells.rows.size < total:
        table.notes.append(f"{cells.rows.size:,} of {total:,} rows chosen by --where.")
    if table.kind == "benchopt":
        kinds.check_benchopt(table.name, cells, roles.step)
    numbers = {
        "step": cells.numbers.pop(roles.step),
        "loss": cells.numbers.pop(roles.loss),
        "logged": cells.filled.pop(roles.loss),
        "row": cells.rows,
    }
    if not numbers["logged"].any():
        raise ReadingError(f"{table.name}: column {roles.loss!r} holds no number")
    bare = np.isnan(numbers["step"]) & ~numbers["logged"]
    if bare.any():
        cells = cells.take(~bare)
        numbers = {name: column[~bare] for name, column in numbers.items()}
    check_steps(table.name, numbers["step"], cells.rows, roles.step)
    if table.kind == "tensorboard" and tensorboard.is_scalars(
        [column for column in table.columns if column not in table.index]
    ):
        table.notes.append(tensorboard.scalars_note(cells.rows.size))
    if table.kind == "keras":
        step, fit, notes = kinds.restarts(table.name, numbers["step"], numbers["loss"], cells.rows)
        table.notes += notes
        numbers["step"] = step
        if fit is not None:
            cells.labels["fit"], roles.run = fit, ("fit",)
    grouping = group_rows(
        table.name, cells, roles, numbers, lambda: _more(table, roles, where, bare)
    )
    if asked.step is None and roles.step in table.index:
        table.notes.insert(0, _count_rows(roles.step, grouping, numbers))
        roles.step = "row" if names.counts_rows(roles.step) else roles.step
    cells.labels.clear()
    cells.rows = np.empty(0, dtype=np.int64)
    return _joined(table, roles, grouping, numbers)


def _index_note(column: str, step: np.ndarray) -> str:
    return (
        f"No step column: rows {step.min():,g} to {step.max():,g} are the steps, as {column!r}"
        " counts them, pandas' index (--step NAME for another)."
    )


def _count_rows(column: str, grouping: Grouping, numbers: dict[str, np.ndarray]) -> str:
    """Take the count of rows as steps, in each curve anew where it counts through the file."""
    curve = combine([grouping.group, grouping.run], numbers["step"].size)
    step = numbers["step"]
    if len(curve.values) < 2 or not (np.diff(step) > 0).all():
        return _index_note(column, step)
    order = np.argsort(curve.codes, kind="stable")
    sizes = np.bincount(curve.codes, minlength=len(curve.values))
    counted = np.empty_like(step)
    counted[order] = np.arange(step.size) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    numbers["step"] = counted
    return (
        f"No step column, and {column!r} (pandas' index) counts through all runs: the rows of each"
        f" run are its steps, 0 to {counted.max():,g} at most (--step NAME for another)."
    )


def _roles(table: Table, asked: Asked, where: Where) -> Roles:
    """Return the roles of columns; benchopt's are known."""
    loss, step = asked.loss, asked.step
    if table.kind == "benchopt":
        if loss is None:
            values = [name for name in table.columns if name.startswith("objective_")]
            values = [name for name in values if name not in table.text]
            loss = "objective_value" if "objective_value" in values else None
            loss = loss or (values[0] if len(values) == 1 else None)
        step = step or "stop_val"
    roles = choose(table, loss, step, asked.run, asked.by)
    if table.kind == "benchopt":
        free = [name for name in BENCHOPT_GROUPS if name in table.columns]
        roles.methods = [name for name in free if name not in {*roles.run, *roles.by}]
        roles.runs = [] if roles.run else ["idx_rep"]
        roles.notes.append(f"Loss: {roles.loss}; steps: {roles.step}; runs: idx_rep.")
    table.notes += roles.notes
    return roles


def _more(table: Table, roles: Roles, where: Where, bare: np.ndarray) -> dict[str, Label]:
    """Load columns of unknown meaning, for a refusal that names one of them."""
    columns = list(dict.fromkeys([*roles.others, *where]))
    if not columns:
        return {}
    cells = chosen_rows(table, table.cells([], columns), where)
    if bare.any():
        cells = cells.take(~bare)
    few = {name: label for name, label in cells.labels.items() if label.count <= 1000}
    return {name: few[name] for name in roles.others if name in few}


def _joined(
    table: Table, roles: Roles, grouping: Grouping, numbers: dict[str, np.ndarray]
) -> Curves:
    """Return the curves, with notes on what was not logged."""
    filled = numbers["logged"]
    notes = [*table.notes, *grouping.notes]
    empty = int(filled.size - filled.sum())
    if empty:
        if table.kind in ("csv", "parquet", "json lines", "frame"):
            curve = combine([grouping.group, grouping.run], filled.size)
            titles = _titles(curve, grouping)
            logged, said = trailing_empty(curve.codes, filled, titles)
            if said and order_of(curve.codes, numbers["step"], numbers["loss"]).fall < 0:
                numbers["logged"] = logged
                notes += said
        left = int(filled.size - numbers["logged"].sum())
        if left:
            notes.append(
                f"No {roles.loss} in {left:,} of {filled.size:,} rows: not logged there, so they"
                " say nothing about T."
            )
    del filled
    frame, merged = assemble(grouping.run, grouping.group, numbers)
    notes += merged
    return Curves(frame, roles.loss, roles.step, grouping.run_columns, tuple(notes), table.kind)


def _titles(curve: Label, grouping: Grouping) -> list[str]:
    first = np.zeros(len(curve.values), dtype=np.int64)
    first[curve.codes[::-1]] = np.arange(curve.codes.size - 1, -1, -1)
    runs, groups = grouping.run, grouping.group
    pairs = [(groups.values[groups.codes[at]], runs.values[runs.codes[at]]) for at in first]
    return [" ".join(text for text in pair if text) for pair in pairs]
