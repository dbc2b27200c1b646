"""How the plugin is loaded into a project's tests, and such a project."""

from importlib.metadata import entry_points

INSTALLED = any(point.name == "motsim" for point in entry_points(group="pytest11"))
LOAD = [*([] if INSTALLED else ["-p", "motsim.pytest_plugin"]), "-p", "no:hypothesispytest"]
CASES = """
import numpy as np
import pytest
from motsim.testing import assert_rate

T = np.arange(4000.0)[:, None]
LOG = [1.0, 1.2, 0.9, 1.1, 1.05] * np.exp(-T[:300] / 12.0)

def test_log():
    assert_rate(LOG, "log")

@pytest.mark.parametrize("law", ["1/eps"])
def test_wrong(law):
    assert_rate(LOG, law)

def test_short():
    assert_rate(LOG[:25], "log", inconclusive="skip")
"""
