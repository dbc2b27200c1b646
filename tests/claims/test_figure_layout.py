"""Every claim's figures at the widths of venues: nothing cut, no words over words, legends aside.

Of the tables of the quick tier a few seeds are drawn: where things stand depends on them little.
"""

import pytest
from matplotlib import pyplot as plt
from matplotlib import rcParams

from motsim.figures import drawn, figure_names, laid_out, style, venue
from motsim.results.tables import Tables
from tests.figures.figure_checks import faults

SEEDS = 4
WIDTHS = {"icml": venue.VENUES["icml"], "neurips, iclr": venue.VENUES["neurips"]}


def few(tables):
    """Tables of the first seeds: the fits of figures take longer than their layout."""
    seeds = sorted(tables.main["seed"].unique())[:SEEDS]
    kept = [t[t["seed"].isin(seeds)] if "seed" in t else t
            for t in (tables.main, *tables.others.values())]  # fmt: skip
    return Tables(
        tables.name, tables.meta, kept[0], dict(zip(tables.others, kept[1:], strict=True))
    )


def found(figure):
    laid_out(figure)
    figure.set_dpi(rcParams["savefig.dpi"])  # letters are as wide as they are saved
    return list(faults(figure))


@pytest.mark.parametrize("width", ["icml", pytest.param("neurips, iclr", marks=pytest.mark.slow)])
@pytest.mark.parametrize("name", figure_names())
def test_figures_are_whole_and_readable_at_the_widths_of_venues(name, width, run_quick):
    tables = few(run_quick(name))
    with venue.printed(WIDTHS[width]), drawn(name, tables) as figures:
        wrong = {title: found(figure) for title, figure in figures.items()}
    assert {title: lines for title, lines in wrong.items() if lines} == {}


def test_the_widths_are_those_of_all_venues():
    assert {venue.VENUES[name] for name in venue.VENUES} == set(WIDTHS.values())


# --- controls: what is damaged is found -----------------------------------------------------------


def sound():
    figure, axes = style.panels(2)
    for ax in axes:
        ax.plot([0, 1, 2], [0, 0.1, 2], label="a line")
        ax.set(xlabel="steps", ylabel="loss", title="a panel")
        style.legend(ax, loc="upper left")
    return figure


def moved_out(figure):
    figure.axes[1].text(1.0, 0.5, "a label moved out", transform=figure.axes[1].transAxes)


def over_another(figure):
    left = figure.axes[0]
    left.text(0.3, 0.5, "one label", transform=left.transAxes)
    left.text(0.32, 0.52, "another", transform=left.transAxes)


def over_a_tick(figure):
    left = figure.axes[0]
    left.text(0.0, -0.02, "a label", transform=left.transAxes, va="top")


def over_the_data(figure):
    ax = figure.axes[0]
    ax.get_legend().set_loc("lower left")


def too_large(figure):
    figure.axes[0].get_legend().get_texts()[0].set_text("a line of many words, " * 5)


@pytest.mark.parametrize(
    ("damage", "said"),
    [(moved_out, "cut by"), (over_another, "'one label' and 'another' overlap"),
     (over_a_tick, "overlap"), (over_the_data, "covers"), (too_large, "larger than its axis")],
)  # fmt: skip
def test_a_damaged_figure_is_found(damage, said):
    with style.context(), venue.printed(venue.VENUES["neurips"]):
        figure = sound()
        assert found(figure) == []
        damage(figure)  # after layout: what layout would mend is not damaged
        assert any(said in line for line in faults(figure))
    plt.close("all")
