"""The headline's figure: lines are named where they end, circles say where a power begins."""

from itertools import pairwise

import numpy as np
import pytest
from matplotlib.figure import Figure

from motsim.figures.rates import POWERS, label_ends, powers
from tests.report.report_pages import LAWS, headline, store_tables


def drawn(tmp_path, monkeypatch, law):
    """The right panel, where one transformer with 4 heads on the logistic loss has this law."""
    monkeypatch.setitem(LAWS, "single-4-logistic", law)
    tables = store_tables(tmp_path, "rates", headline, seeds=3)
    ax = Figure(figsize=(4, 3)).subplots()
    powers(tables.main, ax)
    return ax


def circles(ax):
    return [line for line in ax.lines if line.get_marker() == "o"]


def test_every_line_has_its_name_and_exponent(tmp_path, monkeypatch):
    ax = drawn(tmp_path, monkeypatch, lambda eps: 4 * eps**-0.5)
    words = [text.get_text() for text in ax.texts]
    assert "4 heads: p = 0.50" in words
    assert sum(": " in text for text in words) == len(POWERS)
    assert ax.get_legend() is None


def test_a_power_that_begins_below_is_marked_there(tmp_path, monkeypatch):
    pure = circles(drawn(tmp_path / "pure", monkeypatch, lambda eps: 4 * eps**-0.7))

    def bent(eps):  # nearly flat, then the power from 7e-3 on
        return np.maximum(100 * eps**-0.05, 4 * eps**-0.7)

    kinked = circles(drawn(tmp_path / "bent", monkeypatch, bent))
    assert len(kinked) == len(pure) + 1  # the control: without the bend there is none
    (mark,) = [c for c in kinked if c.get_color() not in {p.get_color() for p in pure}]
    assert 40 <= mark.get_xdata()[0] <= 500


@pytest.mark.parametrize("apart", [True, False])
def test_names_of_lines_that_end_together_do_not_meet(apart):
    figure = Figure(figsize=(4, 3), layout="constrained")
    ax = figure.subplots()
    ax.set(xscale="log", yscale="log", xlim=(1, 1e6), ylim=(1, 1e4))
    ends = [(100.0, 50.0 * 1.02**k, f"line {k}", k) for k in range(3)]
    label_ends(ends, ax)
    if not apart:  # the control: where the lines end they would
        for (x, y, *_), text in zip(ends, ax.texts, strict=True):
            text.set_position((2 * x, y))
    figure.draw_without_rendering()
    boxes = sorted((text.get_window_extent().extents for text in ax.texts), key=lambda b: b[1])
    gaps = [after[1] - before[3] for before, after in pairwise(boxes)]
    assert bool(min(gaps) >= -2.0) is apart
