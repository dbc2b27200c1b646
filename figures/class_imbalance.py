"""Class law ~ n^-a: shares of the classes among experts, coverage, and the rarest class's steps."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from motsim.claims._classes import (
    DECADES,
    NUM_CLASSES,
    choices,
    class_law,
    covered,
    derived_steps,
    shares_of_race,
    steps,
)
from motsim.claims._outcomes import specialized
from motsim.figures import style
from motsim.mixture.occupancy import unequal_coupons
from motsim.results.tables import Tables
from motsim.statistics.interval import stacked
from motsim.statistics.intervals import exact_share_interval

__all__ = ["draw"]

#: Exponent -> color, marker.
LOOK = {0.0: (7, "v"), 0.5: (2, "D"), 1.0: (0, "o"), 1.5: (4, "^"), 2.0: (3, "s"), 3.0: (1, "P")}
SIZES = np.arange(4, 65)


def draw(tables: Tables) -> dict[str, Figure]:
    """Return the figure: shares left, coverage in the middle, steps right."""
    figure, axes = style.panels(3, height=2.5)
    _shares(tables, axes[0])
    _coverage(tables, axes[1])
    _steps(tables, axes[2])
    figure.supxlabel(
        "N = 4 classes of probability $p \\propto n^{-a}$, cubic experts; markers: measured, exact"
        " 95 % intervals (last: runs)\nsolid lines: derived, nothing fitted; dotted lines: if"
        " experts took classes in proportion to p",
        fontsize=7.5,
    )
    return {"class-imbalance": figure}


def _paint(exponent: float) -> tuple[tuple[float, float, float], str]:
    color, marker = LOOK.get(exponent, (5, "X"))
    return style.PALETTE[color], marker


def _shares(tables: Tables, ax: Axes) -> None:
    experts = choices(tables)
    classes = np.arange(1, NUM_CLASSES + 1)
    for number, (key, rows) in enumerate(experts.groupby("class_exponent")):
        exponent = float(str(key))
        paint, marker = _paint(exponent)
        found = np.array([(rows["found"] == n).sum() for n in range(NUM_CLASSES)])
        share, low, high = stacked(exact_share_interval(int(k), len(rows)) for k in found)
        ax.errorbar(
            classes + 0.08 * number, share, yerr=np.abs([share - low, high - share]),
            fmt=marker, ms=3.5, lw=0.9,
            capsize=2, color=paint, label=f"a = {exponent:g}",
        )  # fmt: skip
        ax.plot(classes, shares_of_race(exponent), color=paint, lw=1)
        ax.plot(classes, class_law(exponent), color=paint, lw=1, ls=":")
    ax.set_xticks(classes)
    ax.set_ylim(bottom=0)
    ax.set_xlabel("class n, commonest first")
    ax.set_ylabel("share of experts that take it")
    style.legend(ax, loc="upper right")


def _coverage(tables: Tables, ax: Axes) -> None:
    parts = [covered(tables.runs, case) for case in ("coverage", "enough")]
    points = pd.concat([part for part in parts if len(part)] or parts[:1])
    for key, rows in points.groupby("class_exponent"):
        exponent = float(str(key))
        paint, marker = _paint(exponent)
        share = rows["share"].to_numpy()
        bars = np.abs(rows[["low", "high"]].to_numpy().T - share)
        ax.errorbar(
            rows["num_experts"], share, yerr=bars, fmt=marker, ms=3.5, lw=0.9, capsize=2,
            color=paint, label=f"a = {exponent:g}",
        )  # fmt: skip
        race, law = shares_of_race(exponent), class_law(exponent)
        ax.plot(SIZES, [unequal_coupons(race, int(m)) for m in SIZES], color=paint, lw=1)
        ax.plot(SIZES, [unequal_coupons(law, int(m)) for m in SIZES], color=paint, lw=1, ls=":")
    equal = [unequal_coupons(class_law(0.0), int(m)) for m in SIZES]
    ax.plot(SIZES, equal, color=style.GRAY, lw=0.9, ls="--", label="equal classes")
    ax.set_ylim(-0.03, 1.05)
    ax.set_xscale("log", base=2)
    ax.set_xticks([4, 8, 16, 32, 64], ["4", "8", "16", "32", "64"])
    ax.set_xlabel("number of experts M")
    ax.set_ylabel("share of runs that cover")
    style.legend(ax, loc="lower right")


def _steps(tables: Tables, ax: Axes) -> None:
    """Steps a decade of every run against the probability of the rarest class."""
    rows = tables.main[tables.main["case"] == "rate"]
    good = specialized(rows, NUM_CLASSES)
    decades = float(np.log10(DECADES[0] / DECADES[1]))
    for key, part in good.groupby("class_exponent"):
        exponent = float(str(key))
        paint, marker = _paint(exponent)
        taken, rare = steps(part)[0], class_law(exponent)[-1]
        taken = taken[np.isfinite(taken)]
        ax.plot(
            [rare] * len(taken), taken / decades, marker, ms=4, mfc="white", mew=0.8, color=paint,
            label=f"a = {exponent:g}",
        )  # fmt: skip
    if len(good):
        fine = np.linspace(0.0, 1.8, 19)
        derived = [derived_steps(a) / decades for a in fine]
        ax.plot([class_law(a)[-1] for a in fine], derived, color="0.2", lw=1, zorder=0)
        ax.annotate(
            "equal classes", (0.25, derived[0]), (0.25, derived[0] - 12), fontsize=6.5, ha="right",
            va="top", arrowprops={"arrowstyle": "-", "lw": 0.6, "color": style.GRAY},
        )  # fmt: skip
    ax.set_ylim(bottom=0)
    ax.set_xlim(0, 0.26)
    ax.set_xlabel("probability of the rarest class")
    ax.set_ylabel("steps a decade of ε, last stage")
    style.legend(ax, loc="upper right")
