"""Specialization, loss and rate against task similarity, with the derived predictions."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from motsim.claims.similarity import CASES, shares
from motsim.figures import style
from motsim.results.tables import Tables
from motsim.statistics.interval import stacked
from motsim.statistics.intervals import mean_interval, share_interval
from motsim.statistics.transitions import cubic_transition, race

__all__ = ["draw"]

#: Case -> label, color, marker.
LOOK = {
    "cubic-n3": ("N = 3, M = 12", 9, "^"),
    "cubic-n4": ("N = 4, M = 16", 3, "o"),
    "cubic-n8": ("N = 8, M = 40", 0, "s"),
    "linear-m8": ("N = 4, M = 8", 1, "v"),
    "linear-m32": ("N = 4, M = 32", 2, "D"),
}


def draw(tables: Tables) -> dict[str, Figure]:
    """Return the transitions, and what similarity does to loss and rate."""
    seeds = style.seeds(tables.main)
    figure, axes = style.panels(2, height=2.7)
    for case in ("cubic-n3", "cubic-n4", "cubic-n8"):
        _cubic(tables, case, axes[0])
    for case in ("linear-m8", "linear-m32"):
        _linear(tables, case, axes[1])
    axes[0].set_xlim(-0.02, 0.36)
    axes[0].set_ylabel("experts that hold one class (share)")
    axes[0].set_title("cubic experts; dashed: 1/(1+2√(N−1))")
    axes[1].set_ylabel("runs, each class its expert (share)")
    axes[1].set_title("linear experts; lines: race of the classes")
    for ax, corner in zip(axes, ("lower left", "upper right"), strict=True):
        ax.set_ylim(-0.04, 1.08)
        style.legend(ax, loc=corner)
    figure.supxlabel(f"task similarity ρ  ({seeds} seeds, bars: 95 % intervals)", fontsize=8)

    rate_figure, axes = style.panels(2, height=2.7)
    _losses(tables, axes[0])
    _decay(tables, axes[1])
    rate_figure.supxlabel(
        f"{seeds} seeds; markers: median, bars and bands: all seeds; left: cubic M = 16; linear"
        " M = 32, ρ ≤ 0.4",
        fontsize=8,
    )
    return {"similarity": figure, "similarity-rate": rate_figure}


def _cubic(tables: Tables, case: str, ax: Axes) -> None:
    label, color, marker = LOOK[case]
    wide = shares(tables, case)
    if wide.empty:
        return
    rho = wide.columns.to_numpy(float)
    mean, low, high = stacked(mean_interval(wide[r]) for r in wide.columns)
    paint = style.PALETTE[color]
    ax.errorbar(
        rho, mean, yerr=[mean - low, high - mean], fmt=marker + "-", ms=3.5, lw=0.9, capsize=2,
        color=paint, label=label,
    )  # fmt: skip
    ax.axvline(cubic_transition(CASES[case][0]), color=paint, ls="--", lw=1.0)


def _linear(tables: Tables, case: str, ax: Axes) -> None:
    label, color, marker = LOOK[case]
    wide = shares(tables, case)
    if wide.empty:
        return
    rho = wide.columns.to_numpy(float)
    count = wide.sum().to_numpy(int)
    mean, low, high = stacked(share_interval(int(k), len(wide)) for k in count)
    paint = style.PALETTE[color]
    ax.errorbar(
        rho, mean, yerr=np.abs([mean - low, high - mean]),
            fmt=marker, ms=3.5, lw=0.9, capsize=2, color=paint,
        label=label,
    )  # fmt: skip
    fine = np.linspace(rho.min(), 0.97, 30)
    ax.plot(fine, [race(float(r), *CASES[case]) for r in fine], color=paint, lw=1.1)


def _losses(tables: Tables, ax: Axes) -> None:
    """Final loss against rho."""
    for case, label, color, marker in (
        ("cubic-n4", "cubic", 3, "o"),
        ("linear-loss", "linear, no stage II", 2, "D"),
        ("linear-aligned", "linear, stage II", 7, "X"),
    ):
        runs = tables.runs
        runs = runs[runs["case"] == case]
        if case.startswith("linear"):
            runs = runs[runs["dispatch_entropy"] < 1e-3]
        spread = runs.groupby("similarity")["final_loss"].agg(["median", "min", "max"])
        middle = spread["median"]
        ax.errorbar(
            spread.index, middle, yerr=[middle - spread["min"], spread["max"] - middle],
            fmt=marker + "-", ms=3.5, lw=0.9, capsize=2, color=style.PALETTE[color], label=label,
        )  # fmt: skip
    ax.set_yscale("log")
    ax.set_xlabel("task similarity ρ")
    ax.set_ylabel("final loss")
    ax.set_title("final loss (linear: specialized runs)")
    style.legend(ax, loc="upper right", bbox_to_anchor=(1.02, 0.62))


def _decay(tables: Tables, ax: Axes) -> None:
    """Loss over stage III of cubic experts between similar tasks, with slope -3/2."""
    curve = tables.others["curve"]
    curve = curve[(curve["case"] == "cubic-rate") & (curve["stage"] == "converge")]
    curve = curve[curve["similarity"] == -0.15]
    if curve.empty:
        return
    step = curve["step"] - curve.groupby("seed")["step"].transform("min") + 1
    spread: pd.DataFrame = curve["loss"].groupby(step).agg(["median", "min", "max"])
    paint = style.PALETTE[3]
    ax.plot(spread.index, spread["median"], color=paint, label="cubic, ρ = −0.15")
    ax.fill_between(spread.index, spread["min"], spread["max"], color=paint, alpha=0.2, lw=0)
    last, end = float(spread.index.max()), float(spread["median"].iloc[-1])
    t = np.geomspace(last / 30, last, 20)
    ax.plot(t, 2.0 * end * (t / last) ** -1.5, "--", color=style.GRAY, label="slope −3/2 (derived)")
    ax.set_xscale("log")
    ax.set_yscale("log")
    ax.set_xlabel("step of stage III")
    ax.set_ylabel("expected loss")
    ax.set_title("no log law between similar tasks")
    style.legend(ax, loc="lower left")
