"""Load balancing: loss over c^2 against c times the step, and least loss and level against c."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from motsim.claims._outcomes import specialized
from motsim.claims.load_balancing import COURSES, LATE, NUM_CLASSES, courses, residual
from motsim.figures import style
from motsim.results.tables import Tables

__all__ = ["draw"]

COLORS = dict(zip(COURSES, (0, 1, 3), strict=True))
QUARTILES = (0.25, 0.5, 0.75)


def draw(tables: Tables) -> dict[str, Figure]:
    """Return the figure: courses left, exponents right."""
    figure, (left, right) = style.panels(2, height=2.7)
    course(tables, left)
    levels(tables, right)
    seeds = tables.main["seed"].nunique()
    figure.supxlabel(
        f"stage III, N = 4, M = 16, cubic experts, {seeds} seeds, those that specialize;"
        " c: weight of the auxiliary loss\nleft: line = median of the seeds, band = quartiles;"
        " right: markers = runs",
        fontsize=7.5,
    )
    return {"load-balancing": figure}


def course(tables: Tables, ax: Axes) -> None:
    """Draw the loss in units of c^2 against time in units of 1/c: one curve for all weights."""
    good = specialized(tables.runs, NUM_CLASSES)
    good = good[good["case"].isin(COURSES)]
    curve = tables.others.get("curve")
    if curve is not None and "stage" in curve:
        for (case, weight), runs in good.groupby(["case", "load_balance"], sort=False):
            own = curve[(curve["case"] == case) & (curve["load_balance"] == weight)]
            own = own[(own["stage"] == "converge") & own["seed"].isin(runs["seed"])]
            if own.empty:
                continue
            first = own["step"].min()
            by_step = own.groupby(own["step"] - first)["loss"]
            spread = by_step.quantile(np.array(QUARTILES)).unstack()
            time = float(str(weight)) * spread.index.to_numpy(float)
            spread = spread[time > 0.02] / float(str(weight)) ** 2
            time = time[time > 0.02]
            paint = style.PALETTE[COLORS[str(case)]]
            ax.plot(time, spread[0.5], color=paint, label=f"c = {weight:g}")
            ax.fill_between(time, spread[0.25], spread[0.75], color=paint, alpha=0.2, lw=0)
    ceiling = 0.5 * residual(1.0) ** 2
    ax.axhline(ceiling, color="0.2", lw=0.9, ls="--")
    ax.text(
        0.2, ceiling * 1.25, "(M/N)²/2: derived bound\nbetween hand-overs", fontsize=6.5,
        transform=ax.get_yaxis_transform(),
    )  # fmt: skip
    ax.set_yscale("log")
    ax.set_ylim(1e-4, 1e3)
    ax.set_xlabel("c × step")
    ax.set_ylabel("loss / c²")
    style.legend(ax, loc="lower right")


def levels(tables: Tables, ax: Axes) -> None:
    """Draw least loss and level of every run against the weight, with c^2 times the median."""
    found = courses(tables)
    for column, label, color, marker in (
        ("level", f"level, c × step in [{LATE[0]:g}, {LATE[1]:g}]", 3, "o"),
        ("least", "least loss on the way", 0, "s"),
    ):
        ax.plot(
            found["load_balance"], found[column], marker, ms=3.5, mfc="white", mew=0.7,
            color=style.PALETTE[color], label=label,
        )  # fmt: skip
    if len(found):
        c = np.unique(found["load_balance"].to_numpy(float))
        unit = float((found["level"] / found["load_balance"] ** 2).median())
        ax.plot(c, unit * c**2, color="0.2", lw=0.9, label="slope 2, derived")
        ax.set_yscale("log")
        ax.set_ylim(top=1e-2)
    ax.set_xscale("log")
    weights = sorted(found["load_balance"].unique()) if len(found) else []
    ax.set_xticks(weights, [f"{weight:g}" for weight in weights])
    ax.minorticks_off()
    ax.set_xlabel("c")
    ax.set_ylabel("expected loss")
    style.legend(ax, loc="upper left")
