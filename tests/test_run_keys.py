"""The key of a run: what it depends on, and what it does not."""

import math

import pytest

import motsim.results.keys
from motsim.experiments import kind_module
from motsim.experiments.mixture import SCIENCE, Settings
from motsim.plan import load_sweep, sweep_names
from motsim.results.keys import science_hash
from motsim.results.store import SCHEMA, run_key


def key_of(**changes):
    return run_key("mixture", Settings(**changes).model_dump(), SCIENCE)


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
        assert cell.key == run_key(sweep.file.kind, settings.model_dump(), module.SCIENCE)
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
    assert run_key("mixture", settings, SCIENCE) != run_key("other", settings, SCIENCE)


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
    assert run_key("k", {"a": 1}, SCIENCE) != run_key("k", {"a": 1.0}, SCIENCE)
    assert run_key("k", {"a": 1}, SCIENCE) != run_key("k", {"a": True}, SCIENCE)
    assert run_key("k", {"a": 0.0}, SCIENCE) != run_key("k", {"a": None}, SCIENCE)


def test_the_order_of_settings_does_not_matter():
    assert run_key("k", {"a": 1, "b": 2}, SCIENCE) == run_key("k", {"b": 2, "a": 1}, SCIENCE)


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A package of three small sources instead of motsim's."""
    (tmp_path / "kernels").mkdir()
    for name in ("kernels/a.py", "kernels/b.py", "data.py", "tables.py"):
        (tmp_path / name).write_text("x = 1\n")
    monkeypatch.setattr(motsim.results.keys, "PACKAGE", tmp_path)
    science_hash.cache_clear()
    yield tmp_path
    science_hash.cache_clear()


@pytest.mark.parametrize("name", ["kernels/a.py", "kernels/b.py", "data.py", "kernels/new.py"])
def test_a_change_of_science_code_is_another_key(package, name):
    before = run_key("k", {}, ("kernels", "data.py"))
    (package / "tables.py").write_text("x = 2\n")
    science_hash.cache_clear()
    assert run_key("k", {}, ("kernels", "data.py")) == before  # no science in there
    (package / name).write_text("x = 2\n")
    science_hash.cache_clear()
    assert run_key("k", {}, ("kernels", "data.py")) != before


def test_the_rule_of_keys_is_part_of_the_key_and_the_schema_is_not(monkeypatch):
    """A store of another schema is migrated: its runs must be found again."""
    before = key_of()
    monkeypatch.setattr(motsim.results.database, "SCHEMA", SCHEMA + 1)
    assert key_of() == before
    monkeypatch.setattr(motsim.results.keys, "KEYS", 0)
    assert key_of() != before


def test_science_names_exist():
    for name in SCIENCE:
        assert (motsim.results.keys.PACKAGE / name).exists(), name
