"""Rates in tests: `assert_rate` passes if training runs follow a law, else says which they follow.

    from motsim.testing import assert_rate, at_most

    assert_rate("runs.csv", "log", below=1e-2)
    assert_rate(frame, at_most(1.0))

numpy, pandas and pytest are loaded when they are used: the pytest plugin imports this package.
"""

from motsim.testing.assertion import assert_rate
from motsim.testing.claim import AtMost, at_most
from motsim.testing.evidence import Evidence

__all__ = ["AtMost", "Evidence", "assert_rate", "at_most"]
