"""Floors against noise and length with the closed form, and attention over stage II."""

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from motsim.claims.attention_floor import REPLICATES, floors, noise_weight, predicted_floor
from motsim.figures import style
from motsim.results.tables import Tables
from motsim.statistics.interval import stacked
from motsim.statistics.intervals import mean_interval

__all__ = ["draw"]

#: Number of tokens -> color, marker.
LOOK = {4: (9, "^"), 5: (4, "v"), 6: (0, "s"), 8: (3, "o"), 12: (7, "D")}


def draw(tables: Tables) -> dict[str, Figure]:
    """Return both figures: the floors, and the alignment of attention."""
    linear = tables.main[tables.main["case"].isin(["moe-linear", "mot-linear"])]
    seeds = style.seeds(linear)
    floor_figure, axes = style.panels(2, height=2.5)
    top = 0.0
    for ax, case, title in zip(
        axes,
        ("moe-linear", "mot-linear"),
        ("without attention (MoE)", "with attention, after stage II (MoT)"),
        strict=True,
    ):
        rows = floors(tables, case)
        _closed_form(tables, rows, ax)
        _floors(rows, ax)
        ax.set_title(title)
        top = max(top, ax.get_ylim()[1])
    for ax in axes:
        ax.set_ylim(0.0, top)
    axes[0].set_ylabel("error floor (expected loss)")
    style.legend(axes[0], loc="upper left")
    floor_figure.supxlabel(
        f"noise σ  (linear experts, N = 2, d = 8; mean of {seeds} seeds with 95 % interval)\n"
        "dashed in both panels: closed form without attention, τ/(2(1+τ)), τ = σ²(L−3)/d\n"
        "filled: on fresh noise draws; open: on the fitted ones, which attention partly memorises",
        fontsize=8,
    )
    return {
        "attention-floor": floor_figure,
        "attention-floor-alignment": _alignment(tables),
    }


def _floors(rows: pd.DataFrame, ax: Axes) -> None:
    for length, part in rows.groupby("num_tokens"):
        color, marker = LOOK[int(str(length))]
        for column, filled in (("floor", False), ("fresh", True)):
            found = {float(str(s)): cell[column] for s, cell in part.groupby("noise_std")}
            sigma = np.array(list(found))
            mean, low, high = stacked(mean_interval(values) for values in found.values())
            ax.errorbar(
                sigma, mean, yerr=[mean - low, high - mean], fmt=marker, ms=3.5, lw=1.0, capsize=2,
                color=style.PALETTE[color], markerfacecolor=None if filled else "white",
                label=f"L = {length}" if filled else None,
            )  # fmt: skip


def _closed_form(tables: Tables, rows: pd.DataFrame, ax: Axes) -> None:
    replicates = REPLICATES[str(tables.meta.get("tier", "quick"))]
    for length in sorted(rows["num_tokens"].unique()):
        sigma = np.linspace(0.0, rows["noise_std"].max(), 60)
        line = [predicted_floor(float(s), int(length), replicates) for s in sigma]
        ax.plot(sigma, line, color=style.PALETTE[LOOK[int(length)][0]], lw=0.9, ls="--")


def _alignment(tables: Tables) -> Figure:
    """Attention on noise tokens and the loss, over the steps of stage II."""
    figure, axes = style.panels(2, height=2.3)
    shares = noise_weight(tables, "mot-linear")
    length = shares["num_tokens"].max()
    shares = _stage_two(shares[shares["num_tokens"] == length])
    curve = tables.others["curve"]
    curve = curve[(curve["case"] == "mot-linear") & (curve["num_tokens"] == length)]
    curve = _stage_two(curve)
    seeds = curve["seed"].nunique()
    levels = [s for s in sorted(shares["noise_std"].unique()) if s > 0]
    paints = dict(zip(levels, sns.color_palette("viridis", len(levels)), strict=True))
    for ax, frame, column in ((axes[0], shares, "share"), (axes[1], curve, "loss")):
        for sigma, part in frame[frame["noise_std"] > 0].groupby("noise_std"):
            step = part["step"] - part["step"].min()
            spread = part[column].groupby(step).agg(["mean", "min", "max", "count"])
            spread = spread[spread["count"] == seeds]
            ax.plot(spread.index, spread["mean"], color=paints[sigma], label=f"σ = {sigma:g}")
            ax.fill_between(
                spread.index, spread["min"], spread["max"], color=paints[sigma], alpha=0.2, lw=0
            )
    axes[0].axhline((length - 3) / length, color=style.GRAY, ls=":", lw=1.0)
    axes[0].text(
        1.0, (length - 3) / length, "uniform", color=style.GRAY, fontsize=7, ha="right",
        va="bottom", transform=axes[0].get_yaxis_transform(),
    )  # fmt: skip
    axes[0].set_ylabel("attention on noise tokens")
    axes[1].set_ylabel("expected loss")
    axes[1].set_ylim(bottom=0.0)
    style.legend(axes[1], loc="upper right")
    figure.supxlabel(
        f"step of stage II  (linear experts, L = {length}; mean of {seeds} seeds, band: all seeds)",
        fontsize=8,
    )
    return figure


def _stage_two(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows from the start of stage II to the start of stage III."""
    begin = rows.loc[rows["stage"] == "align", "step"].min()
    end = rows.loc[rows["stage"] == "converge", "step"].min()
    return rows[(rows["step"] >= begin) & (rows["step"] <= end)]
