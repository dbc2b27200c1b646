"""Hybrid rehearsal against the pure strategies, and along its threshold."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from motsim.claims._simulation import LIMIT, QUANTITIES
from motsim.claims.rehearsal_hybrid import points
from motsim.figures import style
from motsim.figures.rehearsal_theory import LOOK, QUANTITY
from motsim.results.tables import Tables

__all__ = ["compare", "draw"]

CASES = {
    "odd-inside": "odd inside\nAAAABA",
    "odd-last": "odd last\nAAAAAB",
    "alternating": "in turns\nABABAB",
    "drifting": "drifting\n0.8$^{|i-j|}$",
}


def draw(tables: Tables) -> dict[str, Figure]:
    """Return one figure: four sets of tasks above, the threshold below."""
    figure, axes = style.panels(2, 2, height=2.35)
    sets = {label: points(tables, case).set_index("strategy") for case, label in CASES.items()}
    for ax, quantity in zip(axes[:2], QUANTITIES, strict=True):
        compare(sets, ("concurrent", "sequential", "hybrid"), quantity, ax)
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=3)
    own, lines = points(tables, "threshold"), tables.others["line"]
    pure = points(tables, "drifting").set_index("strategy")
    for ax, quantity in zip(axes[2:], QUANTITIES, strict=True):
        threshold(own, lines[lines["seed"] == 0], pure, quantity, ax)
    for ax in axes[2:]:
        ax.set_title("drifting tasks (dashed: the pure strategies)", fontsize=7.5)
    runs = tables.main.groupby(["case", "strategy", "seed"])["repetitions"].max()
    least = int(runs[runs > 0].groupby(level=[0, 1]).sum().min())
    figure.supxlabel(
        f"points: {least:,} runs or more, ± 4 standard errors; lines and dashes: closed form;"
        " T = 6, p = 100, σ = 0.1",
        fontsize=7,
    )
    return {"rehearsal-hybrid": figure}


def compare(
    sets: dict[str, pd.DataFrame], strategies: tuple[str, ...], quantity: str, ax: Axes
) -> None:
    """Simulated errors of the strategies on several sets of tasks; the closed form as a dash."""
    width = 0.72 / len(strategies)
    for k, strategy in enumerate(strategies):
        label, color, marker = LOOK[strategy]
        found = [(i, t.loc[strategy]) for i, t in enumerate(sets.values()) if strategy in t.index]
        centers = [i + (k - (len(strategies) - 1) / 2) * width for i, _ in found]
        ax.hlines(
            [row[f"{quantity}_predicted"] for _, row in found],
            [x - width / 2.4 for x in centers], [x + width / 2.4 for x in centers],
            color=style.PALETTE[color], lw=1.1,
        )  # fmt: skip
        ax.errorbar(
            centers, [row[quantity] for _, row in found],
            yerr=[LIMIT * row[f"{quantity}_se"] for _, row in found], fmt=marker, ms=3.2, lw=0.9,
            color=style.PALETTE[color], label=label,
        )  # fmt: skip
    for i in range(1, len(sets)):
        ax.axvline(i - 0.5, color="0.85", lw=0.8)
    ax.set_xticks(range(len(sets)), list(sets), fontsize=6.5)
    ax.tick_params(axis="x", length=0)
    ax.grid(False, axis="x")
    ax.set_xlim(-0.5, len(sets) - 0.5)
    ax.set_ylabel(QUANTITY[quantity])


def threshold(
    own: pd.DataFrame, line: pd.DataFrame, pure: pd.DataFrame, quantity: str, ax: Axes
) -> None:
    """Draw hybrid over its threshold, between the two pure strategies."""
    _, color, marker = LOOK["hybrid"]
    ax.plot(line["value"], line[quantity], color=style.PALETTE[color], lw=1.1)
    ax.errorbar(
        own["threshold"], own[quantity], yerr=LIMIT * own[f"{quantity}_se"], fmt=marker, ms=3.2,
        lw=0.9, color=style.PALETTE[color],
    )  # fmt: skip
    levels = pure[f"{quantity}_predicted"].to_dict()
    for strategy in (name for name in ("concurrent", "sequential") if name in levels):
        shade = LOOK[strategy][1]
        ax.axhline(
            levels[strategy], color=style.PALETTE[shade],
            lw=1.0, ls="--",
        )  # fmt: skip
    ax.set_xlabel("threshold: least cosine that counts as similar")
    ax.set_ylabel(QUANTITY[quantity])
