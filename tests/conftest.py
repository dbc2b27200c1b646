"""Fixtures shared by all tests."""

import os
import signal
from pathlib import Path

# Before NumPy: where tests fill the cores, threads of BLAS only wait for each other.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import pytest
from joblib.externals.loky import get_reusable_executor

import motsim.experiments

pytest_plugins = "pytester"  # tests of motsim's own pytest plugin
KINDS = Path(__file__).parent / "kinds"
FAULT_SEED = os.environ.get("MOTSIM_FAULT_SEED", "0")

# A shell starts what it sends to the background deaf to Ctrl-C, and programs under test with it.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def kinds(monkeypatch):
    """Make the kinds of run in tests/kinds known, here and in every process that a test starts."""
    get_reusable_executor().shutdown(wait=True)  # workers of earlier tests do not know them
    path = [str(KINDS), *filter(None, [os.environ.get("PYTHONPATH")])]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(path))
    monkeypatch.setattr(motsim.experiments, "__path__", [*motsim.experiments.__path__, str(KINDS)])


@pytest.fixture
def record(record_property):
    """record("F1", "text with numbers"): one line of the terminal summary.

    It travels with the test's report, so that it comes back from workers of xdist as well.
    """
    return lambda name, text: record_property("fault", [name, text])


def pytest_terminal_summary(terminalreporter):
    properties = [
        found
        for reports in terminalreporter.stats.values()
        for report in reports
        if getattr(report, "when", "") == "call"
        for found in report.user_properties
    ]
    fresh = [value for name, value in properties if name == "fresh"]
    if fresh:
        terminalreporter.section("recorded verdicts on a fresh block of seeds")
        for line in fresh:
            terminalreporter.line(line)
    lines = [tuple(value) for name, value in properties if name == "fault"]
    if lines:
        terminalreporter.section(f"faults survived (seed {FAULT_SEED})")
        for name, text in sorted(lines, key=lambda line: (int(line[0][1:].split()[0]), line[0])):
            terminalreporter.line(f"{name:<5} {text}")
