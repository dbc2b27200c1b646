"""Roles: which column is the loss, which the step, and which might name runs or methods."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from motsim.checks import listed
from motsim.rates.reading import names
from motsim.rates.reading.frames import MISSING
from motsim.rates.reading.layout import comma_rule, is_number
from motsim.rates.reading.misnamed import clash
from motsim.rates.reading.refusal import ReadingError
from motsim.rates.reading.table import Table

__all__ = ["Roles", "choose", "choose_loss", "choose_step"]


@dataclass
class Roles:
    """Columns by what they are for.

    Attributes
    ----------
    loss, step : str
        The curve itself.
    run, by : tuple of str
        As asked for; empty where it is left to the data.
    runs, methods, others : list of str
        Columns that may name runs, methods, or (numbers of unknown meaning) either.
    notes : list of str
        What was guessed.
    """

    loss: str
    step: str
    run: tuple[str, ...]
    by: tuple[str, ...]
    runs: list[str] = field(default_factory=list)
    methods: list[str] = field(default_factory=list)
    others: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def choose(
    table: Table, loss: str | None, step: str | None, run: Sequence[str], by: Sequence[str]
) -> Roles:
    """Return the roles of a long table's columns."""
    run = tuple(table.find(name, "run") for name in run)
    by = tuple(table.find(name, "by") for name in by)
    taken = {*run, *by}
    named = dict.fromkeys(run, "run") | dict.fromkeys(by, "by")
    numbers = [name for name in table.columns if _numbers(table, name)]
    steps, losses = names.step_columns(numbers), names.loss_columns(numbers)[0]
    clash(table, "step", step, named, steps)
    clash(table, "loss", loss, named, losses)
    notes: list[str] = []
    step = choose_step(table, step, taken, notes)
    loss = choose_loss(table, loss, {*taken, step}, notes)
    if loss == step:
        raise ReadingError(f"{table.name}: {loss!r} is named both as --loss and as --step")
    free = [name for name in table.columns if name not in {loss, step, *taken, *table.index}]
    runs = [name for name in free if names.is_run(name)]
    also = set(names.step_columns(free))
    rest = [name for name in free if name not in runs]
    speak = {name for group in names.loss_columns(free) for name in group}
    curves = {name for name in {*also, *speak} if _numbers(table, name)}
    rest = [name for name in rest if name not in curves]
    texts = [name for name in rest if name in table.text]
    methods = [*texts, *(n for n in rest if n not in table.text and names.is_method(n))]
    others = [n for n in rest if n not in methods]
    others += [n for n in also if names.plain(n) in ("k", "t")]
    if run:  # what else looks like a run was not named: it may still be what tells rows apart
        others, runs = runs + others, []
    return Roles(loss, step, run, by, runs, methods, others, notes)


def choose_step(table: Table, asked: str | None, taken: set[str], notes: list[str]) -> str:
    """Return the column of steps; its guess is added to the notes."""
    if asked is not None:
        return table.find(asked, "step")
    taken = {*taken, *table.index}
    free = [name for name in table.columns if name not in taken and _numbers(table, name)]
    found = names.step_columns(free)
    if not found and table.index:
        return table.index[0]  # what it counts is known, and said, when all of it was read
    if not found:
        if len(table.columns) == 2 and table.columns[0] == "column 1" and _rises(table):
            notes.append("Step column: the first, as it rises.")
            return table.columns[0]
        rising = [name for name in free if _rises(table, table.columns.index(name))]
        raise ReadingError(
            f"{table.name}: no column looks like a step (step, iteration, epoch, evaluations, ...)"
            + (f"; name one of {listed(rising)} with --step" if rising else ", and none rises")
            + ("" if rising else "; add the steps as a column")
        )
    other = f" (of {listed(found, 4)}: --step NAME for another)" if len(found) > 1 else ""
    notes.append(f"Step column: {found[0]}, by its name{other}.")
    if found[0] in names.step_columns([found[0]]) and names.plain(found[0]) in names.TIMES:
        notes.append("It is time on the clock: T depends on the machine.")
    return found[0]


def choose_loss(table: Table, asked: str | None, taken: set[str], notes: list[str]) -> str:
    """Return the column of losses; its guess is added to the notes."""
    if asked is not None:
        return table.find(asked, "loss")
    taken = {*taken, *table.index}
    free = [name for name in table.columns if name not in taken and _numbers(table, name)]
    steps = set(names.step_columns(free))
    known, speak = names.loss_columns([name for name in free if name not in steps])
    filled = [name for name in known if _filled(table, name)] or known
    if filled:
        others = [name for name in [*filled, *speak] if name != filled[0]]
        other = f" (also there: {listed(others, 4)}; --loss NAME for another)" if others else ""
        notes.append(f"Loss column: {filled[0]}, by its name{other}.")
        return filled[0]
    left = speak or [
        name
        for name in free
        if name not in steps
        and not names.is_run(name)
        and not names.is_method(name)
        and _filled(table, name)
    ]
    if len(left) == 1:
        why = "its name speaks of a loss" if speak else "the only numbers left"
        notes.append(f"Loss column: {left[0]}, {why}.")
        return left[0]
    if not left:
        raise ReadingError(
            f"{table.name}: no column of numbers is left for the loss;"
            f" there are: {listed(table.columns)}; name one with --loss"
        )
    raise ReadingError(
        f"{table.name}: which column is the loss? name one of {listed(left)} with --loss"
    )


def _numbers(table: Table, name: str) -> bool:
    """Tell whether a column holds numbers; with text between, if its name is a loss or a step."""
    if name not in table.text:
        return True
    known = names.step_columns([name]) or names.loss_columns([name])[0]
    cells = [str(cell).strip() for cell in table.start[name]]
    return bool(known) and any(is_number(cell) or comma_rule(cell) for cell in cells)


def _filled(table: Table, name: str) -> bool:
    """Tell whether a column holds anything in the first rows."""
    return any(str(cell).strip().lower() not in (MISSING | {"nan"}) for cell in table.start[name])


def _rises(table: Table, column: int = 0) -> bool:
    """Tell whether a column rises over the first rows."""
    try:
        cells = [float(cell) for cell in table.start.iloc[:, column].tolist()]
    except (TypeError, ValueError):
        return False
    return all(new > old for old, new in pairwise(cells))
