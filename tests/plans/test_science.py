"""What a stored run depends on: the sources whose change makes it stale."""

import ast
from pathlib import Path

import pytest

import motsim
from motsim.experiments import kind_module, kinds
from motsim.plans.keys import NO_NUMBERS, sources

ROOT = Path(motsim.__file__).parent


def imported(path):
    """Modules of motsim that a module names in its imports, as Python's own parser sees them."""
    for node in ast.walk(ast.parse(path.read_text())):
        names = []
        if isinstance(node, ast.ImportFrom):
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        for name in names:
            place = ROOT.joinpath(*name.split(".")[1:])
            for path in (place.with_suffix(".py"), place / "__init__.py"):
                if name.startswith("motsim.") and path.exists():
                    yield name, path


def followed(name, path):
    """A module and all that it imports, itself or through others."""
    found, waiting = {}, [(name, path)]
    while waiting:
        name, path = waiting.pop()
        if name not in found and name not in NO_NUMBERS:
            found[name] = path
            waiting += imported(path)
    return found


@pytest.mark.parametrize("kind", kinds())
def test_every_source_of_a_run_makes_it_stale(kind):
    """Else results of an edited source would go on being used."""
    module = kind_module(kind)
    assert sources(module.__name__) == followed(module.__name__, Path(module.__file__))


@pytest.mark.parametrize(
    "name", ["mixture.engine.parts", "mixture.training", "mixture.kernels.fused", "vectors.lanes"]
)
def test_sources_deep_inside_are_among_them(name):
    """Control of the two walks at once: neither may stop at the door."""
    assert f"motsim.{name}" in sources("motsim.experiments.mixture.run")
    assert "motsim.sweep" not in sources("motsim.experiments.mixture.run")


def test_only_what_makes_no_number_is_left_out():
    for name in NO_NUMBERS:
        text = sources(name)[name].read_text()
        assert not [word for word in ("linalg", "random", "scipy") if word in text], name
