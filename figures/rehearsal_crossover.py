"""Crossover of sequential and concurrent rehearsal: errors, differences near it, phase diagrams."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from motsim.claims._simulation import LIMIT, QUANTITIES, pooled, usable
from motsim.claims.rehearsal_crossover import CROSSING, cells, crossing, difference
from motsim.figures import style
from motsim.figures.rehearsal_theory import LOOK, QUANTITY
from motsim.results.tables import Tables

__all__ = ["draw"]


def draw(tables: Tables) -> dict[str, Figure]:
    """Return the figure of errors and differences, and the phase diagrams."""
    rows = usable(tables)
    figure, axes = style.panels(2, 2, height=2.3)
    for ax, quantity in zip(axes[:2], QUANTITIES, strict=True):
        errors(rows[rows["case"] == "range"], tables.others["line"], quantity, ax)
    style.legend(axes[0], loc="lower left")
    for ax, quantity in zip(axes[2:], QUANTITIES, strict=True):
        near(rows, quantity, ax)
    style.legend(axes[2], loc="lower left")
    phases, axes = style.panels(2, 2, height=2.3)
    for column, quantity in enumerate(QUANTITIES):
        for row, (case, table, axis) in enumerate(
            (
                ("phase-memory", "memory_phases", "memory"),
                ("phase-ratio", "ratio_phases", "ratio"),
            )
        ):
            ax = axes[2 * row + column]
            phase(tables.others[table], cells(tables, case, quantity), axis, quantity, ax)
            if row == 0:
                ax.set_title(QUANTITY[quantity])
    handles = [
        Line2D([], [], marker=LOOK[name][2], color="none", mfc=style.PALETTE[LOOK[name][1]],
               mec="black", mew=0.5, ms=5, label=f"{name} better")
        for name in ("sequential", "concurrent")
    ]  # fmt: skip
    handles.append(
        Line2D([], [], marker="x", color="none", mec="0.2", ms=4, label="not told apart (4 s.e.)")
    )
    handles.append(Line2D([], [], color="black", lw=1.2, label="predicted crossover"))
    phases.legend(handles=handles, loc="outside lower center", ncols=4)
    runs = rows[rows["case"] == "phase-memory"].groupby("seed")["repetitions"].max().sum()
    phases.suptitle(
        f"areas: closed form, T = 2, n = 30, σ = 0.1; points: {runs:,} runs a strategy",
        fontsize=7.5,
    )
    return {"rehearsal-crossover": figure, "rehearsal-crossover-phases": phases}


def errors(rows: pd.DataFrame, lines: pd.DataFrame, quantity: str, ax: Axes) -> None:
    """Both strategies against the cosine, T = 2: closed form as lines, simulation as points."""
    points = pooled(rows, ["strategy", "cosine"])
    for strategy in ("concurrent", "sequential"):
        label, color, marker = LOOK[strategy]
        line = lines[(lines["strategy"] == strategy) & (lines["seed"] == 0)]
        ax.plot(line["value"], line[quantity], color=style.PALETTE[color], lw=1.1)
        own = points[points["strategy"] == strategy]
        ax.errorbar(
            own["cosine"], own[quantity], yerr=LIMIT * own[f"{quantity}_se"], fmt=marker, ms=3,
            lw=0.8, color=style.PALETTE[color], label=label,
        )  # fmt: skip
    if points.empty:
        return
    root = float(rows[f"{quantity}_crossover"].iloc[0])
    ax.axvline(root, color="0.4", lw=0.8, ls=":")
    ax.text(root - 0.02, 0.02, f"{root:.3f}", transform=ax.get_xaxis_transform(), ha="right",
            fontsize=6.5, color="0.3")  # fmt: skip
    runs = int(rows.groupby(["strategy", "cosine"])["repetitions"].sum().min())
    ax.set_xticks([-1, -0.5, 0, 0.5, 1])
    ax.set_xlabel(f"cosine of the two tasks (line: closed form; {runs:,} runs a point)", fontsize=7)
    ax.set_ylabel(QUANTITY[quantity])
    ax.set_title("T = 2, p = 100, n = 30, m = 24, σ = 0.1", fontsize=7.5)


def near(rows: pd.DataFrame, quantity: str, ax: Axes) -> None:
    """Concurrent − sequential near the crossover, and where the simulations put it."""
    names = {"two-tasks": "T = 2, p = 100", "four-tasks": "T = 4, p = 60"}
    for i_case, case in enumerate(CROSSING):
        points = difference(rows[rows["case"] == case], quantity).sort_values("cosine")
        if points.empty:
            continue
        color = ("0.3", style.PALETTE[4])[i_case]
        ax.plot(points["cosine"], points["gap_predicted"], color=color, lw=1.1)
        root, error = crossing(points)
        ax.errorbar(
            points["cosine"], points["gap"], yerr=LIMIT * points["gap_se"], fmt="os"[i_case], ms=3,
            lw=0.8, color=color, label=names[case],
        )  # fmt: skip
        height = (0.68, 0.92)[i_case]
        ax.errorbar(
            [root], [height], xerr=[LIMIT * error], fmt="|", ms=5, lw=1.2, color=color,
            transform=ax.get_xaxis_transform(),
        )  # fmt: skip
        ax.text(
            root + LIMIT * error + 0.006, height,
            f"{root:.3f} ± {LIMIT * error:.3f}\npredicted {points['crossover'].iloc[0]:.3f}",
            transform=ax.get_xaxis_transform(), fontsize=6.5, color="0.3", va="center",
        )  # fmt: skip
    ax.axhline(0, color="0.3", lw=0.8)
    ax.set_xlim(0.66, 1.06)
    ax.set_xticks([0.7, 0.8, 0.9, 1.0])
    ax.set_xlabel("cosine of the tasks")
    ax.set_ylabel("concurrent − sequential")
    ax.set_title(f"{QUANTITY[quantity]}: crossover from simulations", fontsize=7.5)


def phase(table: pd.DataFrame, simulated: pd.DataFrame, axis: str, quantity: str, ax: Axes) -> None:
    """Which strategy is better over (cosine, axis): closed form as areas, simulation as points."""
    table = table[table["seed"] == 0]
    if table[axis].nunique() < 2:  # no area
        return
    edge = table.drop_duplicates(axis).sort_values(axis)
    root, heights = edge[f"{quantity}_crossover"], edge[axis].to_numpy(float)
    everywhere = (edge[f"{quantity}_better"] == "sequential").to_numpy(float)  # no crossover
    border = root.to_numpy(float)
    border = np.where(np.isfinite(border), border, everywhere)
    for ends, name in (((0.0, border), "sequential"), ((border, 1.0), "concurrent")):
        color = style.PALETTE[LOOK[name][1]]
        ax.fill_betweenx(heights, *ends, color=color, alpha=0.35, lw=0)
    ax.plot(root, heights, color="black", lw=1.2)
    samples = float((table["dimension"] / table["ratio"]).iloc[0])
    for name in ("sequential", "concurrent", "undecided"):
        own = simulated[simulated["found"] == name] if len(simulated) else simulated
        if own.empty:
            continue
        height = own["memory_size"] if axis == "memory" else own["dim"] / samples
        if name == "undecided":
            ax.plot(own["cosine"], height, "x", ms=4, color="0.2", clip_on=False)
        else:
            _, color, marker = LOOK[name]
            ax.plot(own["cosine"], height, marker, ms=4.5, mfc=style.PALETTE[color], mec="black",
                    mew=0.5, clip_on=False)  # fmt: skip
    ax.grid(False)
    ax.set_xlim(0, 1)
    if axis == "ratio":
        ax.set_yscale("log")
        ax.set_ylim(heights.min(), 20)
        ax.set_yticks([2, 5, 10, 20], ["2", "5", "10", "20"])
        ax.minorticks_off()
    ax.set_xlabel("cosine of the two tasks")
    ax.set_ylabel("memory m (columns)" if axis == "memory" else "p / n")
    if axis == "memory":
        ax.set_ylim(heights.min(), heights.max())
