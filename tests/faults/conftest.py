"""The seed of the random choices, at the head; tests/conftest.py prints the numbers."""

from tests.faults.harness import SEED


def pytest_report_header():
    return f"faults: MOTSIM_FAULT_SEED={SEED}"
