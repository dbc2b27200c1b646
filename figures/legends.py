"""Legends and ticks of a page: as narrow as their axes, where least is drawn, apart."""

import itertools

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backend_bases import RendererBase
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.legend import Legend
from matplotlib.ticker import FixedLocator, LogFormatter, LogLocator

__all__ = ["narrowed", "settle", "thinned"]

APART = 1.5  # points between the words of two ticks
STEP = 4.0  # pixels between the points that a line is seen as
PLACES = 5  # heights and widths at which a legend may stand


def narrowed(legend: Legend, room: float, renderer: RendererBase) -> Legend:
    """Return a legend with so few columns that it is not wider than `room` pixels, if there are."""
    columns = getattr(legend, "_ncols", 1)  # matplotlib has no other name for it
    while columns > 1 and legend.get_window_extent(renderer).width > room:
        columns -= 1
        legend = _again(legend, columns)
    return legend


def _again(legend: Legend, columns: int) -> Legend:
    """Put a legend with other columns in the place of one; matplotlib keeps the boxes of this."""
    title, texts = legend.get_title(), legend.get_texts()
    owner = legend.parent
    free = isinstance(owner, Figure)
    handles = [handle for handle in legend.legend_handles if handle is not None]
    labels, size = [text.get_text() for text in texts], texts[0].get_fontsize()
    legend.remove()
    made: Legend = owner.legend(
        handles, labels, loc="outside upper center" if free else "upper left", ncols=columns,
        fontsize=size, title=title.get_text() or None, title_fontsize=title.get_fontsize(),
    )  # fmt: skip
    return made


def thinned(figure: Figure, renderer: RendererBase) -> None:
    """Give axes fewer ticks where the words of these touch: of decades, or each second one."""
    for ax in figure.axes:
        for axis, side in ((ax.xaxis, 0), (ax.yaxis, 1)):
            locator, words = axis.get_major_locator(), axis.get_major_formatter()
            own = isinstance(locator, FixedLocator) and isinstance(words, LogFormatter)
            if not own and not isinstance(locator, LogLocator):
                continue
            for count in range(8, 2, -1):
                low, high = sorted(axis.get_view_interval())
                boxes = [
                    text.get_window_extent(renderer).get_points()[:, side]
                    for text in axis.get_majorticklabels()
                    if text.get_text() and low <= text.get_position()[side] <= high
                ]
                boxes.sort(key=lambda ends: float(ends[0]))
                gap = APART * figure.dpi / 72
                if all(b[0] - a[1] >= gap for a, b in itertools.pairwise(boxes)):
                    break
                if isinstance(locator, LogLocator):
                    locator.set_params(numticks=count)
                else:
                    axis.set_ticks(axis.get_ticklocs()[::2])


def settle(figure: Figure, renderer: RendererBase) -> None:
    """Move the legends that stand within their axes to where they cover least, for good.

    Of places that are equal it is the one nearest to where the legend was put.
    """
    for ax in figure.axes:
        legend = ax.get_legend()
        if legend is None or legend.get_bbox_to_anchor() is not ax.bbox:
            continue
        frame, box = ax.bbox, legend.get_window_extent(renderer)
        points = drawn_points(ax)
        if not len(points) or box.width > frame.width or box.height > frame.height:
            continue
        best, at = (np.inf, np.inf), (box.x0, box.y0)
        edge = 3.0 * figure.dpi / 72
        free = max(frame.width - box.width - 2 * edge, 0), max(frame.height - box.height - edge, 0)
        for i, j in itertools.product(range(PLACES), repeat=2):
            x = frame.x0 + edge + free[0] * i / (PLACES - 1)
            y = frame.y0 + edge / 2 + free[1] * j / (PLACES - 1)
            inside = (points >= (x, y)) & (points <= (x + box.width, y + box.height))
            found = (float(inside.all(axis=1).sum()), np.hypot(x - box.x0, y - box.y0))
            if found < best:
                best, at = found, (x, y)
        corner = ax.transAxes.inverted().transform(at)
        legend.set_loc((float(corner[0]), float(corner[1])))


def drawn_points(ax: Axes) -> np.ndarray:
    """Return points (n, 2) in pixels along all lines, bars and markers of an axis."""
    found = [np.empty((0, 2))]
    for line in ax.get_lines():
        shown = line.get_transform().transform(np.column_stack(line.get_data()).astype(float))
        found.append(shown if line.get_linestyle() == "None" else _along(shown))
    for lines in ax.collections:
        if isinstance(lines, LineCollection):
            found += [_along(lines.get_transform().transform(s)) for s in lines.get_segments()]
    for text in ax.texts:
        box = text.get_window_extent()
        found.append(_along(np.array([[box.x0, box.y0], [box.x1, box.y0], [box.x1, box.y1]])))
    return np.concatenate(found)


def _along(points: np.ndarray) -> np.ndarray:
    points = points.reshape(-1, 2)  # a line may hold none
    points = points[np.isfinite(points).all(axis=1)]
    if len(points) < 2:
        return points
    steps = np.linalg.norm(np.diff(points, axis=0), axis=1)
    counts = np.minimum(steps / STEP, 1000).astype(int) + 1
    whole = np.concatenate([[0], np.cumsum(counts)])
    at = np.arange(whole[-1] + 1)
    return np.column_stack([np.interp(at, whole, column) for column in points.T])
