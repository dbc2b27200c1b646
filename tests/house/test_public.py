"""The public surface."""

import ast
import inspect
import re
import subprocess
import sys
from pathlib import Path

import pytest

import motsim
import motsim.testing
from motsim.checks import check_number

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
    "sweep",
    "train",
]


def test_public_names_are_pinned():
    assert motsim.__all__ == NAMES
    assert dir(motsim) == sorted([*NAMES, "__version__"])


@pytest.mark.parametrize("name", NAMES)
def test_every_public_name_loads_and_is_documented(name):
    assert getattr(motsim, name).__doc__


#: numpydoc's checks: there is a docstring, with a summary; every parameter is described under its
#: name, in order, with a type, and no other; what is returned is described.
CHECKED = {"GL08", "SS01", "PR01", "PR02", "PR03", "PR04", "PR07", "RT01", "YD01"}


def missing(name):
    """What numpydoc misses in a docstring."""
    validate = pytest.importorskip("numpydoc.validate").validate
    return [text for code, text in validate(name)["errors"] if code in CHECKED]


def raises_unsaid(thing):
    """Whether a function, or a class as it is made, raises and its docstring does not say what."""
    made = getattr(thing, "__post_init__", thing)
    text = inspect.getsource(made)
    raises = re.search(r"^\s+(raise \w|check_\w+\()", text, re.MULTILINE)
    return bool(raises) and "\n    Raises\n    ------\n" not in (thing.__doc__ or "")


PUBLIC = [
    "motsim.running.calling.sweep" if name == "sweep" else f"{home.__name__}.{name}"
    for home in (motsim, motsim.testing) for name in home.__all__
]  # fmt: skip


@pytest.mark.parametrize("name", PUBLIC)
def test_docstrings_are_complete(name):
    assert missing(name) == []
    home, _, last = name.rpartition(".")
    assert not raises_unsaid(getattr(sys.modules[home], last))


def test_a_docstring_that_is_not_complete_is_seen():
    """The control: functions that are not public, where less is asked for."""
    assert missing("motsim.mixture.evaluation.evaluator")
    assert missing("motsim.regular.read_json")
    assert raises_unsaid(check_number)


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
