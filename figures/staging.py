"""Staging: the loss along three-, two- and one-stage training with the same number of steps."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from motsim.claims._outcomes import outcomes
from motsim.claims.staging import NUM_CLASSES
from motsim.figures import style
from motsim.results.tables import Tables

__all__ = ["draw"]

LOOK = {
    ("three_stage", False): ("three stages", 3, "-"),
    ("two_stage", False): ("two stages", 0, "-"),
    ("end_to_end", False): ("one stage", 1, "-"),
    ("end_to_end", True): ("one stage, tuned", 2, "--"),
}


def draw(tables: Tables) -> dict[str, Figure]:
    """Return the figure."""
    figure, axes = style.panels(2, height=2.6)
    curve, runs = tables.others["curve"], tables.main
    for ax, preset in zip(axes, ("cubic", "linear"), strict=True):
        for case in (preset, f"{preset}-tuned"):
            part = curve[curve["case"] == case]
            for schedule, rows in part.groupby("schedule", sort=False):
                these = runs[(runs["case"] == case) & (runs["schedule"] == schedule)]
                found = outcomes(these, NUM_CLASSES)
                share = f"{found.num_done}/{found.num_runs}"
                losses(rows, LOOK[str(schedule), case != preset], share, ax)
        ax.set_title(f"{preset} experts")
        ax.set_yscale("log")
        style.legend(ax, loc="lower left")
    axes[0].set_ylabel("expected loss (noise-free routing)")
    seeds = tables.main["seed"].nunique()
    figure.supxlabel(
        f"gradient step  (line: median of {seeds} seeds, thin: each; in brackets: specialized)",
        fontsize=8,
    )
    return {"staging": figure}


def losses(rows: pd.DataFrame, look: tuple[str, int, str], share: str, ax: Axes) -> None:
    """Draw one schedule: every seed thin, their median thick."""
    label, color, dash = look
    runs = [run.set_index("step")["loss"] for _, run in rows.groupby("seed")]
    runs = [run[np.isfinite(run) & (run > 0)] for run in runs]
    for run in runs:
        ax.plot(run.index, run, dash, color=style.PALETTE[color], lw=0.5, alpha=0.5)
    last = min(run.index.max() for run in runs)
    steps = np.unique(np.concatenate([run.index.to_numpy() for run in runs]))
    steps = steps[steps <= last]
    wide = np.array([np.interp(steps, run.index, np.log(run)) for run in runs])
    ax.plot(
        steps,
        np.exp(np.median(wide, 0)),
        dash,
        color=style.PALETTE[color],
        label=f"{label} ({share})",
    )
