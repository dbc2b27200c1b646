"""T(eps) of the flow and as predicted from its start; the constants of one head."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator

from motsim.claims._outcomes import specialized
from motsim.claims._rates import curves
from motsim.claims.rate_depth import (
    COMPARED,
    DERIVED,
    NUM_CLASSES,
    distances,
    exponent_constants,
    predicted,
    seed_settings,
)
from motsim.figures import style
from motsim.results.tables import Tables

__all__ = ["draw"]

SHOWN = 3  # runs a panel
TITLES = {
    "linear-untrained": "linear, attention never trained",
    "linear-aligned": "linear, trained attention frozen",
    "linear-noise": "linear, with noise tokens, N = 2",
    "linear-together": "linear, attention trained together",
    "cubic-aligned": "cubic, attention frozen",
    "cubic-none": "cubic, no attention",
}
COLORS = (0, 1, 2)


def draw(tables: Tables) -> dict[str, Figure]:
    """Return the figure."""
    figure, axes = style.panels(3, 3, height=2.15)
    for ax, (case, title) in zip(axes, TITLES.items(), strict=False):
        _staircases(tables, case, ax)
        ax.set_title(title, fontsize=7.5)
    for ax in axes[::3][:2]:
        ax.set_ylabel("steps of the last stage, T(ε)")
    for ax in axes[3:6]:
        ax.set_xlabel("1/ε")
    for ax, case in zip(axes[6:], DERIVED, strict=False):
        _constant(tables, case, ax)
    _factors(tables, axes[8])
    figure.supxlabel(
        "first two rows: wide pale lines are the flow, three runs; dashed: predicted from the start"
        " of the stage, nothing fitted;\ndotted gray: spectrum at the start, cubic experts."
        " Last row right: one marker a run, hollow: another seed's start; bars: what counts as met",
        fontsize=6.5,
    )
    return {"rate-depth": figure}


def _staircases(tables: Tables, case: str, ax: Axes) -> None:
    """Draw the first runs that specialize, and what was predicted for each."""
    good = specialized(tables.main[tables.main["case"] == case], NUM_CLASSES.get(case, 4))
    seeds = sorted(good["seed"].unique())[:SHOWN]
    ways = [way for of, way in COMPARED if of == case]
    for seed, i_color in zip(seeds, COLORS, strict=False):
        epsilons, hits, _ = curves(good[good["seed"] == seed])
        seen = hits[0] > 0
        if not seen.any():
            continue
        color = style.PALETTE[i_color]
        ax.plot(1 / epsilons[seen], hits[0][seen], color=color, lw=3.2, alpha=0.4)
        fine = np.geomspace(epsilons[seen].max(), epsilons.min(), 400)
        for way in ways:
            curve = predicted(seed_settings(tables, case, seed), way)
            if curve is None:
                continue
            times = curve.times(fine)
            shown = np.isfinite(times) & (times > 1) & (times < 30 * hits[0].max())
            beside = len(ways) > 1 and way == "spectrum"
            if beside and i_color:
                continue  # of one run is enough
            ax.plot(
                1 / fine[shown], times[shown], ":" if beside else "--",
                color="0.5" if beside else color, lw=0.9,
            )  # fmt: skip
    ax.set_xscale("log")
    ax.set_yscale("log")
    ax.xaxis.set_major_locator(LogLocator(numticks=6))
    ax.yaxis.set_major_locator(LogLocator(numticks=6))


def _constant(tables: Tables, case: str, ax: Axes) -> None:
    """Draw T eps of one head against log(1/eps), and the slope that was derived."""
    rows = tables.main[tables.main["case"] == case]
    good = specialized(rows)
    ax.set_title(f"one head, {case.removeprefix('head-')}, logistic loss", fontsize=7.5)
    ax.set_xlabel("ln 1/ε")
    if good.empty:
        return
    epsilons, hits, _ = curves(good)
    x, last = np.log(1 / epsilons), []
    for run in hits:
        seen = (run > 0) & (epsilons < 1e-4)
        if seen.any():
            ax.plot(x[seen], run[seen] * epsilons[seen], color=style.PALETTE[0], lw=0.8, alpha=0.7)
            last.append(run[seen][-1] * epsilons[seen][-1])
    if not last:
        return
    late = x[epsilons < 1e-8]
    constant = np.median(exponent_constants(rows))
    guide = 1.08 * np.median(last) * (late / late[-1]) ** -DERIVED[case] if late.size else late
    ax.plot(late, guide, "--", color="0.2", lw=1.0)
    said = f"c = {DERIVED[case]:.2f} derived, {constant:.2f} found"
    ax.set_title(f"{ax.get_title()}\n{said}", fontsize=7)
    ax.set_xscale("log")
    ax.set_yscale("log")
    ax.set_xticks([10, 20, 30], ["10", "20", "30"])
    ax.set_xticks([], minor=True)
    ax.set_ylabel("ε T(ε)")
    low, high = ax.get_ylim()
    if high < 3 * low:  # no power of ten among the ticks
        ticks = np.arange(np.ceil(2 * low), 2 * high) / 2
        ax.set_yticks(ticks, [f"{tick:g}" for tick in ticks])
        ax.set_yticks([], minor=True)


def _factors(tables: Tables, ax: Axes) -> None:
    """Draw how far each run is from its prediction, and from another seed's."""
    names = []
    for i_case, (case, way) in enumerate(COMPARED):
        own = distances(tables, case, way).dropna().to_numpy()
        beside = distances(tables, case, way, other=True).dropna().to_numpy()
        other = beside if len(own) > 1 else own[:0]
        for values, look in ((own, {"mfc": style.PALETTE[0]}), (other, {"mfc": "white"})):
            excess = np.clip(values - 1.0, 1e-6, 1e3)
            spread = i_case + np.linspace(-0.25, 0.25, len(values))
            ax.plot(excess, spread, "o", ms=2.6, mec=style.PALETTE[0], mew=0.6, ls="", **look)
        met = COMPARED[case, way][0] - 1.0
        ax.plot([met, met], [i_case - 0.4, i_case + 0.4], color="0.2", lw=1.2)
        short = case.replace("linear", "lin.").replace("cubic", "cub.")
        names.append(f"{short} {way}" if case.startswith("cubic") else short)
    ax.set_xscale("log")
    ax.set_xlim(3e-7, 3e3)
    ax.set_xticks([1e-6, 1e-4, 1e-2, 1, 100])
    ax.set_yticks(range(len(names)), names, fontsize=6)
    ax.invert_yaxis()
    ax.set_xlabel("factor apart − 1")
