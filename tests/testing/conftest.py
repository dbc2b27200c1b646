"""Rates decided once, pictures only where they are asked for, a small project."""

import pytest

import motsim
import motsim.rates
from motsim.testing import Evidence
from tests.testing.plugin_project import CASES, LOAD
from tests.testing.rate_data import INVERSE, LOG, SHORT


@pytest.fixture(scope="module")
def rates():
    """Rates of the two laws, and of too little, decided once."""
    return {"log": motsim.rate(LOG), "1/eps": motsim.rate(INVERSE), "short": motsim.rate(SHORT)}


@pytest.fixture(autouse=True)
def pictures(request, monkeypatch):
    """Draw only where a test is about the picture: a second for each."""
    if "drawn" not in request.fixturenames:
        monkeypatch.setattr(
            motsim.rates.Rate, "plot", lambda self, path, **_: path.write_bytes(b"PNG")
        )


@pytest.fixture
def drawn():
    """Ask for real pictures."""


@pytest.fixture
def keep(tmp_path):
    return Evidence(tmp_path / "evidence", "case", always=False)


@pytest.fixture
def project(pytester):
    """Make a small project of its own; returns what runs its tests."""
    pytester.makepyfile(test_rate=CASES)
    return lambda *options: pytester.runpytest_inprocess(*LOAD, *options)
