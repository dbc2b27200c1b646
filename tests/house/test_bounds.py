"""The declared lower bounds are what `.ci/versions lowest` installs; every kind of run is tried."""

import importlib.util
import tomllib
from importlib.machinery import SourceFileLoader
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

from motsim.plans.loading import load_sweep, sweep_names
from motsim.sweep import parser

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / ".ci" / "versions"


@pytest.fixture(scope="module")
def versions():
    loader = SourceFileLoader("ci_versions", str(SCRIPT))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader(loader.name, loader))
    loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def project():
    return tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def test_every_direct_dependency_has_one_bound(versions, project):
    lowest = versions.bounds(versions.requirements(project))
    direct = {Requirement(text).name for text in project["dependencies"]}
    assert direct <= lowest.keys()
    assert {"jax", "optax", "pyarrow", "scikit-learn", "pytest"} <= lowest.keys()
    assert not {"motsim", "torch", "ruff", "ray"} & lowest.keys()  # what is left out


def test_bounds_are_read_as_versions(versions):
    """By hand: extras are flattened, markers and names in other spellings are the same package."""
    project = {
        "name": "Own",
        "dependencies": ["a>=1.5,<3", "B_c>=2.10"],
        "optional-dependencies": {
            "x": ["own[y]", 'd~=0.4.30; python_version >= "3"'], "y": ["b-c>=2.10"], "dev": ["e"],
        },
    }  # fmt: skip
    assert versions.bounds(versions.requirements(project)) == {
        "a": Version("1.5"), "b-c": Version("2.10"), "d": Version("0.4.30"),
    }  # fmt: skip


@pytest.mark.parametrize(
    ("texts", "said"),
    [
        (["a"], "a must have one lower bound"),
        (["a<2"], "must have one lower bound"),
        (["a>=1", "a>=1.1"], "a has two lower bounds: 1 and 1.1"),
    ],
)
def test_a_bound_that_says_nothing_is_refused(versions, texts, said):
    with pytest.raises(ValueError, match=said):
        versions.bounds([Requirement(text) for text in texts])


def test_a_bound_that_cannot_be_installed_is_seen(versions):
    """And 2.10 is above 2.9, and 3 is 3.0."""
    lowest = {"a": Version("2.2"), "b": Version("3"), "c": Version("1")}
    installed = {"a": Version("2.2.2"), "b": Version("3.0")}
    assert versions.differing(lowest, installed) == [
        "a 2.2 is declared, but 2.2.2 is the lowest that fits",
        "c 1 is declared, but nothing is the lowest that fits",
    ]
    assert versions.differing({"b": Version("2.10")}, {"b": Version("2.9")})


def test_every_kind_of_run_is_tried_and_every_test_exists(versions):
    tried = {load_sweep(words[0]).file.kind for words in versions.SWEEPS}
    assert tried == {load_sweep(name).file.kind for name in sweep_names()}
    for words in versions.SWEEPS:
        parser().parse_args(list(words))
    assert [name for name in versions.WHOLE if not (ROOT / name).is_file()] == []
