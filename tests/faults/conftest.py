"""Numbers of the fault tests, printed at the end so that they can be quoted."""

import pytest

from tests.faults.harness import SEED


def pytest_report_header():
    return f"faults: MOTSIM_FAULT_SEED={SEED}"


@pytest.fixture
def record(record_property):
    """record("F1", "text with numbers"): one line of the terminal summary.

    It travels with the test's report, so that it comes back from workers of xdist as well.
    """
    return lambda name, text: record_property("fault", [name, text])


def pytest_terminal_summary(terminalreporter):
    lines = [
        tuple(value)
        for reports in terminalreporter.stats.values()
        for report in reports
        if getattr(report, "when", "") == "call"
        for name, value in report.user_properties
        if name == "fault"
    ]
    if lines:
        terminalreporter.section(f"faults survived (seed {SEED})")
        for name, text in sorted(lines, key=lambda line: (int(line[0][1:].split()[0]), line[0])):
            terminalreporter.line(f"{name:<5} {text}")
