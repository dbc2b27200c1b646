"""T(eps) with momentum and Adam beside plain descent, and beside what was derived from it."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from motsim.claims.optimizers import MOST, TAU, adam_clock, hits, momentum_factor
from motsim.figures import style
from motsim.results.tables import Tables

__all__ = ["draw"]

#: Color, and label.
PLAIN, MOMENTUM, ADAM = (3, "plain descent"), (0, "momentum 0.9"), (2, "Adam")


def median(tables: Tables, case: str) -> pd.Series:
    """Median T(eps) over the runs that specialize, where `MOST` of them get there."""
    rows = tables.main[tables.main["case"] == case]
    if rows.empty:
        return pd.Series(dtype=float)
    wide = hits(rows)
    found: pd.Series = wide.median()[wide.notna().mean() >= MOST]
    return found[found > 0].sort_index(ascending=False)


def line(
    ax: Axes, steps: pd.Series, look: tuple[int, str], dashes: str = "-", width: float = 1.3
) -> None:
    """Draw T against 1/eps."""
    color, label = look
    ax.plot(1 / steps.index, steps, dashes, color=style.PALETTE[color], label=label, lw=width)


def draw(tables: Tables) -> dict[str, Figure]:
    """Return the figure."""
    figure, axes = style.panels(3, height=2.9)
    _mixture(tables, axes[0])
    _single(tables, axes[1])
    _clock(tables, axes[2])
    for ax in axes:
        ax.set_xscale("log")
        ax.set_xlabel("1/ε")
        style.legend(ax, loc="upper left", fontsize=6.5)
    axes[0].set_ylabel("steps of the last stage, T(ε)")
    figure.supxlabel(
        "medians of the runs that specialize (mixture) or stay finite (single), as far as"
        f" {100 * MOST:.0f} % of them get there\ndotted: derived from plain descent; nothing fitted"
        " (first two), put through the last point (third; the metric freezes on the way)",
        fontsize=7,
    )
    return {"optimizers": figure}


def _mixture(tables: Tables, ax: Axes) -> None:
    ax.set_title("mixture, squared loss")
    plain, factor = median(tables, "mot-plain"), momentum_factor(tables, "mot-momentum")
    for case, look in (("mot-momentum", MOMENTUM), ("mot-adam", ADAM)):
        steps = median(tables, case)
        if len(steps):
            line(ax, steps, look)
    if len(plain):
        line(ax, plain / 5, (PLAIN[0], "plain descent, divided by 5"))
        late = plain[plain.index <= 1.01e-3]
        ours = median(tables, "mot-momentum").reindex(late.index).dropna()
        if len(ours):
            start = ours.iloc[0] - factor * late.iloc[0]
            line(ax, start + factor * late, (7, f"plain × {factor:.3f}, from ε = 0.001"), ":", 2)
    ax.set_ylim(0, 1.45 * ax.get_ylim()[1])


def _single(tables: Tables, ax: Axes) -> None:
    ax.set_title("single transformer, logistic loss")
    plain, factor = median(tables, "single-plain"), momentum_factor(tables, "single-momentum")
    for case, look in (("single-momentum", MOMENTUM), ("single-adam", ADAM)):
        steps = median(tables, case)
        if len(steps):
            line(ax, steps, look)
    if len(plain):
        line(ax, plain, PLAIN)
        line(ax, factor * plain, (7, f"plain × {factor:.1f}"), ":", 2)
    ax.set_yscale("log")
    ax.set_ylim(None, 8 * ax.get_ylim()[1])


def _clock(tables: Tables, ax: Axes) -> None:
    ax.set_title("Adam, logistic loss")
    for case, theirs, color, label in (
        ("single-adam", "single-plain", 2, "single"),
        ("mot-logistic-adam", "mot-logistic-plain", 4, "mixture"),
    ):
        steps, plain = median(tables, case), median(tables, theirs)
        both = steps.index.intersection(plain.index)
        if len(steps):
            line(ax, steps, (color, label))
        if len(both):
            last = both.min()
            rate = float(adam_clock(steps)[last] / plain[last])
            derived = TAU * np.log1p(rate * plain[both] / TAU)
            label = "_" if color == 4 else f"τ log(1 + S/τ), τ = {TAU:,.0f}"
            line(ax, derived.sort_index(), (7, label), ":", 2)
    ax.set_ylim(0, 1.2 * ax.get_ylim()[1])
