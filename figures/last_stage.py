"""T(eps) of every last stage down to where it stops, and where it stops against prediction."""

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from motsim.claims._outcomes import specialized
from motsim.claims._rates import curves
from motsim.claims.last_stage import NUM_CLASSES, SETTLED, STOPPED, plateaus
from motsim.figures import style
from motsim.rates import log_depth
from motsim.results.tables import Tables

__all__ = ["draw"]

TOP = 900  # steps; a run that stands still goes straight up
#: Ending of the case -> label, color, line style, marker.
LOOK = {
    "aligned": ("attention trained before, frozen", 9, "-", "o"),
    "aligned-20": ("attention trained for 20 steps", 4, "-", "v"),
    "aligned-200": ("attention trained for 200 steps", 3, "-", "o"),
    "aligned-2000": ("attention trained for 2,000 steps", 7, "-", "^"),
    "together": ("experts and attention together", 0, "--", "P"),
    "untrained": ("attention never trained", 2, "-", "s"),
    "none": ("no attention", 1, ":", "D"),
}


def draw(tables: Tables) -> dict[str, Figure]:
    """Return the figure."""
    figure, axes = style.panels(3, height=2.9)
    for ax, kind in zip(axes, SETTLED, strict=False):
        _hitting(tables, kind, ax)
        ax.set_title(f"{kind} experts")
    axes[0].set_ylabel("steps of the last stage, T(ε)")
    for ax in axes[:2]:
        ax.set_xlabel("1/ε")
    _prediction(tables, axes[2])
    named = {label: line for ax in axes[:2] for line, label in zip(*_entries(ax), strict=True)}
    if named:
        figure.legend(
            list(named.values()), list(named), loc="outside upper center", ncols=3, fontsize=6.5
        )
    figure.supxlabel(
        "lines: median of the runs that specialize, as far as half of them get; ×: end of the"
        " logarithm\nwhere the loss stops: one marker a run, in the colors above (open: linear"
        " experts, filled: cubic); the line is equality, nothing fitted",
        fontsize=7,
    )
    return {"last-stage": figure}


def _entries(ax: Axes) -> tuple[list[Artist], list[str]]:
    handles, labels = ax.get_legend_handles_labels()
    return list(handles), labels


def _hitting(tables: Tables, kind: str, ax: Axes) -> None:
    """Draw median T(eps) while at least half of the runs get there; mark where the log ends."""
    for ending, (label, i_color, line, _) in LOOK.items():
        rows = tables.main[tables.main["case"] == f"{kind}-{ending}"]
        rows = specialized(rows, NUM_CLASSES)
        if rows.empty:
            continue
        epsilons, hits, budgets = curves(rows)
        times = np.where(hits >= 0, hits, np.inf).astype(float)
        middle = np.median(times, axis=0)
        shown = (middle < 0.85 * TOP) & (middle > 0)
        color = style.PALETTE[i_color]
        ax.plot(1 / epsilons[shown], middle[shown], line, color=color, lw=1.2, label=label)
        depth = log_depth(epsilons, hits, budgets)
        end = depth.median()[0]
        if depth.num_kept <= len(hits) / 2 and np.isfinite(end):
            kept = (epsilons >= 0.99 * end) & np.isfinite(middle)
            at = int(np.flatnonzero(kept)[-1])
            ax.plot([1 / epsilons[at]], [middle[at]], "x", color=color, ms=5, mew=1.4)
    ax.set_xscale("log")
    ax.set_ylim(0, TOP)


def _prediction(tables: Tables, ax: Axes) -> None:
    """Draw the measured plateau of every run against the predicted one."""
    ends = []
    for kind, cases in STOPPED.items():
        rows = plateaus(tables, kind)
        for case in cases:
            part = rows[rows["case"] == case]
            if part.empty:
                continue
            _, i_color, _, marker = LOOK[case.removeprefix(f"{kind}-")]
            ax.plot(
                part["predicted"], part["measured"], marker, color=style.PALETTE[i_color], ms=3,
                mfc=None if kind == "cubic" else "white", mew=0.8, ls="",
            )  # fmt: skip
            ends += [part["predicted"].min(), part["predicted"].max()]
    if ends:
        span = np.array([min(ends) / 3, max(ends) * 3])
        ax.plot(span, span, color="0.6", lw=0.8, zorder=0)
    ax.set_xscale("log")
    ax.set_yscale("log")
    ax.set_title("where the loss stops")
    ax.set_xlabel("predicted loss")
    ax.set_ylabel("measured loss")
