"""Figures for print: exact widths, text that fits and keeps its size, captions."""

import re

import pytest
from matplotlib import font_manager, rcParams
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from motsim.figures import draw, laid_out, style, venue
from motsim.figures.__main__ import main
from motsim.figures.caption import latex
from motsim.results.tables import load_tables
from tests.refusals import refusal
from tests.report.report_pages import headline, store_tables


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("print")
    store_tables(place, "rates", headline, seeds=2)
    return place


@pytest.fixture(scope="module")
def printed(folder):
    """Folder of the figures as wide as a page of a venue, with captions."""
    place = folder / "printed"
    draw("rates", load_tables("rates", folder), place, venue.width_of("icml"), captions=True)
    return place


@pytest.fixture(scope="module")
def plain(folder):
    """Folder of the same figures as they are on a screen: the control."""
    draw("rates", load_tables("rates", folder), folder / "plain")
    return folder / "plain"


def points(folder, name):
    """Width of a PDF page, as it is written."""
    text = (folder / "figures" / f"{name}.pdf").read_bytes()
    left, _, right, _ = map(float, re.search(rb"MediaBox \[ *([^\]]*)\]", text)[1].split())
    return right - left


def test_a_figure_is_exactly_as_wide_as_asked(printed):
    for name in ("rates", "rates-loss"):
        assert points(printed, name) == pytest.approx(72 * 6.75, abs=1e-3)


@pytest.mark.slow
@pytest.mark.parametrize(("word", "inches"), [("neurips", 5.5), ("4.3", 4.3)])
def test_it_is_as_wide_as_any_other_width(folder, tmp_path, word, inches):
    draw("rates", load_tables("rates", folder), tmp_path, venue.width_of(word))
    for name in ("rates", "rates-loss"):
        assert points(tmp_path, name) == pytest.approx(72 * inches, abs=1e-3)


def test_on_a_screen_a_figure_is_as_wide_as_what_it_holds(plain):
    """Control of the tests above."""
    assert all(abs(points(plain, "rates") - 72 * w.page) > 1 for w in venue.VENUES.values())


def sketch():
    figure, (left, right) = style.panels(2)
    left.set_title("a title of a panel that is much longer than its panel is wide")
    right.set_xlabel("an axis")
    figure.supxlabel("words below all panels that say how the lines, the bands are made " * 2)
    return figure


@pytest.mark.parametrize("word", ["icml", "iclr", "3.3"])
def test_text_that_is_too_wide_is_broken_and_keeps_its_size(word):
    with style.context(), venue.printed(venue.width_of(word)):
        figure = sketch()
        size = figure._supxlabel.get_fontsize()
        laid_out(figure)
        figure.set_dpi(rcParams["savefig.dpi"])  # letters are as wide as they are saved
        whole = figure.get_tightbbox()
    assert whole.x0 >= -0.02
    assert whole.x1 <= figure.get_figwidth() + 0.02
    assert figure._supxlabel.get_fontsize() == size
    with style.context():  # control: nothing is broken on a screen
        figure = sketch()
        laid_out(figure)
        assert figure.get_tightbbox().width > figure.get_figwidth() + 0.1


def test_a_legend_that_is_too_wide_gets_fewer_columns():
    widths = []
    for word in ("6.75", "3"):
        with style.context(), venue.printed(venue.width_of(word)):
            figure, (ax,) = style.panels(1)
            for n in range(5):
                ax.plot([1, 2], [n, 1], label=f"a label, number {n}")
            figure.legend(loc="outside upper center", ncols=5, title="of five")
            laid_out(figure)
            (legend,) = figure.legends
            box = legend.get_window_extent()
            widths.append(box.width / figure.dpi)
            assert legend.get_title().get_text() == "of five"
    assert widths[1] <= 3.0
    assert widths[0] > 3.0  # control: one row where there is room


def cut(figure):
    """Inches of a figure that stand over its left or right edge."""
    whole = figure.get_tightbbox()
    return max(-whole.x0, whole.x1 - figure.get_figwidth())


def edges(word):
    """What is cut of figures whose words are a little wider than the axes above them."""
    found = []
    width = venue.width_of(word)
    with style.context(), venue.printed(width):
        for words in ("of the " * 20, "x" * round(7.75 * width.page)):
            figure, axes = style.panels(2)
            for ax in axes:
                ax.set_xlabel(words)
            laid_out(figure)
            figure.set_dpi(rcParams["savefig.dpi"])  # letters are as wide as they are saved
            found.append(cut(figure))
            plt.close(figure)
    return found


@pytest.mark.parametrize("word", [pytest.param("icml", marks=pytest.mark.slow), "neurips"])
def test_nothing_is_cut_at_the_sides(word, monkeypatch):
    assert max(edges(word)) <= venue.EDGE
    monkeypatch.setattr(venue, "within", lambda figure, engine: engine.execute(figure))
    assert max(edges(word)) > venue.EDGE  # control: as laid out alone


def test_a_column_is_as_wide_as_the_style_of_the_venue_sets_it():
    icml = venue.VENUES["icml"]
    assert icml.page == 2 * icml.column + 0.25  # \\columnsep
    assert {venue.VENUES[name].page for name in ("neurips", "iclr")} == {5.5}


def test_fewer_panels_in_a_row_where_it_is_narrow_and_never_in_a_grid():
    assert venue.narrowest(3, 1, 3.25) == (1, 3)
    assert venue.narrowest(3, 1, 5.5) == (2, 2)
    assert venue.narrowest(3, 1, 6.75) == (3, 1)
    assert venue.narrowest(3, 2, 3.25) == (3, 2)


def test_serif_letters_only_where_asked():
    names = []
    for serif in (True, False):
        with venue.printed(serif=serif), style.context():
            figure = Figure()
            font = figure.text(0, 0, "T(ε)").get_fontproperties()
            names.append(font_manager.get_font(font_manager.findfont(font)).family_name)
    assert names == ["STIXGeneral", "DejaVu Sans"]


def test_the_caption_says_what_is_drawn_claimed_and_found(printed, plain):
    said = (printed / "figures" / "rates.tex").read_text()
    assert said.startswith(r"\caption{Headline figures: ")
    assert r"\label{fig:rates}" in said
    assert "Claim: A mixture of transformers reaches" in said
    assert re.search(r"It (holds|fails|stays undecided) for cubic experts down to 1e-7", said)
    assert b"/Subject" in (printed / "figures" / "rates.pdf").read_bytes()
    assert not list(plain.glob("figures/*.tex"))  # control: not asked
    assert b"/Subject" not in (plain / "figures" / "rates.pdf").read_bytes()


def test_a_caption_follows_its_tables(folder, tmp_path, monkeypatch):
    """Control: other findings, another sentence."""
    tables = load_tables("rates", folder)
    monkeypatch.setattr("motsim.figures.caption.judged", lambda *given: ())
    draw("rates", tables, tmp_path, captions=True)
    assert "cubic experts" not in (tmp_path / "figures" / "rates.tex").read_text()


def test_every_sign_of_a_caption_is_latex():
    said = latex("50 % of a_b & ε ≤ 1e-3, ρ ≈ 0 {x} $5 ~ ^ \\")
    assert said.isascii()
    for sign in "%&_$#{}":
        assert f"\\{sign}" in latex(sign)


@pytest.mark.parametrize("word", ["icmll", "0", "nan", "99"])
def test_a_wrong_width_is_one_line(folder, capsys, word):
    said = refusal(main, ["rates", "--width", word, "--out", str(folder)], capsys)
    assert "width must be icml, neurips, iclr or inches from 1.5 to 20" in said
