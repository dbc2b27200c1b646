"""Numbers of the fault tests, printed at the end so that they can be quoted."""

import pytest

from tests.faults.harness import SEED

LINES = []


def pytest_report_header():
    return f"faults: MOTSIM_FAULT_SEED={SEED}"


@pytest.fixture
def record():
    """record("F1", "text with numbers"): one line of the terminal summary."""
    return lambda name, text: LINES.append((name, text))


def pytest_terminal_summary(terminalreporter):
    if LINES:
        terminalreporter.section(f"faults survived (seed {SEED})")
        for name, text in sorted(LINES, key=lambda line: (int(line[0][1:].split()[0]), line[0])):
            terminalreporter.line(f"{name:<5} {text}")
