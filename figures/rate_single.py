"""Single transformer: T(eps), its local exponents, and the logarithm below a power."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullLocator

from motsim.claims._outcomes import specialized
from motsim.claims._powers import power_text
from motsim.claims._rates import curves
from motsim.figures import style
from motsim.rates import local_exponents
from motsim.rates.local_picture import exponent_band, exponent_limits
from motsim.results.tables import Tables

__all__ = ["draw"]

#: Case -> label, color, line.
LEFT = {
    "single-1-logistic": ("logistic, H = 1", 7, "-"),
    "single-4-logistic": ("logistic, H = 4, cubic", 4, "-"),
    "single-16-logistic": ("logistic, H = 16, cubic", 2, "-"),
    "single-4-squared": ("squared, H = 4", 9, ":"),
    "single-16-squared": ("squared, H = 16", 0, ":"),
}
CUBIC = 4.0 / 3.0  # c of p = 1 - c / log(1/eps), docs/theory.md
RIGHT = {"spread": ("γ in [1, 3]", 0), "one-amplitude": ("γ = 2", 1)}


def draw(tables: Tables) -> dict[str, Figure]:
    """Return the figure."""
    figure, (left, right) = style.panels(2, height=2.8)
    for case, (label, color, line) in LEFT.items():
        rows = tables.main[tables.main["case"] == case]
        if band(rows, left, style.PALETTE[color], line):
            text = f"{label}: {power_text(case, rows)}"
            left.plot([], [], line, color=style.PALETTE[color], label=text)
    for case, (label, color) in RIGHT.items():
        rows = tables.main[tables.main["case"] == case]
        if per_decade(rows, right, style.PALETTE[color]):
            right.plot([], [], color=style.PALETTE[color], label=label)
    left.set_ylabel("T(ε): steps to loss ≤ ε")
    left.set_title("N = 4")
    left.set_ylim(top=left.get_ylim()[1] ** 1.35)
    style.legend(left, loc="upper left", fontsize=6.5)
    right.set_ylabel("steps a decade at ε")
    right.set_title("N = 2, H = 4, squared loss: level where logarithmic")
    style.legend(right, loc="upper left")
    figure.supxlabel("1/ε  (line: median of the seeds, band: all of them)", fontsize=8)
    return {"rate-single": figure, "rate-single-local": _local(tables.main)}


def _local(main: pd.DataFrame) -> Figure:
    """Draw p(eps) of both losses, and beside it what is derived for one head."""
    figure, axes = style.panels(2, height=2.6)
    for ax, loss in zip(axes, ("logistic", "squared"), strict=True):
        exponent_limits(ax)
        for case, (label, color, _) in LEFT.items():
            rows = specialized(main[main["case"] == case]) if case.endswith(loss) else main[:0]
            if rows.empty:
                continue
            epsilons, hits, _ = curves(rows)
            found = local_exponents(epsilons, hits)
            words = label.removeprefix(f"{loss}, ").removesuffix(", cubic")
            wide = 2.4 if words == "H = 4" else 1.2  # seen below another line
            exponent_band(
                ax, 1 / found.epsilons, found, color=style.PALETTE[color], label=words, lw=wide
            )
        ax.set_xscale("log")
        ax.xaxis.set_major_locator(LogLocator(numticks=6))
        ax.xaxis.set_minor_locator(NullLocator())
        ax.set_ylim(-0.05, 1.75 if loss == "squared" else 1.3)
        ax.set_title(f"{loss} loss, N = 4")
    x = np.geomspace(1e3, 1e12, 60)
    axes[0].plot(
        x, 1 - CUBIC / np.log(x), "--", color="0.2", lw=1.0,
        label="derived, one cubic head:\n1 − (4/3) / ln(1/ε); linear: 1",
    )  # fmt: skip
    axes[0].set_ylabel("local exponent p(ε)")
    style.legend(axes[0], loc="lower right", fontsize=6.5)
    style.legend(axes[1], loc="lower right", fontsize=6.5)
    figure.supxlabel(
        "1/ε  (p = d log T / d log(1/ε) over one decade; line: median of the runs, band: 95 % of"
        " the median)",
        fontsize=8,
    )
    return figure


def band(rows: pd.DataFrame, ax: Axes, color: tuple[float, float, float], line: str) -> bool:
    """Draw T(eps) over the eps that all runs reach; False without any."""
    good = specialized(rows)
    if good.empty:
        return False
    epsilons, hits, _ = curves(good)
    seen = (hits > 0).all(axis=0)
    times = hits[:, seen].astype(float)
    if not seen.any():
        return False
    ax.plot(1 / epsilons[seen], np.median(times, axis=0), line, color=color)
    ax.fill_between(1 / epsilons[seen], times.min(0), times.max(0), color=color, alpha=0.2, lw=0)
    ax.set_xscale("log")
    ax.set_yscale("log")
    return True


def per_decade(rows: pd.DataFrame, ax: Axes, color: tuple[float, float, float]) -> bool:
    """Draw the local steps a decade of all runs; False without two eps that all of them reach."""
    good = specialized(rows)
    if good.empty:
        return False
    epsilons, hits, _ = curves(good)
    seen = (hits >= 0).all(axis=0)
    if seen.sum() < 2:
        return False
    x = np.log10(1 / epsilons[seen])
    took = np.diff(hits[:, seen].astype(float), axis=1) / np.diff(x)
    took = np.where(took > 0, took, np.nan)
    middle = 10.0 ** (0.5 * (x[1:] + x[:-1]))
    kept = np.isfinite(took).all(axis=0)
    if not kept.any():
        return False
    ax.plot(middle[kept], np.median(took[:, kept], axis=0), color=color)
    ax.fill_between(middle[kept], took[:, kept].min(0), took[:, kept].max(0), color=color,
                    alpha=0.2, lw=0)  # fmt: skip
    ax.set_xscale("log")
    ax.set_yscale("log")
    return True
