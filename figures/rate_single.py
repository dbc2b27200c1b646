"""Single transformer: T(eps) with fitted powers, and the dominance that explains the exponent."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from figures import style
from motsim.claims.rate_single import dominance, hitting_exponents
from motsim.claims.rates import fitted_curve
from motsim.results.tables import Tables

__all__ = ["draw"]

LOOK = {
    "single-4-squared": ("squared, H = 4", 9, "^"),
    "single-16-squared": ("squared, H = 16", 0, "D"),
    "single-1-logistic": ("logistic, H = 1", 7, "v"),
    "single-4-logistic": ("logistic, H = 4, cubic", 4, "s"),
    "single-16-logistic": ("logistic, H = 16, cubic", 2, "o"),
}
PAIR = {"spread": ("γ in [1, 3]", 0), "one-amplitude": ("γ = 2", 1)}
RATE = 0.1


def draw(tables: Tables) -> dict[str, Figure]:
    """Return the figure."""
    figure, (left, right) = style.panels(2, height=2.8)
    hitting(tables, left)
    mechanism(tables, right)
    seeds = tables.main["seed"].nunique()
    figure.supxlabel(
        f"left: marker = median, bar = range of {seeds} seeds, line = fitted power;"
        f" right: one marker a snapshot, {seeds} seeds, N = 2, H = 4",
        fontsize=7,
    )
    return {"rate-single": figure}


def hitting(tables: Tables, ax: Axes) -> None:
    """Draw T(eps) of the headline's single transformers."""
    for case, rows in tables.main[tables.main["case"].isin(list(LOOK))].groupby("case"):
        label, colour, marker = LOOK[str(case)]
        steps = rows["step"].where(rows["step"] >= 0)
        spread = steps.groupby(rows["epsilon"]).agg(["median", "min", "max", "count"])
        spread = spread[(spread["count"] == rows["seed"].nunique()) & (spread["median"] > 0)]
        bars = np.abs(spread[["min", "max"]].to_numpy().T - spread["median"].to_numpy())
        ax.errorbar(
            1 / spread.index, spread["median"], yerr=bars, fmt=marker, ms=3, lw=0.7,
            mfc="white", color=style.PALETTE[colour], label=label,
        )  # fmt: skip
        line = fitted_curve(rows)
        ax.plot(1 / line["epsilon"], line["step"], color=style.PALETTE[colour], lw=0.9)
    ax.set_xscale("log")
    ax.set_yscale("log")
    ax.set_ylim(top=ax.get_ylim()[1] * 30)
    style.legend(ax, loc="upper left", fontsize=6.5)
    ax.set_xlabel("1/ε")
    ax.set_ylabel("T(ε): first step with loss ≤ ε")


def mechanism(tables: Tables, ax: Axes) -> None:
    """Draw the dominance against the loss, and the slope that the exponent of T predicts."""
    for case, (label, colour) in PAIR.items():
        table = dominance(tables, case, RATE)
        table = table[(table["loss"] > 1e-9) & (table["loss"] < 1e-1)]
        if table.empty:
            continue
        ax.plot(
            table["loss"], table["dominance"], "o", ms=2.5, alpha=0.6,
            color=style.PALETTE[colour], label=label,
        )  # fmt: skip
        rows = tables.main[(tables.main["case"] == case) & np.isclose(
            tables.main["converge_rate"], RATE)]  # fmt: skip
        if case == "spread" and (found := hitting_exponents(rows)):
            p = float(np.mean(list(found.values())))
            small = table[table["loss"] < 1e-2]
            level = np.exp(np.median(np.log(small["dominance"]) - p * np.log(small["loss"])))
            ends = np.array([small["loss"].min(), 1e-2])
            ax.plot(
                ends, level * ends**p, "--", color="k", lw=1, label=f"slope p = {p:.2f} of T(ε)"
            )
    ax.set_xscale("log")
    ax.set_yscale("log")
    ax.invert_xaxis()
    style.legend(ax, loc="lower left", fontsize=6.5)
    ax.set_xlabel("expected loss L")
    ax.set_ylabel("−(dL/dt) / 2L per step")
