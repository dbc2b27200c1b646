"""What is wrong with a figure that is laid out: cut at a side, words over words, a bad legend."""

from collections.abc import Iterator
from itertools import combinations, pairwise

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.transforms import Bbox

from motsim.figures.venue import EDGE

TOUCH = 1.0  # points that boxes of words may share: they are higher than their letters
WORSE = 0.04  # share of what an axis holds that a legend may cover more than at its best place
STEP = 3.0  # pixels between the points that a line is seen as


def faults(figure: Figure) -> Iterator[str]:
    """Yield what is wrong, a line each."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()  # words of legends have no place before
    renderer = canvas.get_renderer()
    box, width = figure.get_tightbbox(renderer), figure.get_figwidth()
    if (over := max(-box.x0, box.x1 - width)) > EDGE:
        yield f"cut by {over:.3f} in"
    yield from _overlaps(figure, renderer)
    yield from _legends(figure, renderer)


def _overlaps(figure, renderer):
    words, hidden = [], _hidden(figure)
    for text in figure.findobj(Text):
        if text.get_text().strip() and text.get_visible() and text not in hidden:
            box = Text.get_window_extent(text, renderer)  # of an annotation: without its arrow
            words.append((text.get_text(), box))
    touch = TOUCH * figure.dpi / 72
    for (one, box), (other, second) in combinations(words, 2):
        shared = Bbox.intersection(box, second)
        if shared is not None and min(shared.width, shared.height) > touch:
            yield f"{one!r} and {other!r} overlap"


def _hidden(figure):
    """Words that are not drawn: of ticks out of view."""
    hidden = set()
    for ax in figure.axes:
        for axis in (ax.xaxis, ax.yaxis):
            drawn = axis._update_ticks()  # what matplotlib itself draws by
            for tick in {*axis.majorTicks, *axis.minorTicks}.difference(drawn):
                hidden |= {tick.label1, tick.label2}
    return hidden


def _legends(figure, renderer):
    for ax in figure.axes:
        legend = ax.get_legend()
        if legend is None:
            continue
        frame, box = ax.bbox, legend.get_window_extent(renderer)
        own = legend.get_bbox_to_anchor() is ax.bbox
        if own and (box.width > frame.width or box.height > frame.height):
            yield f"a legend is larger than its axis ({legend.get_texts()[0].get_text()!r}, ...)"
            continue
        inside = Bbox.intersection(frame, box)
        held = _held(ax)
        if inside is None or not len(held) or inside.width * inside.height < 0.5 * _area(box):
            continue
        covered = _covered(box, held)
        places = [
            Bbox.from_bounds(x, y, box.width, box.height)
            for x in np.linspace(frame.x0, frame.x1 - box.width, 3)
            for y in np.linspace(frame.y0, frame.y1 - box.height, 3)
        ]
        best = min(_covered(place, held) for place in places)
        if covered - best > WORSE:
            first = legend.get_texts()[0].get_text()
            yield f"a legend ({first!r}, ...) covers {covered:.0%} of the data, not {best:.0%}"


def _area(box):
    return box.width * box.height


def _covered(box, points):
    x, y = points.T
    return np.mean((x > box.x0) & (x < box.x1) & (y > box.y0) & (y < box.y1))


def _held(ax):
    """Points in pixels of all lines, bars and markers within an axis."""
    found = []
    for line in ax.get_lines():
        if not line.get_visible() or len(line.get_xdata()) == 0:
            continue
        shown = line.get_transform().transform(np.column_stack(line.get_data()).astype(float))
        found += [shown] if line.get_linestyle() == "None" else [_fine(shown)]
    for lines in ax.collections:
        if isinstance(lines, LineCollection):
            found += [_fine(lines.get_transform().transform(s)) for s in lines.get_segments()]
    points = np.concatenate([np.empty((0, 2)), *found])
    x, y = points.T
    frame = ax.bbox
    return points[(x >= frame.x0) & (x <= frame.x1) & (y >= frame.y0) & (y <= frame.y1)]


def _fine(points):
    """Points every few pixels of a line."""
    points = points.reshape(-1, 2)  # a line may hold none
    points = points[np.isfinite(points).all(axis=1)]
    if len(points) < 2:
        return points
    parts = [points[:1]]
    for a, b in pairwise(points):
        count = int(min(np.hypot(*(b - a)), 4000) / STEP) + 1
        parts.append(a + (b - a) * np.linspace(0, 1, count + 1)[1:, None])
    return np.concatenate(parts)
