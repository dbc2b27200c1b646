"""Curvature and gradient dominance against the loss, with the derived constants."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from motsim.claims.strong_convexity import CASES, late_rows
from motsim.figures import style
from motsim.results.tables import Tables

__all__ = ["draw"]

#: Column, finding whose prediction is drawn, label, color, marker.
HESSIANS = (
    ("mot-cubic", "along", "mot-cubic, along v_n", "cubic, along $v_n$", 3, "o"),
    ("mot-linear", "smallest", "mot-linear, smallest", "linear, smallest", 1, "s"),
    ("mot-cubic", "smallest", None, "cubic, smallest", 4, "X"),
)
DOMINANCE = (
    ("mot-cubic", "ffn_dominance", "mot-cubic, dominance", "MoT, cubic, M = 16", 3, "o"),
    ("mot-linear", "ffn_dominance", "mot-linear, dominance", "MoT, linear, M = 32", 1, "s"),
    ("single-16", "dominance", None, "single, 16 heads", 0, "D"),
    ("single-4", "dominance", None, "single, 4 heads", 9, "^"),
)


def draw(tables: Tables) -> dict[str, Figure]:
    """Return one figure: the experts' Hessians, and the gradient dominance of whole models."""
    figure, axes = style.panels(2, height=2.6)
    for entry in HESSIANS:
        _series(tables, entry, axes[0])
    for entry in DOMINANCE:
        _series(tables, entry, axes[1])
    axes[0].set_ylim(1e-7, 1e3)
    axes[0].set_title("Hessian of an expert's loss on its class")
    axes[0].set_ylabel("eigenvalue")
    axes[1].set_ylim(1e-5, 1e3)
    axes[1].set_title("gradient dominance |∇L|² / 2L of the model")
    axes[1].set_ylabel("|∇L|² / 2L")
    for ax in axes:
        ax.set_xscale("log")
        ax.set_yscale("log")
        ax.invert_xaxis()
        style.legend(ax, loc="upper right", ncols=2, columnspacing=1.0)
    seeds = style.seeds(tables.main)
    figure.supxlabel(
        f"expected loss ε, falling to the right  (markers: snapshots of {seeds} seeds; dashed:"
        " derived constant)",
        fontsize=8,
    )
    return {"strong-convexity": figure}


def _series(tables: Tables, entry: tuple[str, str, str | None, str, int, str], ax: Axes) -> None:
    case, column, finding, label, color, marker = entry
    rows = late_rows(tables, case, column)
    if rows.empty:
        return
    paint = style.PALETTE[color]
    value = np.abs(rows[column])
    hollow = "white" if case.startswith("single") else paint
    ax.plot(rows["loss"], value, marker, color=paint, mfc=hollow, ms=3, label=label)
    constant = CASES[finding][2] if finding else None
    if constant is not None:
        ends = [float(rows["loss"].max()), float(rows["loss"].min())]
        ax.plot(ends, [constant, constant], "--", color=paint, lw=1.0)
