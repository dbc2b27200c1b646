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


def pytest_configure(config: pytest.Config) -> None:
    """Refuse a folder for evidence that is none, before any test runs."""
    folder = _folder(config)
    if folder is None:
        return
    inside = next(path for path in (folder, *folder.parents) if path.exists())
    if not inside.is_dir():
        name = "--rate-evidence" if config.getoption("--rate-evidence") else "rate_evidence"
        raise pytest.UsageError(f"{name}: {inside} is a file; name a folder, new or not")


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
    folder = _folder(config)
    if folder is not None:
        return Evidence(folder, name)
    cache = getattr(config, "cache", None)  # not there with -p no:cacheprovider
    if cache is None:
        return Evidence(current_evidence().folder, name, always=False)
    return Evidence(lambda: Path(cache.mkdir("motsim-rates")), name, always=False)


def _folder(config: pytest.Config) -> Path | None:
    """Return the folder that was asked for by option or setting."""
    asked, told = config.getoption("--rate-evidence"), config.getini("rate_evidence")
    if asked:
        return Path(config.invocation_params.dir / asked)
    if told:
        return Path((config.inipath or config.rootpath / "pytest.ini").parent / told)
    return None
