"""Fair baselines: steps of each baseline over steps of the mixture, at three accuracies."""

import numpy as np
from matplotlib.figure import Figure

from figures import style
from motsim.claims.fair_baselines import ADVANTAGE, REFERENCE, TARGETS, step_ratio
from motsim.results.tables import Tables

__all__ = ["draw"]

LABELS = {
    "single-1": "single, 1 head",
    "single-4": "single, 4 heads",
    "single-16": "single, 16 heads (H = M)",
    "single-4-4-neurons": "single, 4 heads, J = 4",
    "mot-4-neurons": "MoT, J = 4",
    "shared": "mixture, shared attention",
    "moe": "mixture, no attention",
}
COLOURS, MARKERS = (1, 2, 0), "sDo"


def draw(tables: Tables) -> dict[str, Figure]:
    """Return the figure."""
    figure, (ax,) = style.panels(1, height=3.2)
    main = tables.main
    reference = main[main["case"] == REFERENCE]
    cases = [case for case in LABELS if case in set(main["case"])]
    for k, target in enumerate(TARGETS):
        colour = style.PALETTE[COLOURS[k]]
        ax.plot([], [], MARKERS[k], color=colour, ms=3.5, label=f"ε = {target:.0e}")
        for place, case in enumerate(cases):
            found = step_ratio(main[main["case"] == case], reference, target)
            if not np.isfinite(found["ratio"]):
                continue
            y = place + 0.22 * (k - 1)
            ax.plot([found["low"], min(found["high"], found["ratio"] * 1.02)], [y, y], color=colour)
            if np.isfinite(found["high"]):
                ax.plot([found["ratio"], found["high"]], [y, y], color=colour)
                ax.plot(found["ratio"], y, MARKERS[k], color=colour, ms=3.5)
            else:  # a lower bound: some runs stopped at their budget
                ax.plot(found["ratio"], y, ">", color=colour, ms=4.5, mfc="white")
    ax.axvspan(1.0, ADVANTAGE, color="0.5", alpha=0.15, lw=0)
    ax.axvline(1.0, color=style.GREY, lw=0.8)
    ax.set_xscale("log")
    ax.set_yticks(range(len(cases)), [LABELS[case] for case in cases])
    ax.invert_yaxis()
    seeds = reference["seed"].nunique()
    ax.set_xlabel(
        f"T(ε) of baseline / T(ε) of MoT, M = 16\n({seeds} seeds, 95 % interval; open: lower bound)"
    )
    style.legend(ax, loc="lower right", fontsize=6.5)
    return {"fair-baselines": figure}
