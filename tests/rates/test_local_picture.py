"""Pictures of local exponents: a power lies at its exponent, a logarithm at 0, and few at neither.

That p(eps) itself is right is held in test_local.
"""

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

import motsim
from motsim.figures.rate_single import CUBIC, draw
from motsim.rates.__main__ import main
from motsim.rates.local import local_exponents
from motsim.rates.local_picture import exponent_band
from tests.refusals import refusal
from tests.report.report_pages import headline, store_tables

EPS = np.logspace(-1, -9, 81)
LAWS = {"root": EPS**-0.5, "log": 50.0 * np.log(1.0 / EPS)}


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    rows = [
        pd.DataFrame({"law": law, "run": run, "step": (1 + 0.02 * run) * steps, "loss": EPS})
        for law, steps in LAWS.items()
        for run in range(6)
    ]
    path = tmp_path_factory.mktemp("curves") / "curves.csv"
    pd.concat(rows).to_csv(path, index=False)
    return path


def curve(ax, label):
    (line,) = [line for line in ax.lines if line.get_label().endswith(label)]
    return line.get_ydata()


def test_each_law_lies_where_it_belongs(file):
    (ax,) = motsim.rate(file, by=["law"]).plot(local=True).axes
    np.testing.assert_allclose(curve(ax, "root"), 0.5, atol=0.01)
    log = curve(ax, "log")
    assert log.max() < 0.5
    assert log[-1] < 0.1  # a logarithm comes to 0 from above
    assert {0.0, 1.0} <= {float(line.get_ydata()[0]) for line in ax.lines}


def test_one_rate_has_its_runs(file):
    found = motsim.rate(file, where=["law=root"]).local()
    assert found.exponents.shape == (6, found.epsilons.size)
    np.testing.assert_allclose(found.exponents, 0.5, atol=0.01)
    shorter = motsim.rate(file, where=["law=root"]).local(decades=0.5)
    assert shorter.epsilons[0] > found.epsilons[0]


def test_what_less_than_half_of_the_runs_reach_is_not_drawn():
    times = np.tile(EPS**-0.5, (7, 1))
    times[:4, EPS < 1e-5] = -1.0
    found = local_exponents(EPS, times)
    ax = Figure().subplots()
    assert exponent_band(ax, found.epsilons, found)
    assert ax.lines[0].get_xdata().min() > 1e-5
    times[0] = EPS**-0.5  # the control: four of seven
    found = local_exponents(EPS, times)
    assert exponent_band(ax, found.epsilons, found)
    assert ax.lines[1].get_xdata().min() < 1e-8


def test_curves_without_a_slope_are_said_to_be_so(tmp_path):
    path = tmp_path / "flat.csv"
    pd.DataFrame({"step": [1, 2, 3], "loss": [0.5, 0.4, 0.3]}).to_csv(path, index=False)
    (ax,) = motsim.rate(path).plot(local=True).axes
    assert ax.get_title(loc="left") == "no run passes enough of eps for a local exponent"


def test_the_command_draws_them_and_says_what_it_needs(file, tmp_path, capsys):
    picture = tmp_path / "local.svg"
    assert main([str(file), "--by", "law", "--plot", str(picture), "--local"]) == 0
    assert "local exponent" in picture.read_text()
    assert "hitting times" not in picture.read_text()
    capsys.readouterr()
    assert "add --plot local.png" in refusal(main, [str(file), "--local"], capsys)


def test_the_claims_figure_draws_what_is_derived_beside_it(tmp_path):
    tables = store_tables(tmp_path, "rate-single", headline, seeds=2)
    left, right = draw(tables)["rate-single-local"].axes
    (derived,) = [line for line in left.lines if "derived" in line.get_label()]
    x, y = derived.get_data()
    np.testing.assert_allclose(y, 1 - CUBIC / np.log(x))
    for ax, heads in ((left, ["H = 1", "H = 4", "H = 16"]), (right, ["H = 4", "H = 16"])):
        for label in heads:
            np.testing.assert_allclose(np.median(curve(ax, label)), 0.7, atol=0.05)
