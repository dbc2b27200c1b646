"""Share of runs that learn, and the population loss of what they learned, against sample size."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from motsim.claims.finite_samples import at_size, learned, shares, threshold
from motsim.claims.sampled_routing import routed
from motsim.figures import style
from motsim.results.tables import Tables
from motsim.statistics.interval import stacked
from motsim.statistics.intervals import exact_share_interval

__all__ = ["draw"]

#: Case -> label, color, marker.
LOOK = {
    "narrow": ("γ in [0.5, 1.5]", 2, "^"),
    "medium": ("γ = 1.5", 0, "s"),
    "strong": ("γ = 2", 3, "o"),
    "wide": ("γ in [1, 3]", 1, "D"),
}
IMAGES = {
    "population": "exact population",
    "closed-signs": "all images",
    "closed-mirror": "images (−y, −s)",
    "closed-distractor": "images (y, −s)",
    "strong": "no images",
}


def draw(tables: Tables) -> dict[str, Figure]:
    """Return the figure: thresholds, closed samples, loss on the population."""
    seeds = tables.main["seed"].nunique()
    figure, axes = style.panels(3, height=2.6)
    _thresholds(tables, axes[0])
    _closed(tables, axes[1])
    _losses(tables, axes[2])
    figure.supxlabel(
        f"N = 4, M = 16 cubic experts; {seeds} seeds; bars: exact 95 % intervals;"
        " dotted down from 1/2: n*; star: samples new in each step\n"
        "last, filled: loss on the population, open: on the sample",
        fontsize=7.5,
    )
    return {"finite-samples": figure}


def _thresholds(tables: Tables, ax: Axes) -> None:
    for i_case, (case, (label, color, marker)) in enumerate(LOOK.items()):
        wide = shares(tables.runs, case)
        if wide.shape[1] < 3:
            continue
        pairs = zip(wide.sum().astype(int), wide.count(), strict=True)
        mean, low, high = stacked(exact_share_interval(*pair) for pair in pairs)
        size = wide.columns.to_numpy(float) * 1.06 ** (i_case - 1)  # bars beside each other
        paint = style.PALETTE[color]
        ax.errorbar(
            size, mean, yerr=np.abs([mean - low, high - mean]),
            fmt=marker + "-", ms=3.5, lw=0.9, capsize=2,
            color=paint, label=label,
        )  # fmt: skip
        ax.plot([threshold(wide).value] * 2, [0.0, 0.5], color=paint, ls=":", lw=1.0)
    anew = tables.runs[tables.runs["case"] == "anew"]
    if len(anew):
        good = learned(anew)
        share, low, high = stacked([exact_share_interval(int(good.sum()), len(good))])
        ax.errorbar(
            anew["new_samples"].max(), share, yerr=[share - low, high - share], fmt="*", ms=6,
            lw=0.9, capsize=2, color=style.PALETTE[LOOK["narrow"][1]],
        )  # fmt: skip
    ax.axhline(0.5, color=style.GRAY, lw=0.7)
    ax.set_xscale("log")
    ax.set_ylim(-0.03, 1.35)
    ax.set_yticks(np.linspace(0, 1, 5))
    ax.set_xlabel("sample size n")
    ax.set_ylabel("share of runs that learned")
    style.legend(ax, loc="upper left", ncols=2, columnspacing=1.0, handletextpad=0.4)


def _closed(tables: Tables, ax: Axes) -> None:
    names: list[str] = []
    for case, name in IMAGES.items():
        good = at_size(tables.runs, case)
        if not len(good):
            continue
        mean, low, high = stacked([exact_share_interval(int(good.sum()), len(good))])
        ax.errorbar(
            mean, len(names), xerr=[mean - low, high - mean], fmt="o", ms=4, lw=1.0, capsize=2,
            color=style.PALETTE[3 if case == "strong" else 7 if case == "population" else 0],
        )  # fmt: skip
        names.append(name)
    ax.set_yticks(range(len(names)), names)
    ax.set_ylim(max(len(names), 1) - 0.5, -0.5)
    ax.set_xlim(-0.04, 1.04)
    ax.set_xlabel("share that learned, γ = 2, n = 512")


def _losses(tables: Tables, ax: Axes) -> None:
    """Median loss of the routed runs: on the population filled, on the sample open."""
    rows = tables.runs[routed(tables.runs)]
    for case, (label, color, marker) in LOOK.items():
        part = rows[(rows["case"] == case) & rows["sample_size"].notna()]
        if part["sample_size"].nunique() < 3:
            continue
        middle = part.groupby("sample_size")[["fresh_loss", "final_loss"]].median()
        paint = style.PALETTE[color]
        ax.plot(
            middle.index, middle["fresh_loss"], marker + "-", ms=3.5, lw=0.9, color=paint,
            label=label,
        )  # fmt: skip
        ax.plot(
            middle.index, middle["final_loss"], marker + ":", ms=3.5, lw=0.9, color=paint,
            markerfacecolor="white",
        )  # fmt: skip
    ax.set_xscale("log")
    ax.set_yscale("log")
    ax.set_xlabel("sample size n")
    ax.set_ylabel("loss, median of routed runs")
