"""pytest plugin: a folder for the evidence of `motsim.testing.assert_rate`.

pytest loads this in every run of everyone who has installed motsim: nothing heavy is imported.
"""

from collections.abc import Generator
from pathlib import Path

import pytest

from motsim.testing.evidence import Evidence, current_evidence, evidence_of_test, safe_name

__all__ = ["rate_evidence"]


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add where evidence goes."""
    text = "folder for picture, JSON and table of every rate that a test asserts"
    group = parser.getgroup("motsim", "rates of training runs")
    group.addoption("--rate-evidence", metavar="DIR", help=text)
    parser.addini("rate_evidence", f"{text}, from the folder of the configuration file on")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Tell `assert_rate` which test is under way."""
    with evidence_of_test(_evidence(item)):
        return (yield)


@pytest.fixture
def rate_evidence() -> Evidence:
    """Write evidence: ``rate_evidence(rate)`` leaves picture, JSON and table named after the test.

    It goes to ``--rate-evidence DIR`` (ini: ``rate_evidence``), else into pytest's cache. Tests
    that use `assert_rate` alone do not need it.
    """
    return current_evidence()


def _evidence(item: pytest.Item) -> Evidence:
    config, name = item.config, safe_name(item.nodeid)
    asked, told = config.getoption("--rate-evidence"), config.getini("rate_evidence")
    if asked:
        return Evidence(config.invocation_params.dir / asked, name)
    if told:
        return Evidence((config.inipath or config.rootpath / "pytest.ini").parent / told, name)
    cache = getattr(config, "cache", None)  # not there with -p no:cacheprovider
    if cache is None:
        return Evidence(current_evidence().folder, name, always=False)
    return Evidence(lambda: Path(cache.mkdir("motsim-rates")), name, always=False)
