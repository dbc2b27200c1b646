"""Rehearsal of deep networks: accuracy against similarity, and why revisits lose."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from motsim.claims.rehearsal_deep import differences, settings
from motsim.figures import style
from motsim.results.tables import Tables
from motsim.statistics.interval import stacked
from motsim.statistics.intervals import mean_interval

__all__ = ["accuracies", "draw", "gaps", "overwriting"]

STRATEGIES = {"concurrent": (0, "o"), "sequential": (1, "s"), "hybrid": (2, "D")}
#: Shift -> axis label, color, marker.
FAMILIES = {
    "rotation": ("rotation to next task (degrees)", 0, "o"),
    "pixels": ("pixels permuted (fraction)", 1, "s"),
    "labels": ("classes relabeled (fraction)", 2, "^"),
    "classes": ("classes shared with next task", 4, "v"),
}
#: Case -> label, color, marker; drawn open.
OTHERS = {
    "pairs-rotation": ("rotation, two kinds in turn", 0, "D"),
    "pairs-labels": ("labels, two kinds in turn", 2, "D"),
    "gentle-rotation": ("rotation, gentle", 0, "P"),
    "gentle-pairs": ("rotation, two kinds, gentle", 0, "X"),
    "heads-rotation": ("rotation, gentle, own heads", 0, "*"),
    "heads-pixels": ("pixels, gentle, own heads", 1, "*"),
}


def draw(tables: Tables) -> dict[str, Figure]:
    """Return both figures."""
    rows = tables.main[tables.main["status"] == "done"]
    note = f"mean of {rows['network'].nunique()} networks, bar: 95 % interval"
    cases = [case for case in FAMILIES if (rows["case"] == case).any()] or list(FAMILIES)
    first, axes = style.panels(len(cases), height=2.3)
    for ax, case in zip(axes, cases, strict=True):
        accuracies(rows[rows["case"] == case], case, ax)
        ax.set_ylim(0, 1)
    for ax in axes[1:]:
        ax.tick_params(labelleft=False)
    axes[0].set_ylabel("final accuracy, mean of tasks")
    first.legend(
        *axes[0].get_legend_handles_labels(), loc="outside upper center", ncols=3,
        title=f"rehearsal ({note}; tasks less similar to the right)", title_fontsize=7,
    )  # fmt: skip

    second, axes = style.panels(2, height=3.3)
    gaps(tables, axes[0])
    overwriting(tables, axes[1])
    second.legend(
        *axes[0].get_legend_handles_labels(), loc="outside upper center", ncols=4, title=note,
        title_fontsize=7,
    )  # fmt: skip
    return {"rehearsal-deep": first, "rehearsal-deep-why": second}


def accuracies(rows: pd.DataFrame, case: str, ax: Axes) -> None:
    """Draw final accuracy against the level of one shift, less similar to the right."""
    if rows.empty:
        return
    width = rows["level"].max() - rows["level"].min()
    for i_strategy, (strategy, (color, marker)) in enumerate(STRATEGIES.items()):
        own = rows[rows["strategy"] == strategy].groupby("level")["final_accuracy"]
        if not len(own):
            continue
        levels = np.array([float(str(level)) for level, _ in own])
        mean, low, high = stacked(mean_interval(values) for _, values in own)
        ax.errorbar(
            levels + (i_strategy - 1) * 0.012 * width, mean,
            yerr=[mean - low, high - mean], lw=1.1, marker=marker, ms=3.5,
            color=style.PALETTE[color], label=strategy, mfc="white" if i_strategy == 1 else None,
        )  # fmt: skip
    ax.set_xlabel(FAMILIES[case][0])
    if case == "classes":  # more shared classes are more similar
        ax.invert_xaxis()
        ax.set_xticks(sorted(rows["level"].unique()))


def gaps(tables: Tables, ax: Axes) -> None:
    """Draw hybrid minus concurrent of every setting against the measured similarity."""
    ax.axhline(0, color=style.GRAY, lw=0.8)
    named: set[str] = set()
    for _, case, part in settings(tables):
        label, color, marker = {**FAMILIES, **OTHERS}.get(case, (case, 7, "h"))
        label = case if case in FAMILIES else label
        mean, low, high = stacked([mean_interval(differences(part, "final_accuracy"))])
        ax.errorbar(
            part["cosine"].mean(), mean, yerr=[mean - low, high - mean], fmt=marker, lw=0.9,
            ms=4 if case in FAMILIES else 5.5, color=style.PALETTE[color],
            mfc=None if case in FAMILIES else "white",
            label=None if label in named else label,
        )  # fmt: skip
        named.add(label)
    ax.set_xlabel("measured similarity (mean gradient cosine)")
    ax.set_ylabel("hybrid − concurrent,\nfinal accuracy (percentage points)")


def overwriting(tables: Tables, ax: Axes) -> None:
    """Draw what revisits do to the new task at the least similar level of every case."""
    hardest: dict[str, pd.DataFrame] = {}
    for _, case, part in settings(tables):
        hybrid = part[(part["strategy"] == "hybrid") & (part["status"] == "done")]
        if len(hybrid) and (
            case not in hardest or hybrid["cosine"].mean() < hardest[case]["cosine"].mean()
        ):
            hardest[case] = hybrid
    names = [case for case in reversed([*FAMILIES, *OTHERS]) if case in hardest]
    look = (("before_revisits", 0, "o", "before revisits"), ("learned_accuracy", 3, "<", "after"))
    for row, case in enumerate(names):
        ends = stacked(mean_interval(hardest[case][column]) for column, *_ in look)
        ax.plot(ends[0], [row, row], color="0.75", lw=2.5, zorder=1)
        for (mean, low, high), (_, color, marker, label) in zip(ends.T, look, strict=True):
            ax.errorbar(
                mean, row, xerr=[[mean - low], [high - mean]], fmt=marker, ms=4.5, lw=0.9,
                color=style.PALETTE[color], label=label if row == 0 else None,
            )  # fmt: skip
    ax.set_yticks(range(len(names)), [OTHERS[n][0] if n in OTHERS else n for n in names])
    ax.set_xlim(0, 1)
    ax.set_ylim(-0.6, len(names) - 0.4)
    ax.set_xlabel("accuracy on the new task (hybrid, least similar level)")
    style.legend(ax, loc="lower left")
