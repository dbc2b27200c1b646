"""Label noise: floors, steps towards them, and the share of runs that specializes."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from motsim.claims._outcomes import specialized
from motsim.claims.label_noise import (
    EXCESS,
    JUDGED,
    NUM_CLASSES,
    RATES,
    excess,
    floor_of,
    per_decade,
    shares,
)
from motsim.figures import style
from motsim.results.tables import Tables

__all__ = ["draw"]

#: Case -> color, marker.
LOOK = {"squared": (0, "o"), "logistic": (3, "s")}
REMEDIES = {
    "share": ("preset", 7, "o"),
    "share-short": ("stage I ends at the target", 2, "^"),
    "share-fast-gate": ("gate's step / (1 − 2q)²", 1, "D"),
}


def draw(tables: Tables) -> dict[str, Figure]:
    """Return the figure: floors left, excess in the middle, shares right."""
    figure, axes = style.panels(3, height=2.5)
    _floors(tables, axes[0])
    _excess(tables, axes[1])
    _shares(tables, axes[2])
    figure.supxlabel(
        "N = 4, cubic experts; the loss is that of labels without a flip; markers: runs that"
        " specialize (last: exact 95 % intervals)\nlines of the first two: derived here, nothing"
        f" fitted (second: slopes; step size {RATES['squared']:g}, logistic {RATES['logistic']:g})",
        fontsize=7.5,
    )
    return {"label-noise": figure}


def _floors(tables: Tables, ax: Axes) -> None:
    grid = np.linspace(0.01, 0.25, 100)
    for case, (color, marker) in LOOK.items():
        rows = specialized(tables.runs[tables.runs["case"] == case], NUM_CLASSES)
        paint = style.PALETTE[color]
        formula = "2q²" if case == "squared" else "−ln(1 − q)"
        ax.plot(grid, [floor_of(case, q) for q in grid], color=paint, lw=1, label=formula)
        ax.plot(
            rows["label_flip"], rows["final_loss"], marker, ms=4, mfc="white", mew=0.8, color=paint,
            label=f"{case} loss",
        )  # fmt: skip
    ax.set_yscale("log")
    ax.set_xlabel("probability of a flip q")
    ax.set_ylabel("final loss")
    style.legend(ax, loc="lower right")


def _excess(tables: Tables, ax: Axes) -> None:
    """Every run's steps by excess; a line of the derived slope through the median at 1e-3."""
    for case, (color, marker) in LOOK.items():
        targets = EXCESS[case][::2]
        for number, flip in enumerate(JUDGED[case]):
            hits, _ = excess(tables, case, flip, targets)
            if not len(hits):
                continue
            paint, fill = style.PALETTE[color], "white" if number else style.PALETTE[color]
            for row in hits:
                kept = row >= 0
                ax.plot(targets[kept], row[kept], marker, ms=2.6, mfc=fill, mew=0.6, color=paint)
            at = int(np.abs(np.log(targets / 1e-3)).argmin())
            reached = hits[:, at][hits[:, at] >= 0]
            slope = per_decade(case, flip)
            if len(reached):
                line = np.median(reached) + slope * np.log10(targets[at] / targets)
                ax.plot(targets, line, color=paint, lw=0.9, ls="--" if number else "-",
                        label=f"{case}, q = {flip:g}: {slope:.0f}")  # fmt: skip
    ax.set_xscale("log")
    ax.invert_xaxis()
    ax.set_ylim(0, 1800)
    ax.set_xlabel("excess over the floor")
    ax.set_ylabel("steps of the last stage")
    style.legend(ax, loc="upper left", title="steps a decade, derived", title_fontsize=6.5)


def _shares(tables: Tables, ax: Axes) -> None:
    points = shares(tables.runs)
    for case, (label, color, marker) in REMEDIES.items():
        rows = points[points["case"] == case]
        if rows.empty:
            continue
        share = rows["share"].to_numpy()
        bars = np.abs(rows[["low", "high"]].to_numpy().T - share)
        shift = {"share": 0.0, "share-short": -0.01, "share-fast-gate": 0.01}[case]
        ax.errorbar(
            rows["label_flip"] + shift, share, yerr=bars, fmt=marker + "-", ms=3.5, lw=0.9,
            capsize=2, color=style.PALETTE[color], label=label,
        )  # fmt: skip
    passed = 0.5 * (1.0 - 0.85**3)  # s^(1/3) = eta_1 T_1
    ax.plot([passed] * 2, [0.33, 1.02], color=style.GRAY, lw=0.9, ls=":")
    words = "from here\nexperts pass\ntheir target\nin stage I"
    ax.text(passed - 0.008, 0.5, words, fontsize=6.5, ha="right")
    ax.set_ylim(-0.03, 1.05)
    ax.set_xlim(-0.02, 0.5)
    ax.set_xlabel("probability of a flip q")
    ax.set_ylabel("share of runs that specialize")
    style.legend(ax, loc="lower left")
