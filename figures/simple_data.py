"""Simple and complex data: loss of one expert and of a mixture, and the experts used."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from motsim.claims.simple_data import AMPLITUDES, ENOUGH, floor, labeled
from motsim.figures import style
from motsim.results.tables import Tables

__all__ = ["draw", "losses", "used"]

#: Kind -> label, color, marker, offset.
LOOK = {
    "one-frozen": ("one expert, attention frozen", 7, "o", -0.22),
    "one": ("one expert", 0, "s", -0.05),
    "mixture": ("mixture, M = 32", 3, "^", 0.15),
}


def draw(tables: Tables) -> dict[str, Figure]:
    """Return the figure: losses left, experts used right."""
    runs = labeled(tables)
    figure, axes = style.panels(2, height=2.6)
    losses(runs, axes[0])
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=4)
    used(runs[runs["kind"] == "mixture"], axes[1])
    ticks = [f"{name}\n[{low:g}, {high:g}]" for name, (low, high) in AMPLITUDES.items()]
    for ax in axes:
        ax.set_xticks(range(len(ticks)), ticks)
        ax.set_xlim(-0.5, len(ticks) - 0.5)
        ax.grid(visible=False, axis="x")
    seeds = runs["seed"].nunique()
    figure.supxlabel(
        f"distractors and their amplitude γ  ({seeds} seeds a setting; ρ: similarity of classes)",
        fontsize=8,
    )
    return {"simple-data": figure}


def losses(runs: pd.DataFrame, ax: Axes) -> None:
    """Draw every run's final loss; the derived floor of one expert as a bar."""
    names = list(AMPLITUDES)
    for kind, rows in runs.groupby("kind", sort=False):
        label, color, marker, shift = LOOK[str(kind)]
        settings = rows.groupby(["num_classes", "similarity"]).ngroup()
        spread = (settings - settings.mean()) * 0.035
        ax.scatter(
            rows["strength"].map(names.index) + shift + spread, rows["final_loss"], s=9, lw=0,
            marker=marker, color=style.PALETTE[color], label=label, alpha=0.8, zorder=3,
        )  # fmt: skip
    for i_name, name in enumerate(names):
        ax.hlines(
            floor(name), i_name - 0.42, i_name + 0.42, color="0.1", lw=0.9,
            label="derived floor, E γ²/(2 + 2 E γ²)" if i_name == 0 else "",
        )  # fmt: skip
    ax.axhline(ENOUGH, color=style.GRAY, lw=0.8, ls="--")
    ax.text(
        len(names) - 0.5, ENOUGH, "suffices below ", fontsize=6.5, color=style.GRAY, ha="right",
        va="top",
    )  # fmt: skip
    ax.set_yscale("log")
    ax.set_ylim(1e-11, 3)
    ax.set_ylabel("final expected loss")


def used(rows: pd.DataFrame, ax: Axes) -> None:
    """Draw the mean number of experts that the mixture uses, by N and similarity."""
    names = list(AMPLITUDES)
    groups = rows[["num_classes", "similarity"]].drop_duplicates().to_numpy(float).tolist()
    for i_group, (n, rho) in enumerate(sorted(groups)):
        part = rows[(rows["num_classes"] == n) & (rows["similarity"] == rho)]
        shift = (i_group - (len(groups) - 1) / 2) * 0.13
        mean = part.groupby("strength")["used_experts"].agg(["mean", "min", "max"])
        at = np.array([names.index(str(name)) for name in mean.index]) + shift
        bars = np.array([mean["mean"] - mean["min"], mean["max"] - mean["mean"]])
        paint = style.PALETTE[{2: 0, 4: 1, 8: 2}.get(int(n), 4)]
        ax.errorbar(
            at, mean["mean"], yerr=bars, fmt="o" if rho == 0 else "s", ms=4, lw=0.9, color=paint,
            mfc=paint if rho == 0 else "white", label=f"N = {int(n)}, ρ = {rho:g}",
        )  # fmt: skip
    ax.axhline(1, color=style.GRAY, lw=0.8, ls="--")
    ax.set_ylim(0, rows["used_experts"].max() + 1.5 if len(rows) else 1)
    ax.set_ylabel("experts used (mean, range)")
    style.legend(ax, loc="upper left", ncols=2)
