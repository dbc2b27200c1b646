"""Coverage against the number of experts, with both formulas and exact binomial intervals."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy.special import gammaln

from motsim.claims.coverage import shares
from motsim.figures import style
from motsim.mixture.occupancy import coupon_collector
from motsim.results.tables import Tables

__all__ = ["draw", "regime_shares"]

#: Number of classes -> color, marker.
LOOK = {2: (0, "o"), 4: (1, "s"), 8: (2, "^"), 16: (4, "D")}
#: Regime -> title, formula that is drawn solid.
REGIMES = {
    "slow-gate": ("cubic, slow gate", "coupon"),
    "cubic": ("cubic, preset gate", "coupon"),
    "first-choice": ("linear, first choice", "collision"),
    "linear": ("linear, end of stage I", "collision"),
}


def draw(tables: Tables) -> dict[str, Figure]:
    """Return the figure: one panel a regime."""
    points = shares(tables.runs)
    figure, axes = style.panels(4, height=2.45)
    for ax, (regime, (title, formula)) in zip(axes, REGIMES.items(), strict=True):
        regime_shares(points[points["regime"] == regime], formula, ax)
        rival = "collision" if formula == "coupon" else "coupon"
        ax.set_title(f"{title}\nsolid: {formula}, dotted: {rival}", fontsize=7.5)
    axes[0].set_ylabel("P[all N classes covered]")
    for ax in axes[1:]:
        ax.tick_params(labelleft=False)
    handles, labels = axes[1].get_legend_handles_labels()
    figure.legend(
        handles, labels, loc="outside upper center", ncols=len(labels), handlelength=1.6,
        columnspacing=1.4,
    )  # fmt: skip
    seeds = style.seeds(tables.main)
    figure.supxlabel(
        f"number of experts M  (marker: share of {seeds} seeds, bar: 95% binomial interval)",
        fontsize=8,
    )
    return {"coverage": figure}


def regime_shares(points: pd.DataFrame, formula: str, ax: Axes) -> None:
    """Draw measured shares; the regime's formula solid, the other one dotted."""
    for n in sorted(points["num_classes"].astype(int).unique().tolist()):
        rows = points[points["num_classes"] == n]
        color, marker = LOOK.get(n, (7, "v"))
        paint = style.PALETTE[color]
        fine = np.geomspace(n, max(2.2 * rows["num_experts"].max(), 4 * n), 120)
        coupon = [max(coupon_collector(n, float(m)), 0.0) for m in fine]
        collision = np.exp(gammaln(fine + 1) - gammaln(fine - n + 1) - n * np.log(fine))
        solid, dotted = (coupon, collision) if formula == "coupon" else (collision, coupon)
        ax.plot(fine, solid, color=paint, lw=1.1)
        ax.plot(fine, dotted, color=paint, lw=0.8, ls=":", alpha=0.8)
        bars = np.array([rows["share"] - rows["low"], rows["high"] - rows["share"]])
        ax.errorbar(
            rows["num_experts"], rows["share"], yerr=bars, fmt=marker, ms=3.5, lw=0.9,
            color=paint, label=f"N = {n}", clip_on=False, zorder=3,
        )  # fmt: skip
    ax.set_xscale("log", base=2)
    ax.set_ylim(-0.02, 1.02)
    ax.xaxis.set_major_formatter(lambda value, _: f"{value:.0f}")
