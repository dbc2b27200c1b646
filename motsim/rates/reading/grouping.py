"""Grouping: which rows are one run, and which runs are of one method.

Seeds of one method may be averaged over, methods may not: columns that tell methods apart become
groups. Where columns leave two ways open that count runs differently, the file is refused.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import PurePath

import numpy as np

from motsim.checks import listed
from motsim.rates.reading import names
from motsim.rates.reading.curves import Order, combine, order_of
from motsim.rates.reading.misnamed import one_a_row
from motsim.rates.reading.refusal import ReadingError
from motsim.rates.reading.roles import Roles
from motsim.rates.reading.table import Cells, Label

__all__ = ["Grouping", "group_rows"]


@dataclass
class Grouping:
    """Names of each row's run and group, the columns behind them, and what was guessed."""

    run: Label
    group: Label
    run_columns: tuple[str, ...]
    notes: list[str]


@dataclass
class Rows:
    """What decides whether a partition into curves is sound."""

    name: str
    step: np.ndarray
    loss: np.ndarray
    lines: np.ndarray
    labels: dict[str, Label]
    logged: np.ndarray | None = None

    def label(self, columns: Sequence[str]) -> Label:
        """Return the combinations of some columns."""
        return combine([self.labels[column] for column in columns], self.step.size)

    def order(self, columns: Sequence[str]) -> Order:
        """Look at the steps of the curves that some columns make, where there is a loss."""
        codes = self.label(columns).codes
        if self.logged is None:
            return order_of(codes, self.step, self.loss)
        at = self.logged
        found = order_of(codes[at], self.step[at], self.loss[at])
        found.fall = int(at[found.fall]) if found.fall >= 0 else -1
        found.twice = int(at[found.twice]) if found.twice >= 0 else -1
        return found

    def count(self, columns: Sequence[str]) -> int:
        """How many combinations of some columns occur."""
        return len(self.label(columns).values)

    def alike(self, one: str, other: str) -> bool:
        """Tell whether two columns tell the same rows apart."""
        both = self.count([one, other])
        return self.count([one]) == both == self.count([other])

    def constant(self, column: str, within: Sequence[str]) -> bool:
        """Tell whether a column has one value in each combination of others."""
        return self.count([*within, column]) == self.count(within)


def group_rows(
    name: str,
    cells: Cells,
    roles: Roles,
    numbers: dict[str, np.ndarray],
    more: Callable[[], dict[str, Label]],
) -> Grouping:
    """Return the runs and groups of a long table.

    Parameters
    ----------
    name : str
        The file, for messages.
    cells : Cells
        Its cells, filtered.
    roles : Roles
        Which columns are for what.
    numbers : dict
        step, loss and logged of the rows.
    more : callable
        Loads the labels of `roles.others`, needed only where rows are told apart by nothing else.
    """
    rows = Rows(name, numbers["step"], numbers["loss"], cells.rows, cells.labels)
    if not numbers["logged"].all():
        rows.logged = np.flatnonzero(numbers["logged"])
    varying = [column for column in rows.labels if rows.labels[column].count > 1]
    runs = [c for c in (roles.run or roles.runs) if c in varying]
    notes: list[str] = []
    if not roles.run:
        own = [c for c in roles.runs if one_a_row(rows.labels.get(c))]
        runs = [c for c in runs if c not in own]
        if own:
            notes.append(f"Almost each row has its own {listed(own)}: it names no runs.")
    if not runs and not roles.run:
        runs = [c for c in roles.methods if c in varying and c not in roles.by]
        runs = [c for c in runs if names.is_title(c) and _numbered(rows.labels[c].values)]
    if roles.by:
        groups = list(roles.by)
        free = [c for c in roles.methods if c in varying and c not in runs]
    else:
        free = [c for c in roles.methods if c in varying and c not in runs]
        # who names a method as a run has settings that go with it as part of that run
        named = [c for c in roles.run if c in varying and names.is_method(c)]
        free = [c for c in free if not any(rows.alike(c, run) for run in named)]
        groups, free = _methods(rows, runs, free, notes)
    found = rows.order([*runs, *groups])
    if not found.sound:
        raise _mixed(rows, found, runs, groups, roles, more)
    if roles.by:
        differ = [c for c in free if names.is_method(c) and not rows.constant(c, groups)]
        differ = [c for c in differ if rows.constant(c, [*groups, *runs])]
        if differ:
            notes.append(
                f"Runs of one group differ in {listed(differ)}: add it to --by if it is a method."
            )
    if not roles.run:
        runs = _one_way(rows, runs, groups, notes)
    used = [column for column in runs if rows.labels[column].count > 1]
    shown = roles.run or tuple(used)
    if used:
        total = rows.count([*used, *groups])
        notes.append(f"{total:,} runs, by {listed(used)}.")
    elif groups:
        notes.append("No column names runs: each group is one run.")
    elif not roles.run:
        notes.append("No column names runs: the file is one run.")
    if groups and not roles.by:
        notes.append(
            f"{rows.count(groups):,} groups, by {listed(groups)}: different methods or settings"
            " are not seeds (--run NAME if they are)."
        )
    stem = PurePath(name).name.split(".")[0] or "run"
    run = _named(rows, used, stem, len(used) > 1)
    return Grouping(run, _named(rows, groups, "", True), shown, notes)


def _methods(
    rows: Rows, runs: list[str], free: list[str], notes: list[str]
) -> tuple[list[str], list[str]]:
    """Return (columns that make groups, method-like columns that do not)."""
    groups = [column for column in free if names.is_split(column)]
    left = [column for column in free if column not in groups]
    asides = [column for column in left if names.is_aside(column)]
    left = [column for column in left if column not in asides]
    if asides:
        notes.append(f"No groups by {listed(asides, 3)} (--by NAME if they are methods).")
    own = [c for c in left if 2 * rows.labels[c].count > rows.step.size]
    left = [column for column in left if column not in own]
    if not rows.order([*runs, *groups]).sound:
        for column in list(left):  # those first that suffice alone, then one after the other
            if rows.order([*runs, *groups, column]).sound:
                groups.append(column)
                left.remove(column)
                break
        else:
            for column in list(left):
                groups.append(column)
                left.remove(column)
                if rows.order([*runs, *groups]).sound:
                    break
            else:
                return groups, left
    for column in list(left):
        if not rows.constant(column, [*runs, *groups]):
            if not names.is_method(column):
                notes.append(f"Column {column} changes along a run: it makes no groups.")
            left.remove(column)
        elif not runs or not rows.constant(column, groups):
            each = rows.count([column]) == rows.count([*runs, *groups])
            if runs and each and not names.is_method(column):
                continue  # every run has its own: a name of the run
            groups.append(column)
            left.remove(column)
    for column in reversed(list(groups)):
        rest = [other for other in groups if other != column]
        if rest and rows.count(rest) == rows.count(groups):
            groups = rest
    return groups, left


def _mixed(
    rows: Rows,
    found: Order,
    runs: list[str],
    groups: list[str],
    roles: Roles,
    more: Callable[[], dict[str, Label]],
) -> ReadingError:
    """Return the refusal of rows that are no curves, with the column that would mend it."""
    at = found.fall if found.fall >= 0 else found.twice
    curve = rows.label([*runs, *groups]).codes
    same = curve[:at] == curve[at]
    if rows.logged is not None:
        same &= np.isin(np.arange(at), rows.logged)
    before = np.flatnonzero(same)
    old = int(before[-1]) if before.size else at - 1
    where = f"row {int(rows.lines[at]):,}"
    if found.fall >= 0:
        what = f"{roles.step} falls from {rows.step[old]:g} to {rows.step[at]:g}"
    else:
        what = f"{roles.step} {rows.step[at]:g} comes again with another {roles.loss}"
    within = [f"{c} {_value(rows.labels[c], at)}" for c in [*runs, *groups]]
    what += f" within {listed(within)}" if within else ""
    rows.labels = {**rows.labels, **more()}
    tried = [c for c in [*roles.methods, *roles.runs, *roles.others] if c in rows.labels]
    tried = [c for c in tried if c not in {*runs, *groups} and rows.labels[c].count > 1]
    tried = [c for c in tried if not one_a_row(rows.labels[c])]
    help_ = [c for c in tried if rows.order([*runs, *groups, c]).sound]
    if help_:
        options = [f"{c} ({rows.labels[c].count:,} values)" for c in help_]
        seeds, methods = " ".join([*runs, help_[0]]), " ".join([*groups, help_[0]])
        return ReadingError(
            f"{rows.name}: {where}: {what}; {listed(options, 4)} would tell the rows apart:"
            f" --run {seeds} if these are seeds, --by {methods} if they are methods"
        )
    if within:
        return ReadingError(
            f"{rows.name}: {where}: {what}; steps must rise within a run: sort the rows by step if"
            " they are of one run, or name a further column that tells runs (--run) or methods"
            " (--by) apart"
            if found.fall >= 0
            else f"{rows.name}: {where}: {what}; a run has one {roles.loss} at a step: name a"
            " further column that tells runs (--run) or methods (--by) apart, or leave rows out"
        )
    return ReadingError(
        f"{rows.name}: {where}: {what}; steps must rise within a run, and no column tells runs"
        " apart: add one and name it with --run, or sort the rows by step if they are of one run"
    )


def _numbered(values: Sequence[str]) -> bool:
    """Tell whether names differ in a number only, as those of runs do."""
    return len({re.sub(r"\d+", "#", value) for value in values}) == 1


def _value(label: Label, at: int) -> str:
    code = int(label.codes[at])
    return label.values[code] if code >= 0 else "(empty)"


def _one_way(rows: Rows, runs: list[str], groups: list[str], notes: list[str]) -> list[str]:
    """Return the columns that name runs; ReadingError if they count runs in several ways."""
    if len(runs) < 2:
        return runs
    base = rows.count(groups)
    counts = {column: rows.count([*groups, column]) for column in runs}
    total = rows.count([*groups, *runs])
    full = [column for column in runs if counts[column] == total]
    rest = [column for column in runs if counts[column] not in (total, base)]
    if full and not rest:
        if len(full) > 1:
            notes.append(f"Columns {listed(full)} name the same runs.")
        return full[:1]
    said = listed([f"{column} ({counts[column]:,})" for column in runs])
    setting = (rest or runs)[-1]
    seeds = " ".join(column for column in runs if column != setting)
    raise ReadingError(
        f"{rows.name}: {said} could each name runs, {total:,} together: --run {' '.join(runs)} if"
        f" all of them are seeds, --run {seeds} --by {' '.join([*groups, setting])} if {setting} is"
        " a setting"
    )


def _named(rows: Rows, columns: Sequence[str], otherwise: str, keyed: bool) -> Label:
    """Return texts for the combinations of columns, in order of appearance."""
    size = rows.step.size
    if not columns:
        return Label(np.zeros(size, dtype=np.int32), [otherwise])
    label = combine([rows.labels[column] for column in columns], size)
    first = np.full(len(label.values), -1)
    codes = label.codes
    first[codes[::-1]] = np.arange(size - 1, -1, -1)
    texts = []
    for at in first:
        pairs = [(column, _value(rows.labels[column], int(at))) for column in columns]
        texts.append(", ".join(f"{c}={v}" if keyed else v for c, v in pairs))
    return Label(codes, texts)
