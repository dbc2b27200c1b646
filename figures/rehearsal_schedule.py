"""Planned schedules: their errors beside those of the named strategies, and what they look like."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch

from motsim.claims._simulation import QUANTITIES
from motsim.claims.rehearsal_schedule import points
from motsim.figures import style
from motsim.figures.rehearsal_hybrid import compare
from motsim.results.tables import Tables

__all__ = ["draw"]

CASES = {
    "odd-inside": "odd inside\nAAAABA",
    "visit": "a visit\nAABBAA",
    "alternating": "in turns\nABABAB",
    "drifting": "drifting\n0.8$^{|i-j|}$",
}
SHOWN = {"odd-inside": "AAAABA", "visit": "AABBAA"}
STRATEGIES = ("concurrent", "sequential", "hybrid", "least_generalization", "least_forgetting")


def draw(tables: Tables) -> dict[str, Figure]:
    """Return one figure: errors above, two planned schedules below."""
    figure, axes = style.panels(2, 2, height=2.45)
    sets = {label: points(tables, case) for case, label in CASES.items()}
    for ax, quantity in zip(axes[:2], QUANTITIES, strict=True):
        compare(sets, STRATEGIES, quantity, ax)
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=5)
    plans = tables.others["schedule"]
    plans = plans[(plans["seed"] == 0) & (plans["strategy"] == "least_generalization")]
    for ax, (case, kinds) in zip(axes[2:], SHOWN.items(), strict=True):
        schedule(plans[plans["case"] == case], kinds, ax)
        ax.set_title(f"{kinds}: the schedule of least G", fontsize=8)
    figure.supxlabel("numbers: tasks, blue of kind A, orange of kind B; 0.8$^{|i-j|}$: cosines of"
                     " drifting tasks", fontsize=7)  # fmt: skip
    return {"rehearsal-schedule": figure}


def schedule(plan: pd.DataFrame, kinds: str, ax: Axes) -> None:
    """One row a step, fits from left to right; tasks in one box are fitted together."""
    colors = {"A": style.PALETTE[9], "B": style.PALETTE[1]}
    for step in sorted(int(s) for s in plan["step"].unique()):
        x = 0.0
        for _, blocks in plan[plan["step"] == step].groupby("fit"):
            tasks = blocks["task"].tolist()
            box = FancyBboxPatch(
                (x + 0.1, step - 0.34), len(tasks) - 0.2, 0.68, boxstyle="round,pad=0.06",
                fc="0.95", ec="0.4", lw=0.8,
            )  # fmt: skip
            ax.add_patch(box)
            for k, task in enumerate(tasks):
                ax.plot(x + k + 0.5, step, "o", ms=9, color=colors[kinds[task]],
                        mec="black" if task == step else "none", mew=1.0)  # fmt: skip
                ax.text(x + k + 0.5, step, f"{task + 1}", ha="center", va="center", fontsize=6.5)
            x += len(tasks) + 0.35
    steps = int(plan["step"].max()) + 1 if len(plan) else 1
    ax.set_xlim(-0.1, steps + 0.35 * steps)
    ax.set_ylim(steps - 0.4, -0.6)
    ax.set_yticks(range(steps), [str(s + 1) for s in range(steps)])
    ax.set_xticks([])
    ax.grid(False)
    ax.set_ylabel("step")
    ax.set_xlabel("fits in order; box: one fit; ring: new task")
