"""What a stored run depends on: the sources whose change makes it stale."""

import ast
from pathlib import Path

import pytest

import motsim
from motsim.experiments.mixture import SCIENCE

ROOT = Path(motsim.__file__).parent
#: They say what a result is, how settings are read (a key holds what was read) and where compiled
#: kernels lie; no number comes from them.
NO_NUMBERS = {"__init__.py", "experiments/base.py", "experiments/result.py", "kernel_cache.py"}


def imported(path):
    """Modules of motsim that a module names in its imports."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("motsim"):
            for name in (node.module, *(f"{node.module}.{a.name}" for a in node.names)):
                place = ROOT.joinpath(*name.split(".")[1:])
                yield from (p for p in (place.with_suffix(".py"), place / "__init__.py"))


def followed(path):
    """A module and all that it imports, itself or through others; names from motsim's folder."""
    found, waiting = set(), [path]
    while waiting:
        path = waiting.pop()
        if path.exists() and path not in found:
            found.add(path)
            waiting += imported(path)
    return {path.relative_to(ROOT).as_posix() for path in found}


def forgotten(science):
    """Sources of a mixture run that are not listed."""
    names = followed(ROOT / "experiments" / "mixture.py") - NO_NUMBERS
    return {name for name in names if name not in science and name.split("/")[0] not in science}


def test_every_source_of_a_run_makes_it_stale():
    """Else results of an edited source would go on being used."""
    assert all((ROOT / name).exists() for name in SCIENCE)
    assert forgotten(SCIENCE) == set()


@pytest.mark.parametrize("name", ["parts.py", "layout.py", "training.py"])
def test_a_forgotten_source_is_seen(name):
    assert forgotten([other for other in SCIENCE if other != name]) == {name}
