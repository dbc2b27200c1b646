"""Real data: experts used, specialization and gain by number of tasks; maps of the routing."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage

from motsim.claims.realdata_experts import (
    FEW,
    SPECIALIZED,
    mixtures,
    relative_entropy,
)
from motsim.figures import style
from motsim.figures.realdata import LOOK
from motsim.results.tables import Tables
from motsim.statistics.interval import stacked
from motsim.statistics.intervals import mean_interval

__all__ = ["draw", "heat_map", "interval_line"]


def draw(tables: Tables) -> dict[str, Figure]:
    """Return the summary and the heat maps of the first seed."""
    rows = mixtures(tables)
    figure, axes = style.panels(3, height=2.5)
    seeds, tasks = rows["seed"].nunique(), sorted(rows["num_tasks"].unique())
    used = rows.pivot_table(index="seed", columns="num_tasks", values="used_experts")
    interval_line(used, axes[0], 3, "o")
    axes[0].axhline(FEW, color=style.GRAY, lw=0.8, ls="--")
    axes[0].set_ylim(0, 8.5)
    axes[0].set_ylabel("experts that serve 95 % of the samples")
    shares = rows.assign(share=relative_entropy(rows))
    interval_line(
        shares.pivot_table(index="seed", columns="num_tasks", values="share"), axes[1], 3, "o"
    )
    axes[1].axhline(SPECIALIZED, color=style.GRAY, lw=0.8, ls="--")
    axes[1].text(1.05, 1.0, "routing ignores the task", va="top", fontsize=6.5, color=style.GRAY)
    axes[1].set_ylim(0, 1.02)
    axes[1].set_ylabel("entropy of task given expert / log N")
    everything = tables.main[tables.main["status"] == "done"]
    for model in ("one", "mot"):
        own = everything[everything["model"] == model]
        wide = 100 * own.pivot_table(index="seed", columns="num_tasks", values="test_error")
        label, color, marker = LOOK[model]
        interval_line(wide, axes[2], color, marker, label)
    axes[2].set_ylim(0, 1.25 * axes[2].get_ylim()[1])  # room for the legend
    axes[2].set_ylabel("test error (%)")
    axes[2].legend(loc="upper left")
    for ax in axes:
        ax.set_xscale("log", base=2)
        ax.set_xticks(tasks, [f"{n:.0f}" for n in tasks])
        ax.set_xlabel(f"tasks N  ({seeds} seeds, 95 % interval)")
    dispatch = tables.others.get("dispatch", pd.DataFrame())
    maps = _maps(dispatch) if len(dispatch) else None
    return {"realdata-experts": figure} | ({"realdata-experts-routing": maps} if maps else {})


def interval_line(
    wide: pd.DataFrame, ax: Axes, color: int, marker: str, label: str | None = None
) -> None:
    """Draw the mean over the rows with its interval against the columns."""
    if wide.empty:
        return
    mean, low, high = stacked(mean_interval(wide[n]) for n in wide.columns)
    ax.errorbar(
        wide.columns.to_numpy(float), mean, yerr=[mean - low, high - mean], marker=marker, ms=4,
        lw=1.1, color=style.PALETTE[color], label=label,
    )  # fmt: skip


def _maps(dispatch: pd.DataFrame) -> Figure:
    first = dispatch[(dispatch["model"] == "mot") & (dispatch["seed"] == dispatch["seed"].min())]
    sizes = sorted(first["num_tasks"].unique())
    figure, axes = style.panels(len(sizes), height=2.2)
    for ax, tasks in zip(axes, sizes, strict=True):
        image = heat_map(first[first["num_tasks"] == tasks], ax)
        ax.set_title(f"N = {tasks}")
    axes[0].set_ylabel("expert, busiest first")
    figure.colorbar(image, ax=axes, label="share of the task's samples", pad=0.01)
    figure.supxlabel("task  (test split, first seed)", fontsize=8)
    return figure


def heat_map(rows: pd.DataFrame, ax: Axes) -> AxesImage:
    """Draw the share of each task's samples that every expert gets."""
    table = rows.pivot_table(index="expert", columns="task", values="share")
    table = table / table.sum(axis=0)
    table = table.loc[table.sum(axis=1).sort_values(ascending=False).index]
    image = ax.imshow(table, vmin=0, vmax=1, cmap="viridis", aspect="auto")
    ax.set_xticks(range(table.shape[1]), [f"{n + 1}" for n in range(table.shape[1])])
    ax.set_yticks([])
    ax.grid(visible=False)
    return image
