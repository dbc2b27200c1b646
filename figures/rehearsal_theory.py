"""Closed form against simulation: every drawn setting, and the distribution of the deviations."""

import numpy as np
from matplotlib.figure import Figure

from motsim.claims._simulation import LIMIT, usable
from motsim.claims.rehearsal_theory import deviations
from motsim.figures import style
from motsim.results.tables import Tables

__all__ = ["LOOK", "draw"]

#: Strategy -> label, color of the palette, marker; shared by all rehearsal figures.
LOOK = {
    "concurrent": ("concurrent", 1, "s"),
    "sequential": ("sequential", 0, "o"),
    "hybrid": ("hybrid", 2, "D"),
    "random": ("random schedule", 4, "^"),
    "least_generalization": ("planned for G", 3, "v"),
    "least_forgetting": ("planned for F", 5, "P"),
}
QUANTITY = {"forgetting": "forgetting F", "generalization": "generalization error G"}


def draw(tables: Tables) -> dict[str, Figure]:
    """Return one figure of two panels."""
    found = deviations(usable(tables))
    figure, (left, right) = style.panels(2, height=2.6)
    for case, rows in found.groupby("case", sort=False):
        label, color, marker = LOOK[str(case)]
        for quantity, points in rows.groupby("quantity"):
            left.errorbar(
                points["predicted"], points["simulated"], yerr=LIMIT * points["se"], fmt=marker,
                ms=2.6, lw=0.6, color=style.PALETTE[color], alpha=0.8,
                mfc="white" if quantity == "forgetting" else style.PALETTE[color],
                label=label if quantity == "generalization" else None,
            )  # fmt: skip
    ends = np.array([found["predicted"].min(), found["predicted"].max()])
    left.plot(ends, ends, color="0.3", lw=0.8, zorder=0)
    left.set_xscale("symlog", linthresh=1.0)
    left.set_yscale("symlog", linthresh=1.0)
    left.set_xlabel("closed form (open: F, filled: G)")
    left.set_ylabel("simulation, ± 4 standard errors")
    style.legend(left, loc="upper left")

    bins = np.arange(-5, 5.01, 0.5)
    right.hist(
        [rows["z"].clip(-5, 5) for _, rows in found.groupby("quantity")], bins=list(bins),
        density=True, color=[style.PALETTE[7], style.PALETTE[9]], label=["F", "G"],
    )  # fmt: skip
    z = np.linspace(-5, 5, 201)
    right.plot(z, np.exp(-(z**2) / 2) / np.sqrt(2 * np.pi), color="0.2", label="normal")
    for limit in (-LIMIT, LIMIT):
        right.axvline(limit, color=style.PALETTE[3], lw=0.9, ls="--")
    right.set_xlabel("(simulation − closed form) / standard error")
    right.set_ylabel("density")
    style.legend(right, loc="upper right", bbox_to_anchor=(0.88, 1.0))
    worst = found["z"].abs().max()
    settings = len(found) // 2
    left.set_title(f"{settings} drawn settings, T = 2 to 8")
    right.set_title(f"{len(found)} comparisons, largest |z| = {worst:.2f}")
    return {"rehearsal-theory": figure}
