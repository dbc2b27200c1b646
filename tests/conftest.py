"""Fixtures shared by all tests."""

import os
from pathlib import Path

import pytest
from joblib.externals.loky import get_reusable_executor

import motsim.experiments

KINDS = Path(__file__).parent / "kinds"


@pytest.fixture
def kinds(monkeypatch):
    """Make the kinds of run in tests/kinds known, here and in every process that a test starts."""
    get_reusable_executor().shutdown(wait=True)  # workers of earlier tests do not know them
    path = [str(KINDS), *filter(None, [os.environ.get("PYTHONPATH")])]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(path))
    monkeypatch.setattr(motsim.experiments, "__path__", [*motsim.experiments.__path__, str(KINDS)])
