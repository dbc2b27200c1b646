"""Effect of memory, noise, dimension and number of tasks: closed forms through simulated points."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from motsim.claims._simulation import LIMIT, QUANTITIES
from motsim.claims.rehearsal_effects import DIRECTIONS, curves
from motsim.figures import style
from motsim.figures.rehearsal_theory import LOOK, QUANTITY
from motsim.results.tables import Tables

__all__ = ["draw"]

AXES = {
    "memory": "memory m (columns)",
    "noise": "label noise σ",
    "dimension": "parameters p",
    "tasks": "number of tasks T",
}
#: Upper ends that keep the divergence of concurrent rehearsal from hiding the rest.
CEILING = {"forgetting": 2.6, "generalization": 5.5}


def draw(tables: Tables) -> dict[str, Figure]:
    """Return one figure: forgetting above, generalization error below, one column an effect."""
    figure, axes = style.panels(4, 2, height=1.95)
    lines = tables.others["line"]
    lines = lines[lines["seed"] == 0]
    for column, case in enumerate(DIRECTIONS):
        points = curves(tables, case)
        line = lines[lines["case"] == f"{case}-line"]
        for row, quantity in enumerate(QUANTITIES):
            ax = axes[4 * row + column]
            effect(points, line, DIRECTIONS[case].axis, quantity, ax)
            if case in ("dimension", "tasks"):
                ax.set_xscale("log")
            if case == "dimension":
                ax.set_xticks([100, 300, 1000], ["100", "300", "1000"])
                ax.minorticks_off()
            if case == "tasks":
                ax.set_xticks([2, 4, 8, 16, 24], ["2", "4", "8", "16", "24"])
                ax.minorticks_off()
            if row == 1:
                ax.set_xlabel(AXES[case])
            if column == 0:
                ax.set_ylabel(QUANTITY[quantity])
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=4)
    runs = tables.main[tables.main["case"] == "memory"].groupby("seed")["repetitions"].max().sum()
    figure.supxlabel(
        f"lines: closed form; points: {runs:,} runs or more, ± 4 standard errors; else T = 4,"
        " p = 100, n = 20, m = 24, σ = 0.3; vertical axes cut",
        fontsize=7,
    )
    return {"rehearsal-effects": figure}


def effect(points: pd.DataFrame, lines: pd.DataFrame, axis: str, quantity: str, ax: Axes) -> None:
    """Draw one effect on one quantity; filled and solid for cosine 0, open and dashed for 0.9."""
    if points.empty:
        return
    for (strategy, cosine), own in points.groupby(["strategy", "similarity"]):
        label, color, marker = LOOK[str(strategy)]
        shade = style.PALETTE[color]
        line = lines[(lines["strategy"] == strategy) & (lines["similarity"] == cosine)]
        ax.plot(line["value"], line[quantity], color=shade, lw=1.0, ls="-" if cosine == 0 else "--")
        ax.errorbar(
            own[axis], own[quantity], yerr=LIMIT * own[f"{quantity}_se"], fmt=marker, ms=2.8,
            lw=0.7, color=shade, mfc=shade if cosine == 0 else "white",
            label=f"{label}, cosine {cosine:g}",
        )  # fmt: skip
    low = min(points[quantity].min(), 0.0)
    ax.set_ylim(low - 0.06 * (CEILING[quantity] - low), CEILING[quantity])
