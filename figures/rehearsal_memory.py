"""Replayed against fresh memory: the closed form for two tasks, and the measured excess beyond."""

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from motsim.claims._simulation import LIMIT, pooled, usable
from motsim.claims.rehearsal_memory import SETTING, excess
from motsim.figures import style
from motsim.figures.rehearsal_theory import LOOK
from motsim.results.tables import Tables

__all__ = ["draw"]


def draw(tables: Tables) -> dict[str, Figure]:
    """Return one figure of three panels."""
    figure, axes = style.panels(3, height=2.5)
    two_tasks(tables, axes[0])
    for ax, quantity, letter in zip(
        axes[1:], ("forgetting", "generalization"), ("F", "G"), strict=True
    ):
        for case, cosine, filled in (("dissimilar", "0", True), ("similar", "0.9", False)):
            beyond(tables, case, quantity, f"cosine {cosine}", filled, ax)
        ax.axhline(0, color="0.3", lw=0.8)
        ax.set_xscale("log")
        ticks = sorted(excess(tables, "similar")["num_tasks"].unique())
        ax.set_xticks(ticks, [f"{t:.0f}" for t in ticks])
        ax.minorticks_off()
        ax.set_xlabel("number of tasks T")
        ax.set_ylabel(f"{letter}: replayed − fresh")
    axes[1].set_title("forgetting", fontsize=8)
    axes[2].set_title("generalization error", fontsize=8)
    handles, labels = axes[1].get_legend_handles_labels()
    cross = Line2D([], [], marker="x", ls="none", ms=4, color="0.4")
    figure.legend(
        [*handles, cross], [*labels, "first: formula of fresh memory"],
        loc="outside upper center", ncols=5, fontsize=6.5, columnspacing=1.2,
    )  # fmt: skip
    runs = tables.main.groupby(["case", "seed"])["repetitions"].max().groupby("case").sum().min()
    figure.supxlabel(
        f"{runs:,.0f} runs a point, ± 4 standard errors; fresh: closed form; others: p = 100,"
        " n = m = 20, σ = 0.1",
        fontsize=7,
    )
    return {"rehearsal-memory": figure}


def two_tasks(tables: Tables, ax: Axes) -> None:
    """Forgetting: simulated replay against both closed forms, T = 2."""
    rows = usable(tables)
    points = pooled(rows[rows["case"] == "two-tasks"], ["strategy", *SETTING])
    for strategy in ("concurrent", "sequential"):
        _, color, marker = LOOK[strategy]
        own = points[points["strategy"] == strategy]
        ax.plot(
            own["forgetting_rival"], own["forgetting"], "x", ms=3, mew=0.8,
            color=style.PALETTE[color], alpha=0.6,
        )  # fmt: skip
        ax.errorbar(
            own["forgetting_predicted"], own["forgetting"], yerr=LIMIT * own["forgetting_se"],
            fmt=marker, ms=3, lw=0.7, color=style.PALETTE[color],
        )  # fmt: skip
    ends = [points["forgetting"].min(), points["forgetting"].max()]
    ax.plot(ends, ends, color="0.3", lw=0.8, zorder=0)
    ax.set_xlabel("closed form of F")
    ax.set_ylabel("F simulated with replay, ± 4 s.e.")
    ax.set_title(f"T = 2, {len(points)} settings", fontsize=8)


def beyond(tables: Tables, case: str, quantity: str, words: str, filled: bool, ax: Axes) -> None:
    """Excess of replay over fresh memory against the number of tasks."""
    for strategy, own in excess(tables, case).groupby("strategy"):
        label, color, marker = LOOK[str(strategy)]
        shade = style.PALETTE[color]
        own = own.sort_values("num_tasks")
        ax.errorbar(
            own["num_tasks"], own[f"{quantity}_excess"], yerr=LIMIT * own[f"{quantity}_se"],
            fmt=marker, ls="-" if filled else "--", ms=3, lw=0.9, color=shade,
            mfc=shade if filled else "white", label=f"{label}, {words}",
        )  # fmt: skip
