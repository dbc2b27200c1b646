"""Gradient conflict along training: specialized experts, the same with a frozen gate, single."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from motsim.figures import style
from motsim.results.tables import Tables

__all__ = ["draw"]

#: Case -> label, color, line.
LOOK = {
    "mot-linear": ("MoT", 3, "-"),
    "frozen-linear": ("MoT, gate frozen", 7, "--"),
    "single-16": ("single, 16 heads", 0, "-."),
    "mot-cubic": ("MoT", 3, "-"),
    "frozen-cubic": ("MoT, gate frozen", 7, "--"),
    "single-4": ("single, 4 heads", 9, "-."),
}
PANELS = {
    "linear experts, M = 32": ("mot-linear", "frozen-linear", "single-16"),
    "cubic experts, M = 16": ("mot-cubic", "frozen-cubic", "single-4"),
}


def draw(tables: Tables) -> dict[str, Figure]:
    """Return one figure with a panel for each preset."""
    figure, axes = style.panels(2, height=2.4)
    rows = tables.others["conflict"]
    for ax, (title, cases) in zip(axes, PANELS.items(), strict=True):
        for case in cases:
            _curve(rows[rows["case"] == case], case, ax)
        ax.set_xscale("log")
        ax.set_ylim(-0.02, 0.5)
        ax.set_title(title)
        style.legend(ax, loc="upper left", ncols=2, columnspacing=1.0, handlelength=2.2)
    axes[0].set_ylabel("conflict: mean max(0, −cos)")
    seeds = tables.main["seed"].nunique()
    figure.supxlabel(
        f"gradient step + 1  (median of {seeds} seeds, band: all seeds; single: linear heads)",
        fontsize=8,
    )
    return {"gradient-conflict": figure}


def _curve(rows: pd.DataFrame, case: str, ax: Axes) -> None:
    if rows.empty:
        return
    label, color, line = LOOK[case]
    runs = [run.sort_values("step") for _, run in rows.groupby("seed")]
    last = min(int(run["step"].max()) for run in runs)
    steps = np.unique(np.concatenate([run["step"].to_numpy() for run in runs]))
    steps = steps[steps <= last]
    wide = np.array([np.interp(steps, run["step"], run["conflict"]) for run in runs])
    paint = style.PALETTE[color]
    ax.plot(steps + 1, np.median(wide, 0), line, color=paint, label=label)
    ax.fill_between(steps + 1, wide.min(0), wide.max(0), color=paint, alpha=0.18, lw=0)
