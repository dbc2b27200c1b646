"""The mark of tests that need the extra `data`."""

from importlib.util import find_spec

import pytest

from motsim.experiments.realdata.run import MODULES

__all__ = ["needs_data"]

needs_data = pytest.mark.skipif(
    any(find_spec(module) is None for module in MODULES),
    reason="extra 'data' is not installed: pip install -e '.[data]'",
)
