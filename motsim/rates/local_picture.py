"""The picture of local exponents p(eps), with a band over the runs and where laws would lead."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from motsim.rates.local import LocalExponents, local_exponents
from motsim.rates.picture import picture_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from motsim.rates.rate import Rate

__all__ = ["draw_local", "exponent_band", "exponent_limits", "exponents_of"]

A_DECADE = 8  # places of eps
COLORS = (
    "#0173b2", "#d55e00", "#029e73", "#cc78bc", "#ca9161", "#de8f05", "#949494", "#56b4e9",
)  # fmt: skip


def exponents_of(rate: Rate, decades: float = 1.0) -> LocalExponents:
    """Local exponents of the runs of a rate, over all eps that they passed on the way down.

    Ranges are shorter than `decades` where the runs passed less than three times that.
    """
    losses = [run.loss[run.loss > 0.0] for run in rate.runs]
    losses = [loss for loss in losses if loss.size]
    nothing = np.zeros((0, 0))
    if not losses:
        return LocalExponents(np.zeros(0), nothing, nothing)
    high, low = (np.log10(f([f(loss) for loss in losses])) for f in (max, min))
    span = float(high - low)
    if span < 0.5:  # nothing to take a slope over
        return LocalExponents(np.zeros(0), nothing, nothing)
    eps = np.logspace(high, low, int(np.ceil(A_DECADE * span)) + 1)
    times = rate.steps_to(eps.tolist()).to_numpy(float)
    return local_exponents(eps, np.nan_to_num(times, nan=-1.0), decades=min(decades, span / 3.0))


def exponent_band(ax: Axes, x: Any, found: LocalExponents, **look: Any) -> bool:
    """Draw the median exponent at `x`, with its interval; False where there is nothing to draw.

    With fewer than six runs the band holds all of them: an interval would need more.
    """
    seen = np.isfinite(found.exponents).sum(axis=0) > 0.5 * len(found.exponents)
    if not seen.any():
        return False
    middle, low, high = (values[seen] for values in found.band())
    runs = found.exponents[:, seen]
    low = np.where(np.isfinite(low), low, np.nanmin(runs, axis=0))
    high = np.where(np.isfinite(high), high, np.nanmax(runs, axis=0))
    (line,) = ax.plot(np.asarray(x)[seen], middle, **look)
    ax.fill_between(np.asarray(x)[seen], low, high, color=line.get_color(), alpha=0.2, lw=0)
    return True


def exponent_limits(ax: Axes) -> None:
    """Mark where local exponents lead: 1 for 1/eps, 0 for a logarithm."""
    for level, name in ((1.0, "1/ε"), (0.0, "log")):
        ax.axhline(level, color="0.6", lw=0.8, zorder=1)
        ax.annotate(
            name, (1.0, level), (2, 0), xycoords=("axes fraction", "data"), va="center",
            textcoords="offset points", fontsize=7, color="0.35", annotation_clip=False,
        )  # fmt: skip


def draw_local(rates: Sequence[Rate], path: str | Path | None = None) -> Figure:
    """Draw the local exponents of one rate, or of several groups in one panel.

    Raises
    ------
    ReadingError
        A ValueError: the path does not end in .png, .pdf or .svg.
    """
    with picture_figure((4.6, 3.0), path) as figure:
        ax = figure.subplots()
        exponent_limits(ax)
        drawn = False
        for at, rate in enumerate(rates):
            found = exponents_of(rate)
            look = {"color": COLORS[at % len(COLORS)], "lw": 1.3, "label": rate.name or "median"}
            look["ls"] = ("-", "--", ":")[at // len(COLORS) % 3]
            drawn = exponent_band(ax, found.epsilons, found, **look) or drawn
        ax.set_xscale("log")
        ax.invert_xaxis()
        ax.set_xlabel("accuracy eps (falls to the right)")
        ax.set_ylabel("local exponent d log T / d log(1/eps)")
        if drawn:
            low, high = ax.get_ylim()
            ax.set_ylim(max(low, -0.2), min(high, 3.0))  # a stop goes up without end
            ax.set_title("band: 95 % of the median, or all runs where they are fewer than six")
            ax.legend(frameon=False, fontsize=7)
        else:
            ax.set_title("no run passes enough of eps for a local exponent")
    return figure
