"""The public surface."""

import subprocess
import sys

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
