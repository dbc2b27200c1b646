"""Wide tables: one column a run, one row a step."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from motsim.checks import listed, nearest
from motsim.rates.reading import names
from motsim.rates.reading.refusal import ReadingError
from motsim.rates.reading.table import Cells, Label, Table

__all__ = ["Columns", "long_cells", "wide_columns"]

DIGITS = re.compile(r"\d+")
LEGENDS = re.compile(r"(?P<run>.+) - (?P<metric>[^-]+?)(?P<band>__(MIN|MAX))?")


@dataclass
class Columns:
    """The columns of a wide table: texts that name each one's run, the metric they hold."""

    runs: dict[str, str]
    metric: str
    kind: str = "wide"
    notes: list[str] = field(default_factory=list)


def wide_columns(table: Table, loss: str | None, step: str | None) -> Columns | None:
    """Return the runs of a wide table, or None if it is long.

    Names that differ in a number only, and names of the form "run - metric" as W&B writes them,
    are runs; others are not guessed at.
    """
    free = [c for c in table.columns if c != step and c not in table.text]
    legends = {c: found for c in free if (found := LEGENDS.fullmatch(c)) is not None}
    if any(not found["band"] for found in legends.values()) and loss not in table.columns:
        return _legends(table, legends, loss)
    if loss is not None:
        return None
    free = [c for c in free if c not in table.index]
    steps = {step} if step else set(names.step_columns(free)[:1] or table.index[:1])
    rest = [c for c in free if c not in steps and not names.is_run(c)]
    families: dict[str, list[str]] = {}
    for column in rest:
        numbers = DIGITS.findall(column)
        if numbers:
            stem = column[: column.rindex(numbers[-1])] + "#"
            stem += column[column.rindex(numbers[-1]) + len(numbers[-1]) :]
            families.setdefault(stem, []).append(column)
    family = max(families.values(), key=len, default=[])
    if len(family) < 2 or len(steps) != 1 or table.text:
        return None
    others = [c for c in rest if c not in family]
    known, speak = names.loss_columns(others)
    if known or speak or (len(family) < len(rest) and len(others) >= len(family)):
        return None
    note = f"Wide: {listed(family, 3)} are one run each, as their names differ in a number only."
    left = f" Left out: {listed(others, 3)}." if others else ""
    return Columns({c: c for c in family}, "loss", notes=[note + left])


def _legends(table: Table, legends: dict[str, "re.Match[str]"], loss: str | None) -> Columns:
    """Return the runs of a W&B chart's export."""
    plain = {column: found for column, found in legends.items() if not found["band"]}
    metrics = list(dict.fromkeys(found["metric"] for found in plain.values()))
    if loss is not None:
        if loss not in metrics:
            raise ReadingError(
                f"{table.name}: no metric {loss!r} (for --loss)" + nearest(loss, metrics)
            )
        metric = loss
    else:
        known, speak = names.loss_columns(metrics)
        found = known or speak or metrics
        metric = found[0]
        if len(found) > 1 and not known:
            raise ReadingError(
                f"{table.name}: which metric is the loss? name one of {listed(metrics)} with --loss"
            )
    runs = {c: found["run"] for c, found in plain.items() if found["metric"] == metric}
    bands = len(legends) - len(plain)
    notes = [f"Loss: the columns '... - {metric}', one run each."]
    if bands:
        notes.append(
            f"{bands} columns __MIN and __MAX left out: the least and largest of the rows that a"
            " point stands for."
        )
    return Columns(runs, metric, "wandb", notes)


def long_cells(table: Table, runs: dict[str, str], step: str | None, padded: bool = False) -> Cells:
    """Return the cells of a wide table as long ones: numbers step and loss, label run.

    Empty cells between others are rows of other runs. Those at the end of a column stay, as cells
    that hold nothing, but for W&B, which pads short runs.
    """
    numbers: Sequence[str] = list(dict.fromkeys([*([step] if step else []), *runs]))
    cells = table.cells(numbers, [])
    size = cells.rows.size
    x = cells.numbers[step] if step else np.arange(size, dtype=np.float64)
    full = [np.flatnonzero(cells.filled[column]) for column in runs]
    ends = [int(found[-1]) + 1 if found.size and not padded else size for found in full]
    gaps = sum(end - found.size for end, found in zip(ends, full, strict=True) if found.size)
    if gaps and not padded:
        table.notes.append(
            f"No loss in {gaps:,} of {size * len(runs):,} cells: not logged there, so they say"
            " nothing about T."
        )
    tails = [np.arange(end, size) for end in ends]
    parts = [np.concatenate(pair) for pair in zip(full, tails, strict=True)]
    loss = [cells.numbers[column][at] for column, at in zip(runs, parts, strict=True)]
    codes = [np.full(at.size, i, dtype=np.int32) for i, at in enumerate(parts)]
    at = np.concatenate(parts) if parts else np.empty(0, dtype=np.int64)
    empty = [column for column, found in zip(runs, full, strict=True) if not found.size]
    if empty:
        raise ReadingError(f"{table.name}: column {empty[0]!r} holds no number")
    return Cells(
        {"step": x[at], "loss": np.concatenate(loss)},
        {"step": np.ones(at.size, dtype=bool), "loss": np.ones(at.size, dtype=bool)},
        {"run": Label(np.concatenate(codes), list(runs.values()))},
        cells.rows[at],
    )
