"""A page of made-up tables."""

import pytest

from motsim.experiments.result import Result
from motsim.report.__main__ import main
from tests.report.report_pages import HOSTILE, headline, store_mine, store_tables


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    """Tables of the headline, as recorded, and a user's own with hostile words and a failed run."""
    place = tmp_path_factory.mktemp("results")
    store_tables(place, "rates", headline, seeds=6)
    failed = Result("error", {"error": f"ValueError: {HOSTILE}"})
    store_mine(place, title=HOSTILE, case=HOSTILE, result=failed)
    return place


@pytest.fixture(scope="session")
def page(folder):
    """The page of the headline, the user's sweep and a claim without a table."""
    place = folder / "page.html"
    assert main(["rates", "mine", "coverage", "--out", str(folder), "--to", str(place)]) == 1
    return place


@pytest.fixture
def no_figures(monkeypatch):
    """Where figures are not the question, they are not drawn: seconds each."""
    monkeypatch.setattr("motsim.report.sections._pictures", lambda *arguments: ())
