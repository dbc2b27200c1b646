"""What came out in each setting of a sweep that has no claim: a line each, and what to do next."""

import shlex
import sys
import textwrap
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeGuard

import numpy as np
import pandas as pd
from pydantic import BaseModel

from motsim.commands.idle import idle_lines
from motsim.commands.summary import is_decade, label_text
from motsim.experiments import load_kind
from motsim.mixture.status import Status
from motsim.plans.plan import Cell, Sweep
from motsim.results.tables import Tables

if TYPE_CHECKING:
    from motsim.experiments.mixture.settings import Settings

__all__ = ["conclusion", "setting_lines"]

COLUMNS = 80
FEW = 3  # runs from which on a law is looked for
MAX_LAWS = 40  # settings; a law takes up to a second
RESULTS = ("error", "forgetting", "generali", "accuracy", "loss")  # in names of results
BESIDE = ("_predicted", "_rival", "_crossover", "_se", "_variance")  # not results themselves
SHOWN = 3  # medians of kinds of run that end with no loss


def conclusion(sweep: Sweep, tables: Tables, cells: Sequence[Cell], folder: Path) -> Iterator[str]:
    """Yield a line a setting, and what to do next."""
    yield ""
    yield from setting_lines(tables, cells)
    yield from idle_lines(tables)
    out = "" if folder == Path("results") else f" --out {shlex.quote(str(folder))}"
    times = "epsilon" in tables.main
    if times and max(rows["run"].nunique() for rows in _groups(tables)) < FEW:
        yield f"next: a law needs {FEW} runs a setting or more: --seeds {2 * FEW}"
    elif times and not sweep.altered:
        yield "next: where does it end? --set KEY=A,B adds an axis; --case NAME runs one case"
    else:
        yield f"next: all of it on one page: python -m motsim.report{out}"


def setting_lines(tables: Tables, cells: Sequence[Cell]) -> Iterator[str]:
    """Yield what came out in each setting, in the order of the sweep, in 80 columns.

    How many runs, the share of them that specialize, medians, T(eps) at the last decade that most
    of them reach, and the law with its interval, as far as this kind of run tells them.
    """
    by_run: dict[str, list[Cell]] = {}
    for cell in cells:
        by_run.setdefault(cell.key[:12], []).append(cell)
    for i_group, rows in enumerate(_groups(tables)):
        found = by_run[rows.iloc[0]["run"]]  # several settings may share a run: in their order
        cell = found.pop(0) if len(found) > 1 else found[0]
        name = ", ".join(
            str(value) if label == "case" else f"{label} {label_text(value)}"
            for label, value in cell.labels.items()
            if label != "seed"
        )
        text = "; ".join(_parts(rows, cell, tables.labels, law=i_group < MAX_LAWS))
        yield textwrap.fill(
            f"{name}: {text}" if name else text,
            COLUMNS, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False,
        )  # fmt: skip


def _groups(tables: Tables) -> list[pd.DataFrame]:
    """Rows of each setting."""
    axes = [label for label in tables.labels if label != "seed"]
    if not axes:
        return [tables.main]
    return [rows for _, rows in tables.main.groupby(axes, dropna=False, sort=False)]


def _parts(rows: pd.DataFrame, cell: Cell, labels: Sequence[str], *, law: bool) -> Iterator[str]:
    """Yield what is known of one setting."""
    said = load_kind(cell.kind, cell.folder).measures if cell.science else ()
    measures = [name for name in said if name in rows]
    runs = rows.drop_duplicates("run")
    settings, num_classes = cell.settings, None
    if _of_mixtures(settings):
        from motsim.claims._outcomes import outcomes
        from motsim.experiments.mixture.settings import build_model

        num_classes = settings.num_classes if build_model(settings).gated else None
        yield str(outcomes(rows, num_classes))
    else:
        diverged = int((runs["status"] == Status.DIVERGED).sum())
        yield f"{len(runs)} runs" + (f", {diverged} diverged" if diverged else "")
    for name in measures or _measured(runs, labels):
        yield f"median {name.replace('_', ' ')} {runs[name].median():.3g}"
    if not {"epsilon", "step", "stage_step", "stage_length"} <= set(rows):
        return
    yield _last_decade(rows)
    if law and len(runs) >= FEW:
        from motsim.claims._rates import case_decision
        from motsim.rates.words import short_answer

        decision = case_decision(rows, num_classes)
        yield f"law of the last stage: {short_answer(decision)}"
        if decision.law == "inconclusive" and decision.reason:
            yield decision.reason


def _of_mixtures(settings: BaseModel) -> "TypeGuard[Settings]":
    """Whether they are a mixture's, whose module nobody else need load: it compiles kernels."""
    module = sys.modules.get("motsim.experiments.mixture.settings")
    return module is not None and isinstance(settings, module.Settings)


def _measured(runs: pd.DataFrame, labels: Sequence[str]) -> list[str]:
    """Names of what is shown by its median: the final loss, or another kind's first results."""
    if "final_loss" in runs:
        return ["final_loss"]
    numbers = (
        runs.select_dtypes("number")
        .dropna(axis=1, how="all")
        .drop(columns=list(labels), errors="ignore")
    )
    names = [str(name) for name in numbers if not str(name).endswith(BESIDE)]
    return [name for name in names if any(word in name for word in RESULTS)][:SHOWN]


def _last_decade(rows: pd.DataFrame) -> str:
    """T(eps) at the last decade that most runs reach."""
    steps = rows["step"].where(rows["step"] >= 0, np.inf)
    medians = steps[rows["epsilon"].map(is_decade)].groupby(rows["epsilon"]).median()
    reached = medians[np.isfinite(medians)]
    if reached.empty:
        return "no decade reached by most runs"
    return f"T({reached.index.min():.0e}) = {reached.loc[reached.index.min()]:,.0f}"
