"""Headline figures: each law on the axes where it is a straight line, and where it ends."""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from motsim.claims._outcomes import specialized
from motsim.claims._powers import ENDS, judged_rows, logarithm_below, power_text
from motsim.claims._rates import case_decision, curves
from motsim.figures import style
from motsim.rates import log_depth
from motsim.results.tables import Tables

__all__ = ["draw", "logarithms", "loss_curves", "powers"]

NUM_CLASSES = 4
#: Case -> label, color, position of the label above or below the end of its line.
LOGARITHMS = {
    "mot-squared-deep": ("cubic experts", 3, (6, 6)),
    "mot-linear-squared-deep": ("linear experts", 1, (7, -22)),
    "mot-linear-squared-untrained-attention": (
        "linear experts,\nattention never trained",
        2,
        (5, -12),
    ),
}
POWERS = {
    "mot-logistic": ("mixture, cubic", 3),
    "single-1-logistic": ("1 head", 7),
    "single-4-logistic": ("4 heads", 9),
    "single-16-logistic": ("16 heads", 0),
    "single-1-squared": ("1 head", 7),
    "single-4-squared": ("4 heads", 9),
    "single-16-squared": ("16 heads", 0),
}
#: What the panels of the loss show: a logarithm is straight on a linear axis of steps.
TITLES = ("mixture, squared: log law", "single, squared: powers at first", "logistic: powers")


def draw(tables: Tables) -> dict[str, Figure]:
    """Return both figures."""
    time_figure, (left, right) = style.panels(2, height=3.0)
    logarithms(tables.main, left)
    powers(tables.main, right)
    left.set_title("mixture, squared loss: a logarithm, down to where it ends")
    right.set_title("logistic loss, and one transformer: powers of 1/ε")
    left.set_ylabel("T(ε): steps of the last stage to loss ≤ ε")
    right.set_ylabel("T(ε): steps to loss ≤ ε")
    time_figure.supxlabel(
        "1/ε  (line: median of the runs that specialize; left, band: the middle half of them)",
        fontsize=8,
    )

    loss_figure, axes = style.panels(3, height=2.6)
    curve = tables.others["curve"]
    gated = curve["case"].astype(str).str.startswith("mot")
    loss_curves(curve[gated], "squared", axes[0], straight=True)
    loss_curves(curve[~gated], "squared", axes[1])
    loss_curves(curve, "logistic", axes[2])
    for ax, title in zip(axes, TITLES, strict=True):
        ax.set_title(title, pad=14, fontsize=8)
    axes[0].set_ylabel("expected loss (noise-free routing)")
    lines: dict[str, Any] = {}  # of both panels, once
    for ax in axes:
        handles, labels = ax.get_legend_handles_labels()
        lines |= dict(zip(labels, handles, strict=True))
    loss_figure.legend(
        list(lines.values()), list(lines), loc="outside upper center", ncols=len(lines), fontsize=7,
        handlelength=1.6, columnspacing=1.2,
    )  # fmt: skip
    loss_figure.supxlabel(
        "gradient step  (thick: median of the seeds, to the end of the shortest run; thin: each"
        " seed;\nI, II, III: stages of the cubic mixture, between which its loss jumps)",
        fontsize=8,
    )
    return {"rates": time_figure, "rates-loss": loss_figure}


def logarithms(main: pd.DataFrame, ax: Axes) -> None:
    """Draw T(eps) of the mixture on a linear axis of steps; mark where the logarithm ends."""
    top = 0.0
    for case, (label, i_color, offset) in LOGARITHMS.items():
        rows = specialized(main[main["case"] == case], NUM_CLASSES)
        if rows.empty:
            continue
        color = style.PALETTE[i_color]
        epsilons, hits, budgets = curves(rows)
        depth = log_depth(epsilons, hits, budgets)
        end, *_ = depth.median()
        times = np.where(hits >= 0, hits, np.inf).astype(float)
        middle = np.median(times, axis=0)
        kept = (epsilons >= end * 0.99 if np.isfinite(end) else epsilons > 0) & np.isfinite(middle)
        if not kept.any():
            continue
        ax.plot(1 / epsilons[kept], middle[kept], color=color)
        low, high = np.quantile(times, [0.25, 0.75], axis=0, method="nearest")[:, kept]
        ax.fill_between(
            1 / epsilons[kept], low, np.minimum(high, 1e5), color=color, alpha=0.15, lw=0
        )
        top = max(top, middle[kept].max())
        text = f"{label}\nno logarithm"
        if np.isfinite(end):
            text = f"{label}\n{np.nanmedian(depth.steps_per_decade):.0f} steps a decade"
        if np.isfinite(end) and depth.num_kept <= len(rows["run"].unique()) / 2:
            ax.plot([1 / end], [middle[kept][-1]], "x", color=color, ms=5, mew=1.4)
            seen = depth.growth[~np.isnan(depth.growth)]
            growth = float(np.median(seen)) if seen.size else np.inf
            below = "it is not reached" if np.isinf(growth) else f"T grows {growth:.1e}-fold"
            text += f"\nends at {end:.0e}: in the\ndecade below {below}"
        ax.annotate(text, (1 / epsilons[kept][-1], middle[kept][-1]), offset, va="center",
                    textcoords="offset points", fontsize=6.5, color="0.15")  # fmt: skip
    ax.set_xscale("log")
    ax.set_ylim(0, 1.35 * top if top else 1)
    ax.set_xlim(5, 1e27)
    ax.set_xticks(10.0 ** np.arange(2, 21, 3))


def powers(main: pd.DataFrame, ax: Axes) -> None:
    """Draw T(eps) of what is no logarithm on two logarithmic axes, with its exponent."""
    ends: list[tuple[float, float, str, int]] = []
    below_lines: list[tuple[str, int]] = []  # of the squared loss: they end among the others
    for case, (label, i_color) in POWERS.items():
        rows = main[main["case"] == case]
        gated = bool(rows["covered_classes"].notna().any()) if len(rows) else False
        good = specialized(rows, NUM_CLASSES if gated else None)
        if good.empty:
            continue
        squared = case.endswith("squared")
        look: dict[str, Any] = {"color": style.PALETTE[i_color], "ls": ":" if squared else "-"}
        epsilons, hits, _ = curves(good)
        times = np.where(hits > 0, hits, np.nan).astype(float)
        seen = (hits > 0).all(axis=0)
        if not seen.any():
            continue
        middle = np.median(times[:, seen], axis=0)
        ax.plot(1 / epsilons[seen], middle, **look)
        to_cover = NUM_CLASSES if gated else None
        text = f"{label}: {power_text(case, rows, to_cover)}"
        decision = case_decision(judged_rows(case, rows), to_cover)
        if case in ENDS and (begin := logarithm_below(rows)):
            at = int(np.abs(np.log(epsilons[seen] / begin)).argmin())
            ax.plot(1 / epsilons[seen][at], middle[at], "x", color=look["color"], ms=4, mew=1.2)
        below = decision.eps_range[1]
        if below < 0.99 * epsilons[seen].max():  # another regime above
            at = int(np.abs(np.log(epsilons[seen] / below)).argmin())
            ax.plot(1 / epsilons[seen][at], middle[at], "o", color=look["color"], ms=3.5, mfc="w")
        if squared:
            below_lines.append((text, i_color))
        else:
            ends.append((1 / epsilons[seen].min(), middle[epsilons[seen].argmin()], text, i_color))
    ax.set_xscale("log")
    ax.set_yscale("log")
    ax.set_xlim(right=1e19)  # room for the labels
    label_ends(ends, ax)
    height = 0.29
    inked = [(text, style.ink(i_color)) for text, i_color in below_lines]
    for text, color in [("squared loss, dotted", "0.2"), *inked]:
        ax.text(0.98, height, text, transform=ax.transAxes, ha="right", fontsize=6.5, color=color)
        height -= 0.06
    ax.text(
        0.03,
        0.97,
        "○ the power\n   begins\n× it ends",
        transform=ax.transAxes,
        fontsize=6.5,
        va="top",
    )


def label_ends(ends: list[tuple[float, float, str, int]], ax: Axes) -> None:
    """Label lines (x, y, text, color) at their right ends, apart from each other."""
    gap, height, before = 0.055 * np.ptp(np.log10(ax.get_ylim())), -np.inf, 0.0
    for x, y, text, i_color in sorted(ends):
        height = max(height + gap, np.log10(y)) if x == before else np.log10(y)
        before = x
        ax.annotate(text, (x, y), (2 * x, 10**height), textcoords="data", fontsize=6.5,
                    va="center", color=style.ink(i_color))  # fmt: skip


def loss_curves(curve: pd.DataFrame, loss: str, ax: Axes, *, straight: bool = False) -> None:
    """Draw the loss of every case of one loss function; shade the stages of the mixture.

    `straight`: on a linear axis of steps, on which the log law is a straight line.
    """
    labels = {
        f"mot-{loss}": ("MoT, cubic, M = 16", 3),
        f"mot-linear-{loss}": ("MoT, linear, M = 32", 1),
    }
    for power, (label, i_color) in POWERS.items():
        if power.startswith("single"):
            labels[power] = f"single, {label.split(',')[0]}", i_color
    for case, rows in curve.groupby("case", sort=False):
        if not str(case).endswith(loss) or case not in labels:
            continue
        label, color = labels[str(case)]
        runs = [run.set_index("step")["loss"] for _, run in rows.groupby("seed")]
        last = min(run.index.max() for run in runs)
        steps = np.unique(np.concatenate([run.index.to_numpy() for run in runs]))
        steps = steps[steps <= last]
        wide = np.array([np.interp(steps, run.index, np.log(run)) for run in runs])
        ax.plot(steps + 1, np.exp(np.median(wide, 0)), color=style.PALETTE[color], label=label)
        for run in runs:  # where the loss falls steeply, a band would be a block
            ax.plot(run.index + 1, run, color=style.PALETTE[color], alpha=0.18, lw=0.4, zorder=1)
    mixture = curve[(curve["case"] == f"mot-{loss}") & (curve["seed"] == curve["seed"].min())]
    spans = mixture.groupby("stage", sort=False)["step"].agg(["min", "max"])
    names = {"specialize": "I", "align": "II", "converge": "III"}
    if not straight:
        ax.set_xscale("log")
    style.label_stages(
        ax, [(names.get(str(n), str(n)), lo + 1, hi + 1) for n, (lo, hi) in spans.iterrows()]
    )
    ax.set_yscale("log")
