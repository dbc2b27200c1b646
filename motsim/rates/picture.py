"""The picture of a rate: T(eps) with its fits and regimes, and loss against steps."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from motsim.rates.curves import make_curve
from motsim.rates.evidence import P, power_squares
from motsim.rates.fits import EXACT, fit_lines, fit_powers
from motsim.rates.floors import fit_floored_powers
from motsim.rates.reading import ReadingError
from motsim.rates.words import short_answer

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from motsim.rates.curves import Curve
    from motsim.rates.rate import Rate

SUFFIXES = (".png", ".pdf", ".svg")
FEW_PANELS, MOST_PANELS = 8, 15  # of groups: in two columns, on a page
LABEL = re.compile(r", p = | towards |(?<=floor) ")  # what a label says, and of which law
INK, LOG, POWER = "0.25", "#0173b2", "#d55e00"
LOOK: Any = {
    "font.size": 8, "axes.titlesize": 8.5, "axes.labelsize": 8, "xtick.labelsize": 7,
    "ytick.labelsize": 7, "axes.spines.top": False, "axes.spines.right": False,
    "svg.hashsalt": "motsim", "pdf.fonttype": 42, "axes.titlelocation": "left",
}  # fmt: skip


def draw(rate: Rate, path: str | Path | None = None) -> Figure:
    """Draw a rate; save the figure atomically where a path is given.

    Left, T(eps) on the axes where the law is a straight line (log: eps alone logarithmic; a power:
    both) with the log law, the best power and the edges of regimes; right, loss against steps.
    Needs no display; the figure is not shown.

    Raises
    ------
    ValueError
        If the path does not end in .png, .pdf or .svg.
    """
    with picture_figure((7.0, 2.9), path) as figure:
        left, right = figure.subplots(1, 2)
        _hitting_times(left, rate)
        _losses(right, rate)
        figure.suptitle(_title(rate), fontsize=8.5, x=0.01, ha="left")
    return figure


def draw_groups(rates: Sequence[Rate], path: str | Path | None = None) -> Figure:
    """Draw the hitting times of several groups, a panel each, as many as one page holds.

    Raises
    ------
    ReadingError
        A ValueError: the path does not end in .png, .pdf or .svg.
    """
    shown = rates[:MOST_PANELS]
    columns = min(2 if len(shown) <= FEW_PANELS else 3, len(shown))
    rows = -(-len(shown) // columns)
    with picture_figure((7.0, 0.3 + 2.1 * rows), path) as figure:
        panels = figure.subplots(rows, columns, squeeze=False)
        for at, (panel, rate) in enumerate(zip(panels.flat, shown, strict=False)):
            _hitting_times(panel, rate)
            panel.set_title(_panel_title(rate, 105 // columns), fontsize=7)
            if at % columns:
                panel.set_ylabel("")
            if at + columns < len(shown):
                panel.set_xlabel("")
        for panel in panels.flat[len(shown) :]:
            panel.remove()
        _common_legend(figure, list(panels.flat[: len(shown)]))
        if len(shown) < len(rates):
            title = f"{len(shown)} of {len(rates)} groups (--where chooses others)"
            figure.suptitle(title, fontsize=8.5, x=0.01, ha="left")
    return figure


def _panel_title(rate: Rate, width: int) -> str:
    from textwrap import wrap

    words = short_answer(rate.decision, rate.unit)
    return "\n".join(line for text in (rate.name, words) for line in wrap(text, width)[:2])


def _common_legend(figure: Figure, panels: Sequence[Axes]) -> None:
    """Put one legend below all panels, without the numbers of each."""
    lines: dict[str, Any] = {}
    for panel in panels:
        for line, label in zip(*panel.get_legend_handles_labels(), strict=True):
            lines.setdefault(LABEL.split(label)[0], line)
        legend = panel.get_legend()
        if legend is not None:
            legend.remove()
    if lines:
        figure.legend(
            lines.values(), lines, loc="outside lower left", ncols=5, frameon=False, fontsize=7
        )


@contextmanager
def picture_figure(size: tuple[float, float], path: str | Path | None) -> Iterator[Figure]:
    """Give a figure to draw into; save it afterwards where a path is given."""
    if path is not None and Path(path).suffix.lower() not in SUFFIXES:
        raise ReadingError(f"a picture must end in {', '.join(SUFFIXES)}; got {str(path)!r}")
    import matplotlib as mpl
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    with mpl.rc_context(LOOK):
        figure = Figure(figsize=size, layout="constrained")
        FigureCanvasAgg(figure)
        yield figure
        if path is not None:
            _save(figure, Path(path))


def _title(rate: Rate) -> str:
    import textwrap

    name = f"{rate.name}: " if rate.name else ""
    return "\n".join(textwrap.wrap(name + rate.sentence, 96)[:4])


def _hitting_times(ax: Axes, rate: Rate) -> None:
    """T(eps) of every run, and the laws through their median."""
    logarithmic = rate.law == "log"
    for curve in rate.curves:
        ax.plot(np.exp(-curve.x), curve.times, ".", color=INK, ms=2.5, alpha=0.6)
    if rate.curves:
        curve = sorted(rate.curves, key=lambda c: float(c.times[-1]))[len(rate.curves) // 2]
        low, high = rate.decision.eps_range
        part = curve.below(-np.log(high), -np.log(low)) if np.isfinite(low + high) else curve
        if rate.decision.criterion:  # nothing is drawn through what could not be judged
            _laws(ax, part or curve, rate)
        if rate.decision.tried > 1 and rate.law != "inconclusive":
            ax.axvspan(low, high, color="0.93", lw=0, zorder=-1, label="range judged")
        for regime in rate.decision.regimes[1:]:
            label = "change of regime" if regime is rate.decision.regimes[1] else None
            ax.axvline(regime.eps_high, color="0.6", lw=0.8, ls=":", zorder=0, label=label)
    ax.set_xscale("log")
    if not logarithmic:
        ax.set_yscale("log")
    _few_ticks(ax)
    ax.invert_xaxis()
    ax.set_xlabel("accuracy eps (falls to the right)")
    ax.set_ylabel(f"T(eps), {rate.step_column}")
    where = "logarithmic in eps alone" if logarithmic else "logarithmic on both axes"
    ax.set_title(f"hitting times, {where}")
    if ax.get_legend_handles_labels()[0]:
        stopped = rate.law == "floor"  # the legend stands where no curve is
        ax.legend(frameon=False, fontsize=7, loc="lower right" if stopped else "upper left")


def _few_ticks(ax: Axes) -> None:
    """Label no minor ticks where a range is under a decade: they would overlap."""
    low, high = ax.get_xlim()
    if high / low < 10.0:
        from matplotlib.ticker import MaxNLocator, NullFormatter, NullLocator, ScalarFormatter

        ax.xaxis.set_major_locator(MaxNLocator(4))
        ax.xaxis.set_major_formatter(ScalarFormatter())
        ax.xaxis.set_minor_locator(NullLocator())
        ax.xaxis.set_minor_formatter(NullFormatter())


def _laws(ax: Axes, curve: Curve, rate: Rate) -> None:
    """Draw the log law and the best power through one curve; towards a floor, both bend to it."""
    x = np.linspace(curve.x[0], curve.x[-1], 300)
    shifted, at, name = curve, x, ""
    if rate.law == "floor":
        squares, log_floors = fit_floored_powers([curve])
        floor = float(np.exp(log_floors[0, squares[0].argmin()]))
        moved = -np.log(np.exp(-curve.x) - floor)
        shifted = make_curve(moved, curve.times)
        x = -np.log(floor + np.geomspace(np.exp(-moved[0]), np.exp(-moved[-1]), 300))
        at, name = -np.log(np.exp(-x) - floor), " towards a floor"
        ax.axvline(floor, color="0.6", lw=0.8, label=f"floor {floor:.2g}")
    start, slope = fit_lines([shifted])[1][0]
    line = shifted.first + shifted.span * (at - start) / slope
    ax.plot(np.exp(-x), np.where(line > 0, line, np.nan), color=LOG, lw=1.2, label="log law" + name)
    squares = power_squares([shifted])[0, P >= 0.05]
    p = float(P[P >= 0.05][squares.argmin()])
    _, c, g = (float(v[0, 0]) for v in fit_powers([shifted], np.array([p]), EXACT))
    with np.errstate(over="ignore"):
        times = shifted.first + shifted.span * (np.exp(p * (at - c)) - g)
    keep = (times > 0) & (times < 3.0 * float(curve.times[-1]))
    label = f"best power{name}, p = {p:.2f}"
    ax.plot(np.exp(-x)[keep], times[keep], color=POWER, lw=1.2, ls="--", label=label)


def _losses(ax: Axes, rate: Rate) -> None:
    """Loss against steps: a straight line where the law is the one decided."""
    for run in rate.runs[:50]:
        loss = np.where(run.loss > 0.0, run.loss, np.nan)
        spread = np.linspace if rate.law == "log" else np.geomspace
        keep = np.unique(spread(1, loss.size, min(loss.size, 2000)).astype(int) - 1)
        steps = run.steps[keep]
        if rate.law != "log":  # step 0 has no place on a logarithmic axis
            steps = np.where(steps > 0.0, steps, np.nan)
        ax.plot(steps, loss[keep], lw=0.7, color=INK, alpha=0.6)
    ax.set_yscale("log")
    if rate.law != "log":
        ax.set_xscale("log")
    ax.set_xlabel(rate.step_column)
    ax.set_ylabel(rate.loss_column)
    count = f"{min(len(rate.runs), 50)} of {len(rate.runs)} runs"
    ax.set_title("loss against steps" + (f" ({count})" if len(rate.runs) > 50 else ""))


def _save(figure: Figure, path: Path) -> None:
    """Write beside the target, then move it there: a full disk leaves no half of a picture."""
    import os
    import tempfile

    kind = path.suffix[1:].lower()
    handle, name = tempfile.mkstemp(suffix=f".{kind}", dir=path.parent)
    os.close(handle)
    try:
        metadata = (
            {"Date": None} if kind == "svg" else {"CreationDate": None} if kind == "pdf" else None
        )
        figure.savefig(name, dpi=220, metadata=metadata)
        os.chmod(name, 0o644)
        os.replace(name, path)
    finally:
        if os.path.exists(name):
            os.unlink(name)
