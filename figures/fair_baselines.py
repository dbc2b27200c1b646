"""Fair baselines: steps and multiply-adds over the mixture's at three accuracies; who succeeds."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from motsim.claims._outcomes import Outcomes
from motsim.claims._steps import ADVANTAGE, StepRatio, step_ratio
from motsim.claims.fair_baselines import (
    NUM_CLASSES,
    PRESET,
    REFERENCE,
    compared,
    work_ratio,
)
from motsim.figures import style
from motsim.results.tables import Tables

__all__ = ["draw"]

LABELS = {
    "single-1": "single, 1 head",
    "single-4": "single, 4 heads",
    "single-16": "single, 16 heads (H = M)",
    "single-4-4-neurons": "single, 4 heads, J = 4",
    "mot-4-neurons": "MoT, J = 4",
    "shared": "mixture, shared attention",
    "moe": "mixture, no attention",
    PRESET: "MoT, preset (not tuned)",
    REFERENCE: "MoT, tuned",
}
#: Target -> color, marker, shift within its row.
TICKS = (0.1, 0.25, 1, 6, 25, 100)
LOOK = {1e-2: (1, "s", -0.22), 1e-3: (2, "D", 0.0), 1e-4: (0, "o", 0.22)}


def draw(tables: Tables) -> dict[str, Figure]:
    """Return the figure."""
    figure, axes = style.panels(3, height=2.9, together=True)
    every = compared(tables.main)
    shown = {name for name, *_ in every}
    rows = [name for name in LABELS if name in shown or (name == REFERENCE and every)]
    for name, target, theirs, ours in every:
        color, marker, shift = LOOK[target]
        y = rows.index(name) + shift
        steps = step_ratio(theirs.rows, ours.rows, target, NUM_CLASSES)
        ratio(steps, y, color, marker, axes[0])
        if name != PRESET:
            ratio(work_ratio(name, target, theirs, ours, "frozen"), y, color, marker, axes[1])
        share(steps.baseline, y, color, marker, axes[2])
        share(steps.reference, rows.index(REFERENCE) + shift, color, marker, axes[2])
    for target, (color, marker, _) in LOOK.items():
        axes[2].plot([], [], marker, color=style.PALETTE[color], ms=3.5, label=f"ε = {target:g}")
    for ax, what in zip(axes, ("T(ε)", "work (multiply-adds)", ""), strict=True):
        ax.set_yticks(range(len(rows)), [LABELS[name] for name in rows] if ax is axes[0] else [])
        ax.set_ylim(max(len(rows), 1) - 0.5, -0.5)
        if what:
            ax.axvspan(1.0, ADVANTAGE, color="0.5", alpha=0.15, lw=0)
            ax.axvline(1.0, color=style.GRAY, lw=0.8)
            ax.set_xscale("log")
            sides(ax, *(("dearer", "cheaper") if what.startswith("work") else ("slower", "faster")))
            ax.set_xticks(inside(ax), [f"{tick:g}" for tick in inside(ax)])
            ax.minorticks_off()
            ax.set_xlabel(f"{what} / that of MoT\n(95 % interval; open: a bound)")
    axes[2].set_xlim(0.0, 1.05)
    axes[2].set_xlabel("share of runs that specialize\n(single: stay finite; 95 %)")
    style.legend(axes[2], loc="upper left", fontsize=6.5)
    return {"fair-baselines": figure}


def inside(ax: Axes) -> list[float]:
    """Ticks that lie on the axis, and apart."""
    low, high = ax.get_xlim()
    return [tick for tick in TICKS if low <= tick <= high and (tick != 0.25 or low > 0.1)]


def sides(ax: Axes, loses: str, wins: str) -> None:
    """Say above the axis on which side the mixture wins."""
    low, high = ax.get_xlim()
    ax.set_xlim(min(low, 0.25), max(high, 6.0))  # both sides have room
    for text, ha, shift in ((f"MoT {wins} →", "left", 2), (f"← {loses}", "right", -2)):
        ax.annotate(
            text, (1.0, 1.0), (shift, 2), ha=ha, va="bottom",
            xycoords=ax.get_xaxis_transform(), textcoords="offset points", fontsize=6.5,
            color=style.GRAY,
        )  # fmt: skip


def ratio(found: StepRatio, y: float, color: int, marker: str, ax: Axes) -> None:
    """Draw one ratio with its interval; open and without an upper end where it is a bound."""
    middle = found.interval.value
    if not np.isfinite(middle):
        return
    ink = style.PALETTE[color]
    both = found.interval.low, found.interval.high
    ends = [end if np.isfinite(end) and end > 0 else middle for end in both]
    ax.plot(ends, [y, y], color=ink)
    bound = bool(found.sign)
    face = "white" if bound else ink
    ax.plot(middle, y, ">" if bound else marker, color=ink, ms=3.5, mfc=face)


def share(found: Outcomes, y: float, color: int, marker: str, ax: Axes) -> None:
    """Draw the share of runs that succeed with its exact interval."""
    ink = style.PALETTE[color]
    part = found.interval()
    ax.plot([part.low, part.high], [y, y], color=ink)
    ax.plot(part.value, y, marker, color=ink, ms=3.5)
