"""Any sweep without a figure of its own: a panel a value of its first axis, every run a line.

Left out: runs that diverged or failed; panels and lines beyond the first ones (the title says so).
"""

from collections.abc import Iterator

import pandas as pd
from matplotlib.figure import Figure

from motsim.commands.summary import label_text
from motsim.figures import style
from motsim.plans.changes import split_table
from motsim.results.tables import Tables, TablesError

__all__ = ["draw"]

PANELS, COLUMNS, LINES, RUNS = 9, 3, 8, 5
#: Of table "curve", first that is there: what is drawn.
VALUES = ("loss", "test_error", "test_loss")
Group = tuple[str, pd.DataFrame]


def draw(tables: Tables) -> dict[str, Figure]:
    """Return T(eps) and the curves against steps, whichever the tables hold.

    Raises
    ------
    TablesError
        If they hold neither.
    """
    name = split_table(tables.name)[0]
    kept = tables.main[~tables.main["status"].isin(("diverged", "error", "crashed"))]
    found: dict[str, Figure] = {}
    if {"epsilon", "step"} <= set(kept):
        hits = kept[kept["epsilon"].notna() & (kept["step"] >= 0)]
        hits = hits.assign(x=1.0 / hits["epsilon"], y=hits["step"].clip(lower=1))
        if len(hits):
            axes = ("1/ε", "T(ε): steps to loss ≤ ε")
            found[name] = _figure(hits, tables.labels, tables.labels, axes)
    curve = tables.others.get("curve")
    value = next((v for v in VALUES if curve is not None and v in curve), "")
    if curve is not None and value and "step" in curve:
        labels = [f"{n}_setting" if f"{n}_setting" in curve else n for n in tables.labels]
        rows = curve.assign(x=curve["step"], y=curve[value])
        rows = rows[(rows["x"] > 0) & (rows["y"] > 0)]
        if len(rows):
            axes = ("step", value.replace("_", " "))
            title = f"{name}-{value.replace('_', '-')}" if found else name
            found[title] = _figure(rows, labels, tables.labels, axes)
    if not found:
        raise TablesError(f"{tables.name} holds no T(eps) above 0 steps and no curve to draw")
    return found


def _figure(
    rows: pd.DataFrame, columns: list[str], labels: list[str], axes: tuple[str, str]
) -> Figure:
    """Draw one panel a value of the first axis that varies; the other axes are colors."""
    names = dict(zip(columns, labels, strict=True))
    varied = [c for c in columns if names[c] != "seed" and rows[c].nunique(dropna=False) > 1]
    panels = list(_split(rows, varied[:1], names))
    shown = panels[:PANELS]
    wide = min(len(shown), COLUMNS)
    high = -(-len(shown) // wide)
    figure, areas = style.panels(wide, high, height=2.5 if high == 1 else 2.0)
    colors: dict[str, int] = {}
    more = len(panels) > PANELS
    for ax, (title, part) in zip(areas, shown, strict=False):
        if ax is not areas[0]:
            ax.sharey(areas[0])
        for line, group in _split(part, varied[1:], names):
            if line not in colors and len(colors) == LINES:
                more = True
                continue
            color = style.PALETTE[colors.setdefault(line, len(colors))]
            seeds = group["seed"].drop_duplicates()[:RUNS]
            for i_seed, seed in enumerate(seeds):
                run = group[group["seed"] == seed].sort_values("x")
                ax.plot(
                    run["x"], run["y"], color=color, lw=0.9, alpha=0.8,
                    label=line if line and not i_seed else None,
                )  # fmt: skip
        ax.set(xscale="log", yscale="log")
        ax.set_title(title, fontsize=7.5)
    for ax in areas[len(shown) :]:
        ax.set_visible(False)
    figure.supylabel(axes[1], fontsize=8)
    note = "; not all settings are drawn" if more else ""
    figure.supxlabel(f"{axes[0]}  (a line a run, at most {RUNS} of each setting{note})", fontsize=8)
    if any(colors):
        handles = {
            label: handle
            for ax in areas
            for handle, label in zip(*ax.get_legend_handles_labels(), strict=True)
        }
        figure.legend(
            handles.values(), handles, loc="outside upper center",
            ncols=2 if max(map(len, handles)) > 30 else min(len(handles), 4), fontsize=6.5,
        )  # fmt: skip
    return figure


def _split(rows: pd.DataFrame, columns: list[str], names: dict[str, str]) -> Iterator[Group]:
    """Groups of rows by some labels, in the order of the sweep, with their names."""
    if not columns:
        yield "", rows
        return
    for values, group in rows.groupby(columns, dropna=False, sort=False):
        words = [
            label_text(value) if names[column] == "case" else f"{names[column]} {label_text(value)}"
            for column, value in zip(columns, values, strict=True)
            if label_text(value) != "-"
        ]
        yield ", ".join(words), group
