"""Figures for print: the exact width of a page's column, and text that keeps its size in it."""

import textwrap
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from matplotlib.backend_bases import RendererBase
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text

from motsim.figures.legends import narrowed

__all__ = [
    "VENUES",
    "Width",
    "fit",
    "letters",
    "narrowest",
    "printed",
    "wide",
    "width_of",
    "within",
]


@dataclass(frozen=True)
class Width:
    """Widths in inches of a figure of one panel, and of one of several."""

    column: float
    page: float


#: Venue -> widths as its LaTeX style sets them.
VENUES = {
    # icml20xx.sty: \textwidth 6.75in, \columnsep 0.25in in two columns
    "icml": Width(3.25, 6.75),
    # neurips_20xx.sty: \geometry{textwidth=5.5in}, one column
    "neurips": Width(5.5, 5.5),
    # iclr20xx_conference.sty: \textwidth 5.5in, one column
    "iclr": Width(5.5, 5.5),
}
LEAST, MOST = 1.5, 20.0  # inches
SAFE = 0.98  # of the width: letters are wider at the resolution of some screens
ROOM = 1.12  # of an axis, for words on top of it or below
EDGE, INSETS = 0.005, 7  # inches that may be cut; how often more room is made
MOST_INSET = 0.12  # of the width
PANEL = 1.9  # inches; where panels would be narrower, fewer stand in a row

#: Times, as these styles set it; STIX comes with matplotlib, and has its mathematics.
SERIF = {"font.family": ["STIXGeneral", "DejaVu Serif"], "mathtext.fontset": "stix"}

_now: list[tuple[Width | None, bool]] = [(None, False)]  # innermost last


def width_of(word: str) -> Width:
    """Return the widths of a venue, or one width in inches for every figure.

    Raises
    ------
    ValueError
        If it is neither.
    """
    if word in VENUES:
        return VENUES[word]
    try:
        inches = float(word)
    except ValueError:
        inches = float("nan")
    if not LEAST <= inches <= MOST:
        raise ValueError(
            f"width must be {', '.join(VENUES)} or inches from {LEAST:g} to {MOST:g}, got {word!r}"
        )
    return Width(inches, inches)


@contextmanager
def printed(width: Width | None = None, *, serif: bool = False) -> Iterator[None]:
    """Within a block, figures are laid out for `width`, in serif letters if asked."""
    _now.append((width, serif))
    try:
        yield
    finally:
        _now.pop()


def wide() -> Width | None:
    """Return the width that is laid out for, None on a screen."""
    return _now[-1][0]


def letters() -> dict[str, Any]:
    """Return the settings of the letters that are asked for."""
    return dict(SERIF) if _now[-1][1] else {}


def narrowest(columns: int, rows: int, width: float) -> tuple[int, int]:
    """Return columns and rows of as many panels in reading order, none narrower than `PANEL`."""
    fitting = max(min(columns, int(width / PANEL)), 1)
    if rows > 1 or fitting == columns:  # a grid has a meaning
        return columns, rows
    return fitting, -(-columns // fitting)


def within(figure: Figure, engine: Any) -> None:
    """Lay a figure out so that nothing of it is cut at the sides of its page.

    Layout makes room for axes with their labels and ticks; words on top of an axis that are wider
    than it, or those of a legend, may still stand over the edge. Where a page is too narrow for
    all of them, they stay as they were.
    """
    engine.execute(figure)
    words = [(t, t.get_text()) for ax in figure.axes for t in (ax.title, ax.xaxis.label)]
    positions = [(ax, ax.get_position()) for ax in figure.axes]
    left = right = 0.0
    width = figure.get_figwidth()
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)  # axes that collapse
        for turn in range(INSETS):
            box = figure.get_tightbbox()
            over = max(-box.x0, 0.0), max(box.x1 - width, 0.0)
            if max(over) <= EDGE:
                return
            _narrow(figure, FigureCanvasAgg(figure).get_renderer(), 1.0)  # narrower words first
            if turn:
                left, right = left + over[0] / width, right + over[1] / width
            if left + right > MOST_INSET:
                break
            engine.set(rect=(left, 0.0, 1.0 - left - right, 1.0))
            try:
                engine.execute(figure)
            except UserWarning:
                break
    for text, said in words:
        text.set_text(said)
    for ax, position in positions:
        ax.set_position(position)


def fit(figure: Figure, renderer: RendererBase) -> None:
    """Break lines of text, and legends, that are wider than what they stand on."""
    whole = float(figure.bbox.width)
    for legend in list(figure.legends):
        _break(narrowed(legend, whole, renderer).get_title(), whole, renderer)
    for ax in figure.axes:
        inside = ax.get_legend()
        if inside and inside.get_bbox_to_anchor() is ax.bbox:
            narrowed(inside, float(ax.bbox.width), renderer)
    for text in (getattr(figure, "_supxlabel", None), getattr(figure, "_suptitle", None)):
        if text is not None:
            _break(text, SAFE * whole, renderer)
    _narrow(figure, renderer, ROOM)
    for ax in figure.axes:
        _break(ax.yaxis.label, float(ax.bbox.height) * 1.05, renderer, upright=True)


def _narrow(figure: Figure, renderer: RendererBase, room: float) -> None:
    """Break the words on top of axes and below that are wider than `room` times these."""
    for ax in figure.axes:
        for text in (ax.title, ax.xaxis.label):
            _break(text, float(ax.bbox.width) * room, renderer)


def _break(text: Text, room: float, renderer: RendererBase, *, upright: bool = False) -> None:
    words = text.get_text()
    for length in range(len(words), 12, -2):
        box = text.get_window_extent(renderer)
        if (box.height if upright else box.width) <= room:
            return
        lines = [
            line
            for part in words.split("\n")
            for line in textwrap.wrap(part, length, break_long_words=False, break_on_hyphens=False)
        ]
        if any(line.count("$") % 2 for line in lines):  # not within a formula
            continue
        text.set_text("\n".join(lines))
