"""The key of a run: what it depends on, and what it does not."""

import math
import sys
from types import SimpleNamespace

import pytest

import motsim.plans.keys
from motsim.experiments import kind_module
from motsim.experiments.mixture.run import Settings
from motsim.plans.keys import MARK, kind_key, science_hash, seed_keys, sources
from motsim.plans.loading import load_sweep, sweep_names
from motsim.results.store import SCHEMA, run_key

MIXTURE = "motsim.experiments.mixture.run"


def key_of(**changes):
    return run_key("mixture", Settings(**changes).model_dump(), MIXTURE)


CHANGES = [
    {},
    {"seed": 1},
    {"num_experts": 8},
    {"converge_rate": 0.011},
    {"converge_rate": math.nextafter(0.01, 1)},
    {"loss": "logistic"},
    {"distractor_amplitude": (1.0, 2.0)},
    {"shuffle_labels": True},
    {"gate_rate": 10.0},
    {"preset": "linear"},
    {"preset": "single"},
]


def test_every_change_of_a_setting_is_another_key():
    assert len({key_of(**changes) for changes in CHANGES}) == len(CHANGES)
    assert len(key_of()) == 32


@pytest.mark.parametrize("name", sweep_names())
def test_only_the_seed_of_a_moved_sweep_is_another(name):
    """The key is that of the seed, wherever the seeds start: so no key of before has changed."""
    sweep = load_sweep(name)
    module = kind_module(sweep.file.kind)
    first = sweep.cells(seeds=2)
    assert {cell.labels["seed"] for cell in first} == {0, 1}
    for cell in first[:4]:
        settings = module.Settings(**cell.values, seed=cell.labels["seed"])
        settings = sweep.kind.effective(settings)
        assert cell.key == run_key(sweep.file.kind, settings.model_dump(), module.__name__)
    assert load_sweep(name, 0).cells(seeds=2) == first
    moved = load_sweep(name, 1).cells(seeds=2)
    keys = {str(cell.labels): cell.key for cell in first}
    shared = [cell for cell in moved if cell.labels["seed"] == 1]
    assert [cell.key for cell in shared] == [keys[str(cell.labels)] for cell in shared]
    others = {cell.key for cell in moved if cell.labels["seed"] == 2}
    assert others
    assert not others & {cell.key for cell in first}  # control: another seed, another key


def test_other_kind_is_another_key():
    settings = Settings().model_dump()
    assert run_key("mixture", settings, MIXTURE) != run_key("other", settings, MIXTURE)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"similarity": 0}, {"similarity": 0.0}),
        ({"converge_rate": 1}, {"converge_rate": 1.0}),
        ({"class_amplitude": [1, 2]}, {"class_amplitude": (1.0, 2.0)}),
        ({}, {"preset": "cubic", "num_experts": 16}),
        ({"init_std": 0.003}, {"init_std": 3e-3}),
    ],
)
def test_the_same_settings_written_otherwise_have_the_same_key(one, other):
    assert key_of(**one) == key_of(**other)


def test_an_integer_field_is_not_a_float():
    assert run_key("k", {"a": 1}, MIXTURE) != run_key("k", {"a": 1.0}, MIXTURE)
    assert run_key("k", {"a": 1}, MIXTURE) != run_key("k", {"a": True}, MIXTURE)
    assert run_key("k", {"a": 0.0}, MIXTURE) != run_key("k", {"a": None}, MIXTURE)


def test_the_order_of_settings_does_not_matter():
    assert run_key("k", {"a": 1, "b": 2}, MIXTURE) == run_key("k", {"b": 2, "a": 1}, MIXTURE)


KIND = """
import demo.direct as d
from demo.kernels import (
    a,  # a comment, with a comma
    b as other,
)


def run(settings):
    from demo.late import x
    return x
"""


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A package of a few small sources, of which one is no part of the science."""
    (tmp_path / "demo" / "kernels").mkdir(parents=True)
    for name in ("__init__", "kernels/__init__", "kernels/a", "kernels/b", "direct", "late"):
        (tmp_path / "demo" / f"{name}.py").write_text("x = 1\n")
    (tmp_path / "demo" / "kernels" / "b.py").write_text("from demo import deeper\n")
    for name in ("deeper", "tables"):
        (tmp_path / "demo" / f"{name}.py").write_text("x = 1\n")
    (tmp_path / "demo" / "run.py").write_text(KIND)
    monkeypatch.syspath_prepend(str(tmp_path))
    forget()
    yield tmp_path / "demo"
    forget()
    for name in [name for name in sys.modules if name.partition(".")[0] == "demo"]:
        del sys.modules[name]


def forget():
    science_hash.cache_clear()
    sources.cache_clear()


@pytest.mark.parametrize(
    "name", ["run", "kernels/a", "kernels/b", "kernels/__init__", "direct", "late", "deeper"]
)
def test_a_change_of_science_code_is_another_key(package, name):
    before = run_key("k", {}, "demo.run")
    (package / "tables.py").write_text("x = 2\n")
    forget()
    assert run_key("k", {}, "demo.run") == before  # no science in there
    path = package / f"{name}.py"
    path.write_text(path.read_text() + "y = 2\n")
    forget()
    assert run_key("k", {}, "demo.run") != before


def test_the_rule_of_keys_is_part_of_the_key_and_the_schema_is_not(monkeypatch):
    """A store of another schema is migrated: its runs must be found again."""
    before = key_of()
    monkeypatch.setattr(motsim.results.database, "SCHEMA", SCHEMA + 1)
    assert key_of() == before
    monkeypatch.setattr(motsim.plans.keys, "KEYS", 0)
    assert key_of() != before


@pytest.mark.parametrize("nested", [{}, {"seed": 3}, {"seed": MARK}, {"seed": 0, "zeta": MARK}])
def test_keys_of_many_seeds_are_those_of_each(nested):
    """Also where a setting looks like the seed that is put in."""
    kind = SimpleNamespace(name="k", module_name="", science="x")
    settings = {"alpha": 0.5, "nested": nested, "zeta": f'"seed": "{MARK}"'}
    many = seed_keys(kind, settings, [0, 7, 10**9])
    assert many == [kind_key(kind, {**settings, "seed": seed}) for seed in (0, 7, 10**9)]
    assert len(set(many)) == 3
    assert seed_keys(kind, settings | {"alpha": 1.5}, [7]) != many[1:2]  # control
