"""Real data: test error of models of equal size and of equal work, by mixture, steps and work."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MultipleLocator

from motsim.figures import style
from motsim.results.tables import Tables
from motsim.statistics.interval import stacked
from motsim.statistics.intervals import mean_interval

__all__ = ["LOOK", "bands", "draw", "errors", "percent_axis"]

#: Model -> label, color, marker.
LOOK = {
    "mot": ("mixture of transformers", 3, "o"),
    "single": ("single, multi-head, equal size", 0, "s"),
    "moe": ("mixture without attention", 1, "^"),
    "shared": ("mixture, shared attention", 2, "D"),
    "one": ("one transformer, equal work", 7, "v"),
}
#: Model -> name at the end of its line.
NAMES = {
    "mot": "mixture (MoT)", "single": "multi-head", "moe": "no attention",
    "shared": "shared attention", "one": "one transformer",
}  # fmt: skip
APART = 1.22  # least ratio of two labels' heights
#: Case -> label.
CASES = {
    "simple": "2 tasks",
    "complex": "8 tasks",
    "complex-linear": "8 tasks,\nlinear",
    "relabeled": "4 tasks,\n10 classes",
}
CURVES = "complex"
TICKS = [1, 2, 5, 10, 20, 40]
BATCH, PASSES = 64, 3  # samples a step; a backward pass is about twice the work of a forward one


def draw(tables: Tables) -> dict[str, Figure]:
    """Return the figure: errors by mixture, and against steps and work on the complex one."""
    rows = tables.main[tables.main["status"] == "done"]
    figure, axes = style.panels(3, height=2.7)
    errors(rows, axes[0])
    curves = tables.others.get("curve", pd.DataFrame())
    if len(curves):
        curves = curves[curves["case"] == CURVES].merge(
            rows[["case", "model", "seed", "work"]], on=["case", "model", "seed"]
        )
        curves = curves[curves["step"] > 0]
        curves = curves.assign(x=curves["step"], y=100 * curves["test_error"])
        bands(curves, "model", LOOK, axes[1])
        millions = curves["step"] * curves["work"] * BATCH * PASSES / 1e6
        bands(curves.assign(x=millions), "model", LOOK, axes[2])
    axes[1].set_xlabel("gradient steps (8 tasks)")
    axes[2].set_xlabel("work, millions of products (8 tasks)")
    for ax in axes[1:]:
        ax.set_xscale("log")
        percent_axis(ax)
        ax.xaxis.set_major_formatter("{x:g}")
    seeds = style.seeds(rows)
    ends(curves, axes[1])
    figure.supxlabel(f"mean of {seeds} seeds, 95 % interval", fontsize=8)
    return {"realdata": figure}


def errors(rows: pd.DataFrame, ax: Axes) -> None:
    """Draw the test error of every model on every mixture."""
    cases = [case for case in CASES if (rows["case"] == case).any()]
    for i_model, (model, (label, color, marker)) in enumerate(LOOK.items()):
        points = [
            mean_interval(100 * rows[(rows["case"] == c) & (rows["model"] == model)]["test_error"])
            for c in cases
        ]
        mean, low, high = stacked(points)
        ax.errorbar(
            np.arange(len(cases)) + (i_model - 2) * 0.13, mean, yerr=[mean - low, high - mean],
            fmt=marker, ms=4, lw=0.9, color=style.PALETTE[color], label=label,
        )  # fmt: skip
    ax.set_xticks(range(len(cases)), [CASES[c] for c in cases])
    ax.set_xlim(-0.5, len(cases) - 0.5)
    ax.set_ylim(bottom=0)
    ax.yaxis.set_major_locator(MultipleLocator(5))
    ax.grid(visible=False, axis="x")
    ax.set_ylabel("test error (%)")
    ax.set_xlabel("mixture of tasks")


def ends(curves: pd.DataFrame, ax: Axes) -> None:
    """Name each line where it ends, apart from its neighbors."""
    last: list[tuple[float, str]] = []
    for model in LOOK if len(curves) else ():
        own = curves[curves["model"] == model]
        if len(own):
            last.append((own[own["step"] == own["step"].max()]["y"].mean(), model))
    below = 0.0
    for value, model in sorted(last):
        height = max(value, below * APART)
        below = height
        ax.annotate(
            NAMES[model], (1.0, height), (4, 0), xycoords=ax.get_yaxis_transform(), va="center",
            textcoords="offset points", fontsize=6.5, color=style.ink(LOOK[model][1]),
        )  # fmt: skip


def percent_axis(ax: Axes) -> None:
    """Make the vertical axis a logarithmic one of percentages."""
    ax.set_yscale("log")
    ax.set_yticks(TICKS, [f"{tick:g}" for tick in TICKS])
    ax.minorticks_off()


def bands(curves: pd.DataFrame, key: str, look: dict[str, tuple[str, int, str]], ax: Axes) -> None:
    """Draw the mean of column `y` with its interval against `x`, one line a value of `key`."""
    for name, (label, color, marker) in look.items():
        own = curves[curves[key] == name]
        if own.empty:
            continue
        at = np.unique(own["x"].to_numpy(float))
        found = [mean_interval(own[own["x"] == x]["y"]) for x in at]
        mean, low, high = stacked(found)
        paint = style.PALETTE[color]
        ax.plot(at, mean, marker=marker, ms=3, color=paint, label=label)
        ax.fill_between(at, np.maximum(low, 1e-2), high, color=paint, alpha=0.15, lw=0)
