"""Headline figures: the loss against the step, and T(eps) against 1/eps with the fitted laws."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from figures import style
from motsim.claims.rates import fitted_curve
from motsim.results.tables import Tables

__all__ = ["draw", "hitting_times", "loss_curves"]

#: Case -> label, colour, marker. Mixtures are warm and filled, single transformers cold and open.
LOOK = {
    "mot-squared": ("MoT, cubic, M = 16", 3, "o"),
    "mot-linear-squared": ("MoT, linear, M = 32", 1, "s"),
    "mot-logistic": ("MoT, cubic, M = 16", 3, "o"),
    "single-1-squared": ("single, 1 head", 7, "v"),
    "single-4-squared": ("single, 4 heads", 9, "^"),
    "single-16-squared": ("single, 16 heads", 0, "D"),
    "single-1-logistic": ("single, 1 head", 7, "v"),
    "single-4-logistic": ("single, 4 heads", 9, "^"),
    "single-16-logistic": ("single, 16 heads", 0, "D"),
}
LOSSES = ("squared", "logistic")


def draw(tables: Tables) -> dict[str, Figure]:
    """Return both figures."""
    seeds = tables.main["seed"].nunique()
    note = f"line: median of {seeds} seeds, band: all seeds"
    loss_figure, axes = style.panels(2, height=2.6)
    for ax, loss in zip(axes, LOSSES, strict=True):
        loss_curves(tables.others["curve"], loss, ax)
        ax.set_title(f"{loss} loss", pad=14)
    axes[0].set_ylabel("expected loss (noise-free routing)")
    for ax in axes:
        style.legend(ax, loc="lower left")
    loss_figure.supxlabel(
        f"gradient step  ({note}; shaded: stages I, II, III of MoT, cubic)", fontsize=8
    )

    time_figure, axes = style.panels(2, height=2.7)
    for ax, loss in zip(axes, LOSSES, strict=True):
        hitting_times(tables.main, loss, ax)
        ax.set_title(f"{loss} loss")
    axes[0].set_ylabel("T(ε): first step with loss ≤ ε")
    style.legend(axes[0], loc="upper right")
    style.legend(axes[1], loc="lower right")
    time_figure.supxlabel(
        f"1/ε  (marker: median of {seeds} seeds, bar: all seeds, line: fitted law)", fontsize=8
    )
    return {"rates-loss": loss_figure, "rates": time_figure}


def loss_curves(curve: pd.DataFrame, loss: str, ax: Axes) -> None:
    """Draw the loss of every case of one loss function; shade the stages of the mixture."""
    for case, rows in curve.groupby("case", sort=False):
        if not str(case).endswith(loss):
            continue
        label, colour, _ = LOOK[str(case)]
        runs = [run.set_index("step")["loss"] for _, run in rows.groupby("seed")]
        steps = np.unique(np.concatenate([run.index.to_numpy() for run in runs]))
        steps = steps[steps <= min(run.index.max() for run in runs)]
        wide = np.array([np.interp(steps, run.index, np.log(run)) for run in runs])
        ax.plot(steps + 1, np.exp(np.median(wide, 0)), color=style.PALETTE[colour], label=label)
        ax.fill_between(
            steps + 1, np.exp(wide.min(0)), np.exp(wide.max(0)),
            color=style.PALETTE[colour], alpha=0.2, lw=0,
        )  # fmt: skip
    mixture = curve[(curve["case"] == f"mot-{loss}") & (curve["seed"] == curve["seed"].min())]
    spans = mixture.groupby("stage", sort=False)["step"].agg(["min", "max"])
    names = {"specialise": "I", "align": "II", "converge": "III"}
    style.label_stages(
        ax, [(names.get(str(n), str(n)), lo + 1, hi + 1) for n, (lo, hi) in spans.iterrows()]
    )
    ax.set_xscale("log")
    ax.set_yscale("log")


def hitting_times(main: pd.DataFrame, loss: str, ax: Axes) -> None:
    """Draw T(eps) with the range over seeds, and the decided law where there is one."""
    for case, rows in main.groupby("case", sort=False):
        if not str(case).endswith(loss):
            continue
        label, colour, marker = LOOK[str(case)]
        steps = rows["step"].where(rows["step"] >= 0)
        spread = steps.groupby(rows["epsilon"]).agg(["median", "min", "max", "count"])
        spread = spread[(spread["count"] == rows["seed"].nunique()) & (spread["median"] > 0)]
        if spread.empty:
            ax.plot([], [], marker, color=style.PALETTE[colour], label=f"{label}: not reached")
            continue
        bars = np.abs(spread[["min", "max"]].to_numpy().T - spread["median"].to_numpy())
        ax.errorbar(
            1 / spread.index, spread["median"], yerr=bars, fmt=marker, ms=3, lw=0.8,
            color=style.PALETTE[colour], label=label,
            mfc="white" if str(case).startswith("single") else None,
        )  # fmt: skip
        gated = bool(rows["covered_classes"].notna().any())
        line = fitted_curve(rows, 4 if gated else None)
        ax.plot(1 / line["epsilon"], line["step"], color=style.PALETTE[colour], lw=1.0)
    ax.set_xscale("log")
    ax.set_yscale("log")
