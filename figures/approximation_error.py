"""Off the clean point: excess over the expert's floor, the gate's 1/t, predicted floors."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from motsim.claims._expert import steps_per_decade
from motsim.claims._outcomes import specialized
from motsim.claims._rates import curves
from motsim.claims.approximation_error import (
    EXCESS,
    FLOORS,
    GATE_RANGE,
    JUDGED,
    NUM_CLASSES,
    RATE,
    excess,
    floor_of,
    gate_curve,
    predicted_floors,
)
from motsim.figures import style
from motsim.results.tables import Tables

__all__ = ["draw"]

#: Case -> label, color, marker.
LOOK = {
    "signal-narrow": ("α ∈ [0.9, 1.1]", 0, "o"), "signal-middle": ("α ∈ [0.8, 1.2]", 1, "s"),
    "signal-wide": ("α ∈ [0.7, 1.3]", 2, "D"),
    "noise": ("noise, σ = 0.1 to 0.3", 4, "v"),
}  # fmt: skip


def draw(tables: Tables) -> dict[str, Figure]:
    """Return the figure: two laws left and middle, floors right."""
    figure, (left, middle, right) = style.panels(3, height=2.5)
    signal(tables, left)
    gate(tables, middle)
    floors(tables, right)
    figure.supxlabel(
        "N = 4, M = 16, cubic experts; markers: runs that specialize"
        " (first: with one expert a class)\nlines: derived here, nothing fitted",
        fontsize=7.5,
    )  # fmt: skip
    return {"approximation-error": figure}


def signal(tables: Tables, ax: Axes) -> None:
    """Draw steps of stage III against the excess over the floor, with the law of the Hessian."""
    hits, _ = excess(tables, "signal-frozen")
    for row in hits:
        kept = row >= 0
        ax.plot(EXCESS[kept], row[kept], "o", color=style.PALETTE[1], ms=3, mfc="white", mew=0.7)
    anchor = hits[:, JUDGED]
    if (anchor >= 0).any():
        start = anchor[anchor >= 0].mean()
        slope = steps_per_decade(floor_of("signal-frozen")[1], NUM_CLASSES, RATE)
        ax.plot(EXCESS, start + slope * np.log10(EXCESS[JUDGED] / EXCESS), color="0.2", lw=1)
        ax.text(0.05, 0.9, f"{slope:.1f} steps a decade", transform=ax.transAxes, fontsize=7)
    ax.set_xscale("log")
    ax.invert_xaxis()
    ax.set_xlabel("loss − derived floor")
    ax.set_ylabel("step of stage III")
    ax.set_title("α ∈ [0.8, 1.2]: log down to a floor")


def gate(tables: Tables, ax: Axes) -> None:
    """Draw T(eps) of a random class amplitude, with the law of the gate."""
    rows = tables.main[tables.main["case"] == "class-middle"]
    good = specialized(rows, NUM_CLASSES) if "epsilon" in rows else rows.head(0)
    if len(good):
        epsilons, hits, _ = curves(good)
        kept = (epsilons <= GATE_RANGE[1] * 1.01) & (hits > 0).all(axis=0)
        if kept.any():
            for row in hits[:, kept]:
                ax.plot(
                    1 / epsilons[kept], row, "o", ms=3, mfc="white", mew=0.7,
                    color=style.PALETTE[4],
                )  # fmt: skip
            e = epsilons[kept]
            line = hits[:, kept][:, 0].mean() + gate_curve("class-middle", e)
            ax.plot(1 / e, line, color="0.2", lw=1)
    ax.set_xscale("log")
    ax.set_yscale("log")
    ax.set_xlabel("1/ε")
    ax.set_ylabel("T(ε), stage III")
    ax.set_title("β ∈ [0.7, 1.3]: no floor, but 1/ε")


def floors(tables: Tables, ax: Axes) -> None:
    """Draw every run's final loss against its predicted floor."""
    runs = specialized(tables.runs, NUM_CLASSES)
    for case, (label, color, marker) in LOOK.items():
        own = runs[runs["case"] == case]
        if own.empty:
            continue
        x = predicted_floors(own)
        ax.plot(
            x, own["final_loss"], marker, ms=3.5, mew=0.7, color=style.PALETTE[color],
            mfc=None if case in FLOORS else "white", label=label,
        )  # fmt: skip
    ax.set_xscale("log")
    ax.set_yscale("log")
    ends = (5e-5, 0.3)
    ax.plot(ends, ends, color="0.2", lw=0.8, zorder=0)
    ax.set_xlabel("derived floor of one expert")
    ax.set_ylabel("final loss of the mixture")
    ax.set_title("floors")
    ax.set_ylim(top=20)
    style.legend(ax, loc="upper left", fontsize=6.5, handletextpad=0.1)
