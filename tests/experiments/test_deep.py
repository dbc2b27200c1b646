"""Runs of the kind `deep`: tables, determinism, errors."""

from importlib.util import find_spec

import numpy as np
import pytest

import motsim.extras
from motsim.experiments.deep.run import MODULES, Settings, compile_kernels, run
from tests.experiments.jobs import results_by_jobs
from tests.rehearsal.deep_cases import SMALL

pytestmark = pytest.mark.skipif(
    any(find_spec(module) is None for module in MODULES),
    reason="extra 'deep' is not installed: pip install -e '.[deep]'",
)


def small_settings(**options):
    given = {
        "replicates": 2, "level": 90.0, "domains": (0, 1, 0), "epochs": 20.0, "width": 4,
        "memory_size": 30, **SMALL, **options,
    }  # fmt: skip
    return Settings(**given)


def test_tables_of_a_run():
    found = run(small_settings(seed=3))
    assert found.status == "done"
    hits, accuracy = found.tables["hits"], found.tables["accuracy"]
    assert hits["network"] == [6, 7] * 3
    final = np.array(accuracy["accuracy"]).reshape(3, 2, 3, 3)
    np.testing.assert_allclose(hits["final_accuracy"], final[:, :, 2].mean(axis=-1).ravel())
    drop = np.mean([final[:, :, i, i] - final[:, :, 2, i] for i in (0, 1)], axis=0)
    np.testing.assert_allclose(hits["forgetting"], drop.ravel())


def test_a_rate_too_large_is_reported_as_diverged():
    assert run(small_settings(rate=1e30)).status == "diverged"


@pytest.mark.slow
def test_the_number_of_jobs_does_not_matter(tmp_path):
    made = [small_settings(seed=seed) for seed in range(2)]
    one, two = results_by_jobs("deep", made, tmp_path)
    assert len(one) == 2
    assert one == two


def test_a_missing_extra_is_one_clear_sentence(monkeypatch):
    monkeypatch.setattr(motsim.extras, "find_spec", lambda name: None)
    with pytest.raises(motsim.extras.MissingExtraError, match=r"pip install .*motsim\[deep\]"):
        compile_kernels()
    with pytest.raises(motsim.extras.MissingExtraError, match="jax, optax, sklearn, mlxtend"):
        run(small_settings())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"level": 200.0}, r"rotation.*\[0, 180\].*200"),
        ({"shift": "pixels", "level": 1.5}, r"fraction in \[0, 1\]; got 1.5"),
        ({"shift": "classes", "level": 1.0, "task_classes": 8}, r"needs 15 classes"),
        ({"shift": "classes", "level": 0.5, "task_classes": 3}, r"whole number.*got 0.5"),
        ({"task_classes": 3, "level": 90.0}, r"task_classes must be 10.*got 3"),
        ({"domains": (0,), "memory_size": 0}, r"domains must be two or more.*\(0,\)"),
        ({"samples_per_class": 90}, r"need 280 images of a class; digits has 174"),
        ({"samples_per_class": 0}, r"samples_per_class and test_per_class must be >= 1; got 0"),
        ({"memory_size": 1, "domains": (0, 1, 2, 3)}, r"at least one sample, got 1"),
        ({"memory_size": 70}, r"memory_size = 70 keeps 70 images of one task.*60"),
        ({"rate": -1.0}, r"greater than 0"),
        ({"data": "cifar"}, r"digits.*mnist"),
    ],
)
def test_wrong_settings_name_value_and_rule(options, message):
    with pytest.raises(ValueError, match=message):
        small_settings(**{"level": 0.0, **options})
