"""Rate of the mixture: T(eps) in stage III with the derived curve, and measured over derived."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from motsim.claims._outcomes import specialized
from motsim.claims._rates import curves
from motsim.claims.rate_mot import START, TOLERANCE, constant_finding, one_number, settings
from motsim.figures import style
from motsim.results.tables import Tables

__all__ = ["draw"]

LABELS = {
    "cubic": "cubic, squared",
    "classes": "cubic, squared",
    "linear": "linear, squared",
    "logistic": "logistic",
    "logistic-normalized": "logistic, normalized",
}
COLORS = {"cubic": 3, "classes": 4, "linear": 1, "logistic": 0, "logistic-normalized": 2}
#: Case -> marker, one for all its step sizes: they lie on one line.
MARKERS = {"cubic": "o", "classes": "s", "linear": "D", "logistic": "^", "logistic-normalized": "v"}


def draw(tables: Tables) -> dict[str, Figure]:
    """Return the figure."""
    figure, (left, right) = style.panels(2, height=3.0)
    seeds = style.seeds(tables.main)
    main = tables.main[tables.main["case"].isin(list(LABELS))]
    groups = [g for _, g in main.groupby(["case", "num_classes", "converge_rate"], sort=False)]
    hitting(groups, left)
    left.set_xlabel("1/ε")
    left.set_ylabel("η (T(ε) − T(ε₀)), stage III")
    ratios(groups, right)
    handles, labels = left.get_legend_handles_labels()
    if handles:
        figure.legend(handles, labels, loc="outside upper center", ncols=3, fontsize=6.5)
    right.set_xlabel("measured / derived number of steps")
    figure.supxlabel(
        f"left: marker = mean of {seeds} seeds, line = derived, nothing fitted;"
        f" right: 95 % interval of {seeds} seeds"
        " (open: no run differs), band: ± 5 %",
        fontsize=7,
    )
    return {"rate-mot": figure}


def hitting(groups: list[pd.DataFrame], ax: Axes) -> None:
    """Draw mean steps from eps_0, times the step size, and the derived recursion."""
    named: set[str] = set()
    for rows in groups:
        case, n, rate = settings(rows)
        good = specialized(rows, n)
        if good.empty:
            continue
        epsilons, hits, _ = curves(good)
        start = START["linear" if case == "linear" else "cubic"]
        keep = (hits > 0).all(axis=0) & (epsilons <= start)
        if keep.sum() < 2:
            continue
        e, t = epsilons[keep], hits[:, keep].mean(axis=0)
        color = style.PALETTE[COLORS[case]]
        label = f"{LABELS[case]}, N = {n}"
        fine = np.geomspace(e[0], e[-1], 80)
        ax.plot(1 / fine, rate * one_number(case, n, rate, fine), color=color, lw=1)
        ax.plot(
            1 / e[1:], rate * (t - t[0])[1:], MARKERS[case], color=color, ms=3, mfc="white",
            mew=0.7, label=None if label in named else label,
        )  # fmt: skip
        named.add(label)
    ax.set_xscale("log")
    ax.set_yscale("log")


def ratios(groups: list[pd.DataFrame], ax: Axes) -> None:
    """Draw the ratio of measured and derived steps of every setting with its interval."""
    names = []
    for i_group, rows in enumerate(groups):
        case, n, rate = settings(rows)
        found = constant_finding("", rows, None).interval
        names.append(f"{LABELS[case]}, N = {n}, η = {rate:g}")
        if np.isfinite(found.value):
            same = not np.isfinite(found.low)  # no run differs: no interval
            low, high = (found.value, found.value) if same else (found.low, found.high)
            ax.errorbar(
                found.value, i_group, xerr=[[found.value - low], [high - found.value]],
                fmt=MARKERS[case], mfc="white" if same else None,
                color=style.PALETTE[COLORS[case]], ms=3.5, capsize=2,
            )  # fmt: skip
    ax.axvspan(1 / TOLERANCE, TOLERANCE, color="0.5", alpha=0.12, lw=0)
    ax.axvline(1.0, color=style.GRAY, lw=0.8)
    ax.set_yticks(range(len(names)), names, fontsize=6.5)
    ax.set_ylim(len(names) - 0.5, -0.5)
    ax.set_xlim(0.9, 1.1)
