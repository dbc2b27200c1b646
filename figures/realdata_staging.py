"""Real data: one, two and three stages: test error and specialization along training."""

import pandas as pd
from matplotlib.figure import Figure

from motsim.figures import style
from motsim.figures.realdata import bands, percent_axis
from motsim.results.tables import Tables

__all__ = ["draw"]

#: Schedule -> label, color, marker.
LOOK = {
    "end_to_end": ("end to end", 3, "o"),
    "two_stage": ("two stages", 1, "^"),
    "three_stage": ("three stages", 0, "s"),
}


def draw(tables: Tables) -> dict[str, Figure]:
    """Return the figure: columns are kinds of experts, rows error and entropy."""
    curves = tables.others.get("curve", pd.DataFrame())
    cases = list(dict.fromkeys(curves["case"])) if len(curves) else []
    figure, axes = style.panels(max(len(cases), 1), 2, height=2.0)
    for i_case, case in enumerate(cases):
        own = curves[curves["case"] == case]
        top, bottom = axes[i_case], axes[len(cases) + i_case]
        own = own.assign(x=own["step"])
        bands(own.assign(y=100 * own["test_error"]), "schedule", LOOK, top)
        bands(own.assign(y=own["dispatch_entropy"]), "schedule", LOOK, bottom)
        top.set_title(f"{case} experts")
        percent_axis(top)
        stages = own[own["schedule"] == "three_stage"].groupby("phase")["step"].min()
        for ax in (top, bottom):
            for step in sorted(stages)[1:]:
                ax.axvline(step, color=style.GRAY, lw=0.8, ls=":")
        bottom.set_ylim(bottom=0)
        bottom.set_xlabel("gradient steps")
    if cases:
        axes[0].set_ylabel("test error (%)")
        axes[len(cases)].set_ylabel("entropy of task\ngiven expert (nats)")
        seeds = tables.main["seed"].nunique()
        axes[0].legend(loc="upper right")
        figure.supxlabel(
            f"mean of {seeds} seeds, 95 % interval; dotted: ends of stages I, II", fontsize=8
        )
    return {"realdata-staging": figure}
