"""The public surface."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import motsim

NAMES = [
    "Descent",
    "KindSettings",
    "Mixture",
    "Model",
    "Result",
    "Routing",
    "Stage",
    "decide",
    "evaluate",
    "initial_parameters",
    "loss_and_gradients",
    "make_signals",
    "population",
    "rate",
    "result_of_losses",
    "sample",
    "train",
]


def test_public_names_are_pinned():
    assert motsim.__all__ == NAMES
    assert dir(motsim) == sorted([*NAMES, "__version__"])


@pytest.mark.parametrize("name", NAMES)
def test_every_public_name_loads_and_is_documented(name):
    assert getattr(motsim, name).__doc__


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="module 'motsim' has no attribute 'Trainer'"):
        motsim.Trainer  # noqa: B018


def typed(text):
    """Name -> module of what type checkers are told."""
    return {
        alias.name: node.module.removeprefix("motsim.")
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.ImportFrom) and node.module.startswith("motsim.")
        for alias in node.names
    }


def test_type_checkers_are_told_what_is_loaded():
    text = Path(motsim.__file__).read_text()
    assert typed(text) == motsim._HOME
    assert typed(text.replace("import decide, rate", "import rate")) != motsim._HOME  # control


def loaded_after(statement):
    """Top-level modules that a fresh interpreter holds after a statement."""
    code = f"import sys; {statement}; print(*{{name.split('.')[0] for name in sys.modules}})"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    return set(done.stdout.split())


HEAVY = {"numpy", "numba", "scipy", "pandas", "joblib", "pydantic", "matplotlib", "jax"}


@pytest.mark.parametrize("statement", ["import motsim", "import motsim.sweep", "dir(motsim)"])
def test_import_is_light(statement):
    statement = statement if statement.startswith("import") else f"import motsim; {statement}"
    assert not loaded_after(statement) & HEAVY


def test_the_check_of_imports_can_fail():
    loaded = loaded_after("import motsim; motsim.train")
    assert {"numpy", "numba"} <= loaded
    assert not loaded & {"pandas", "matplotlib", "jax", "joblib"}
