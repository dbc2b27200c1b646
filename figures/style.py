"""One look for all figures: column width, color-blind safe palette, sizes, axis helpers."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from motsim.figures import venue
from motsim.figures.dark import contrast

__all__ = [
    "COLUMN",
    "PAGE",
    "PALETTE",
    "context",
    "ink",
    "label_stages",
    "legend",
    "panels",
    "seeds",
]

COLUMN = 3.4  # inches, one column of a two-column page
PAGE = 7.0
PALETTE = sns.color_palette("colorblind")
GRAY = "0.45"

SETTINGS: dict[str, Any] = {
    "figure.dpi": 100,
    "savefig.dpi": 220,
    "savefig.bbox": "tight",
    "font.size": 8,
    "axes.titlesize": 8.5,
    "axes.labelsize": 8,
    "legend.fontsize": 7,
    "xtick.labelsize": 7,
    "ytick.labelsize": 7,
    "lines.linewidth": 1.3,
    "lines.markersize": 3.5,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "0.92",
    "grid.linewidth": 0.6,
    "legend.frameon": False,
    "pdf.fonttype": 42,
    "svg.hashsalt": "motsim",
}


@contextmanager
def context() -> Iterator[None]:
    """Apply the look within a block."""
    with mpl.rc_context(sns.axes_style("ticks") | SETTINGS | venue.letters()):
        yield


def ink(color: int) -> str:
    """Return a color of the palette, dark enough for text on white."""
    shade = np.array(PALETTE[color])
    while contrast(mpl.colors.to_hex(tuple(shade)), "#ffffff") < 4.6:
        shade *= 0.97
    return mpl.colors.to_hex(tuple(shade))


def panels(
    columns: int = 1,
    rows: int = 1,
    *,
    height: float = 2.5,
    width: float | None = None,
    together: bool = False,
) -> tuple[Figure, list[Axes]]:
    """Return a figure and its axes in reading order; one panel is one column wide.

    For print it has the width of the page, and fewer panels in a row where that is narrow, unless
    they belong `together`: they share their rows.
    """
    wide = width or (COLUMN if columns == 1 else PAGE)
    count = rows * columns
    if page := venue.wide():
        wide = page.column if columns == 1 and wide <= COLUMN else page.page
        if not together:
            columns, rows = venue.narrowest(columns, rows, wide)
    figure, grid = plt.subplots(
        rows, columns, figsize=(wide, height * rows), squeeze=False, layout="constrained"
    )
    axes = list(grid.ravel())
    for ax in axes[count:]:
        ax.remove()
    return figure, axes[:count]


def legend(owner: Axes | Figure, **options: Any) -> None:
    """Add a legend where there is something to explain."""
    axes = [owner] if isinstance(owner, Axes) else owner.axes
    if any(ax.get_legend_handles_labels()[0] for ax in axes):
        owner.legend(**options)


def label_stages(ax: Axes, stages: list[tuple[str, float, float]]) -> None:
    """Shade the stages (name, start, stop) of an axis of steps; name them on top.

    The second name ends where its stage does and the third begins with its own: both stages
    can be narrower than their names.
    """
    straight = ax.get_xscale() == "linear"
    for i_stage, (name, start, stop) in enumerate(stages):
        ax.axvspan(start, stop, color="0.5", alpha=0.10 if i_stage % 2 == 0 else 0.0, lw=0)
        middle = (start + stop) / 2 if straight else (start * stop) ** 0.5
        x, ha, shift = {1: (stop, "right", -3.0), 2: (start, "left", 3.0)}.get(
            i_stage, (middle, "center", 0.0)
        )
        ax.annotate(
            name, (x, 1.0), (shift, 1.5), xycoords=ax.get_xaxis_transform(),
            textcoords="offset points", ha=ha, va="bottom", fontsize=6.5, color=GRAY,
        )  # fmt: skip


def seeds(rows: pd.DataFrame) -> str:
    """Return the number of seeds of the cases: ``12``, or ``12 to 40`` where they have several."""
    numbers = rows.groupby("case")["seed"].nunique()
    low, high = int(numbers.min()), int(numbers.max())
    return f"{low}" if low == high else f"{low} to {high}"
