"""Shares of routed runs with and without shared noise, growth of experts, and the loss after."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from motsim.claims.sampled_routing import drift, routed, routed_runs
from motsim.figures import style
from motsim.results.tables import Tables
from motsim.statistics.interval import stacked

__all__ = ["draw"]

#: Case -> label, color.
LOOK = {
    "expected": ("expected routing", 7),
    "weak": ("weak distractors", 2),
    "strong": ("strong distractors", 3),
    "mirror": ("strong, shared with mirror", 0),
    "distractor": ("strong, shared over s", 1),
    "linear-expected": ("linear, expected routing", 7),
    "linear": ("linear", 3),
    "linear-mirror": ("linear, shared with mirror", 0),
}
#: Axis of the full tier -> label.
AXES = {
    "num_nodes": "nodes K (48 K points)",
    "specialize_steps": "steps of stage I",
    "specialize_rate": "step size η₁ of stage I",
    "gate_rate": "step size of the gate",
    "routing_scale": "scale λ of the noise",
}
DOSES = {
    "points": "num_nodes", "steps": "specialize_steps", "step-size": "specialize_rate",
    "gate": "gate_rate", "scale": "routing_scale",
}  # fmt: skip


def draw(tables: Tables) -> dict[str, Figure]:
    """Return shares with mechanism, and one setting at a time where the tier has it."""
    seeds = tables.main["seed"].nunique()
    figure, axes = style.panels(3, height=2.6)
    _shares(tables.runs, axes[0])
    _growth(tables, axes[1])
    _losses(tables, axes[2])
    handles, labels = axes[1].get_legend_handles_labels()
    if handles:
        figure.legend(handles, labels, loc="outside upper center", ncols=4, fontsize=6.5)
    figure.supxlabel(
        f"N = 4, M = 16, 192 points a step; {seeds} seeds; bars: exact 95 % intervals;"
        "\ndots: mean of all runs;"
        " lines of the last: median of routed runs",
        fontsize=7.5,
    )
    found = {"sampled-routing": figure}
    varied = {c: a for c, a in DOSES.items() if a in tables.runs and tables.runs[a].nunique() > 1}
    if varied:
        found["sampled-routing-settings"] = _doses(tables.runs, varied, seeds)
    return found


def _shares(runs: pd.DataFrame, ax: Axes) -> None:
    names = [case for case in LOOK if (runs["case"] == case).any()]
    for i_case, case in enumerate(names):
        color = LOOK[case][1]
        mean, low, high = stacked([routed_runs(runs[runs["case"] == case]).share])
        ax.errorbar(
            mean, i_case, xerr=[mean - low, high - mean], fmt="o", ms=4, lw=1.0, capsize=2,
            color=style.PALETTE[color],
        )  # fmt: skip
    ax.set_yticks(range(len(names)), [LOOK[case][0] for case in names])
    ax.set_ylim(len(names) - 0.5, -0.5)
    ax.set_xlim(-0.04, 1.04)
    ax.set_xlabel("share of runs that are routed")


def _growth(tables: Tables, ax: Axes) -> None:
    """Largest alignment over stage I, with the derived speed."""
    table = tables.others["specialization"]
    table = table[table["stage"] == "specialize"]
    for case in ("expected", "distractor", "mirror", "strong"):
        rows = table[table["case"] == case]
        if rows.empty:
            continue
        label, color = LOOK[case]
        largest = rows.groupby(["seed", "expert", "step"])["alignment"].max()
        middle = largest.groupby("step").mean()
        ax.plot(middle.index, middle, "o", ms=3, color=style.PALETTE[color], label=label)
        speed = (
            1.0
            if case == "expected"
            else drift(case if case in ("mirror", "distractor") else "none")
        )
        steps = np.array([middle.index.min(), middle.index.max()])
        ax.plot(steps, 0.001 * speed * steps, "--", lw=0.9, color=style.PALETTE[color])
    ax.set_xlabel("step of stage I")
    ax.set_ylabel("largest |⟨w, v$_n$⟩|, mean of experts")
    ax.set_ylim(top=1.0)
    ax.set_title("dashed: derived drift")


def _losses(tables: Tables, ax: Axes) -> None:
    """Loss in stage III of the routed runs."""
    curve = tables.others["curve"]
    good = tables.runs[routed(tables.runs)]
    curve = curve[curve["stage"] == "converge"]
    for case in ("expected", "weak", "mirror"):
        seeds = good.loc[good["case"] == case, "seed"]
        rows = curve[(curve["case"] == case) & curve["seed"].isin(seeds)]
        if rows.empty:
            continue
        color = LOOK[case][1]
        step = rows["step"] - rows.groupby("seed")["step"].transform("min")
        found = rows["loss"].groupby(step).agg(["median", "count"])
        middle = found.loc[found["count"] == len(seeds), "median"]  # until the first run is done
        ax.plot(middle.index, middle, color=style.PALETTE[color], label=case)
    ax.set_yscale("log")
    ax.set_xlabel("step of stage III")
    ax.set_ylabel("expected loss")
    style.legend(ax, loc="lower right", fontsize=6)


def _doses(runs: pd.DataFrame, varied: dict[str, str], seeds: int) -> Figure:
    """Share of routed runs against one setting at a time."""
    figure, axes = style.panels(len(varied), height=2.2)
    for ax, (case, axis) in zip(axes, varied.items(), strict=True):
        rows = runs[runs["case"] == case]
        for value, part in rows.groupby(axis):
            mean, low, high = stacked([routed_runs(part).share])
            ax.errorbar(
                float(str(value)), mean, yerr=[mean - low, high - mean], fmt="o", ms=3.5,
                lw=1.0, capsize=2, color=style.PALETTE[3],
            )  # fmt: skip
        ax.set_xscale("log")
        values = sorted(rows[axis].unique())
        ax.set_xticks(values, [f"{value:g}" for value in values], rotation=60)
        ax.set_xticks([], minor=True)
        ax.set_ylim(-0.04, 1.04)
        ax.set_xlabel(AXES[axis])
    axes[0].set_ylabel("share of routed runs")
    figure.supxlabel(f"cubic experts, γ in [1, 3]; {seeds} seeds, exact 95 % intervals", fontsize=8)
    return figure
