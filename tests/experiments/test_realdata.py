"""Runs of the kind `realdata`: their data, tables, determinism, errors."""

import pickle
from importlib.util import find_spec

import numpy as np
import pytest
from pydantic import ValidationError

import motsim.experiments.realdata.samples
import motsim.extras
from motsim.experiments.realdata.run import MODULES, Settings, compile_kernels, run
from motsim.plans.loading import load_sweep
from motsim.plans.plan import SweepError
from motsim.realdata import write_archive
from motsim.results.store import run_key
from tests.experiments.jobs import results_by_jobs
from tests.minibatch.clusters import samples

needs_extra = pytest.mark.skipif(
    any(find_spec(module) is None for module in MODULES),
    reason="extra 'data' is not installed: pip install -e '.[data]'",
)


SMALL = {"steps": 60, "rates": (0.01, 0.03), "looks": 3, "num_experts": 3, "num_tasks": 2}


@needs_extra
@pytest.mark.parametrize("model", ["mot", "single", "moe", "shared", "one"])
def test_tables_of_a_run(model):
    found = run(Settings(model=model, **SMALL))
    assert found.status == "done"
    m, curve, tuning = found.metrics, found.tables["curve"], found.tables["tuning"]
    assert m["rate"] in SMALL["rates"]
    chosen = tuning["rate"].index(m["rate"])
    assert tuning["validation_error"][chosen] == min(tuning["validation_error"])
    at = curve["step"].index(m["best_step"])
    assert curve["validation_error"][at] == m["validation_error"] == min(curve["validation_error"])
    assert curve["test_error"][at] == m["test_error"]
    assert ("dispatch" in found.tables) == (model not in ("single", "one"))
    if "dispatch" in found.tables:
        assert sum(found.tables["dispatch"]["share"]) == pytest.approx(1.0)


@needs_extra
@pytest.mark.parametrize(
    ("options", "outputs"),
    [({"scheme": "relabeled"}, 10), ({"scheme": "classes", "num_tasks": 10}, 10)],
)
def test_multi_class_learns(options, outputs):
    found = run(Settings(**{**SMALL, "steps": 300, **options}))
    assert found.metrics["test_error"] < 0.5


def test_an_archive_runs_and_a_changed_file_is_another_run(tmp_path, monkeypatch):
    monkeypatch.setattr("motsim.experiments.realdata.run.require", lambda *_: None)
    found, path = samples(), tmp_path / "mine.npz"
    write_archive(path, found.tokens, found.targets, found.tasks)
    options = {**SMALL, "data": "npz", "path": str(path)}
    settings = Settings(**options)
    assert run(settings).status == "done"
    assert Settings(**options) == settings
    write_archive(path, 2 * found.tokens, found.targets, found.tasks)
    other = Settings(**options)
    keys = {
        run_key("realdata", s.model_dump(), "motsim.experiments.realdata.run")
        for s in (settings, other)
    }
    assert len(keys) == 2


@needs_extra
def test_texts_run(tmp_path):
    draw = np.random.default_rng(0)
    for name, words in (("a", "orbit moon rocket"), ("b", "faith prayer church")):
        (tmp_path / name).mkdir()
        for k in range(30):
            text = " ".join(draw.choice(words.split(), 20))
            (tmp_path / name / str(k)).write_text(text)
    found = run(
        Settings(
            data="text",
            path=str(tmp_path),
            scheme="pairs",
            num_tasks=1,
            num_tokens=4,
            dim=6,
            num_experts=2,
            steps=100,
            rates=(0.03,),
            looks=2,
            batch_size=16,
        )
    )
    assert found.metrics["test_error"] == 0.0


@needs_extra
def test_cifar_runs_and_uses_no_more_than_asked(tmp_path):
    draw = np.random.default_rng(0)
    for name in (*(f"data_batch_{k}" for k in range(1, 6)), "test_batch"):
        labels = draw.integers(0, 10, 30)
        pixels = draw.integers(0, 60, (30, 3072)) + 18 * labels[:, None]  # brightness tells
        content = {"data": pixels.astype(np.uint8), "labels": labels.tolist()}
        (tmp_path / name).write_bytes(pickle.dumps(content))
    found = run(
        Settings(
            data="cifar10", path=str(tmp_path), patch=16, max_samples=100,
            scheme="groups",
            num_tasks=1, dim=6, num_experts=2, steps=200, rates=(0.03,), looks=2, batch_size=16,
        )
    )  # fmt: skip
    assert found.metrics["train_samples"] == 100 - 30 - 15
    assert found.metrics["test_samples"] == 30
    assert found.metrics["test_error"] < 0.3


def test_synthetic_data_come_through_an_archive(monkeypatch):
    monkeypatch.setattr("motsim.experiments.realdata.run.require", lambda *_: None)
    seen = []
    real = motsim.experiments.realdata.samples.read_archive
    place = "motsim.experiments.realdata.samples.read_archive"
    monkeypatch.setattr(place, lambda path: seen.append(path) or real(path))
    found = run(Settings(**SMALL, data="synthetic", dim=8, synthetic_samples=200))
    assert found.status == "done"
    assert [path.suffix for path in seen] == [".npz"]
    assert not seen[0].exists()


@needs_extra
def test_the_number_of_jobs_does_not_matter(tmp_path):
    made = [Settings(**SMALL, seed=seed) for seed in range(2)]
    one, two = results_by_jobs("realdata", made, tmp_path)
    assert len(one) == 2
    assert one == two


def test_a_missing_extra_is_one_clear_sentence(monkeypatch):
    monkeypatch.setattr(motsim.extras, "find_spec", lambda name: None)
    with pytest.raises(motsim.extras.MissingExtraError, match=r"pip install .*motsim\[data\]"):
        compile_kernels()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"data": "cifar"}, "digits.*cifar10"),
        ({"data": "npz"}, "data 'npz' needs a path"),
        ({"path": "x"}, "path is for cifar10, cifar100, text, npz; data 'digits' needs none"),
        ({"patch": 3}, "patch must divide the image's 8 x 8 pixels; got 3: use 2"),
        ({"dim": 4}, "dim must be > num_tasks = 4"),
        ({"scheme": "pairs", "num_tasks": 6}, "'pairs' must be 1 to 5 with 10 classes; got 6"),
        ({"rates": ()}, r"rates must be one or more numbers > 0; got \(\)"),
        ({"rates": (0.1, -1.0)}, "rates must be one or more numbers > 0"),
        ({"test_share": 0.9}, r"validation_share \+ test_share must be < 1; got 0.15 \+ 0.9"),
        ({"specialize_share": 0.9}, r"specialize_share \+ align_share must be < 1"),
        ({"loss": "cross_entropy"}, "loss must be squared or logistic with 1 output"),
        ({"scheme": "relabeled", "loss": "squared"}, "loss must be cross_entropy with 10 output"),
        ({"routing": "expected", "routing_noise": "uniform"}, "closed form for 'gumbel'"),
        ({"data": "synthetic", "dim": 7}, r"dim must be >= 8 \(2 \* num_classes\); got 7"),
        ({"steps": 0}, "greater than or equal to 1"),
    ],
)
def test_wrong_settings_name_value_and_rule(options, message):
    with pytest.raises(ValidationError, match=message):
        Settings(**options)


@pytest.mark.parametrize("data", ["npz", "text", "cifar10"])
def test_a_wrong_file_is_refused_before_any_run(tmp_path, data):
    (tmp_path / "readme.npz").write_text("nothing")
    path = tmp_path / "readme.npz" if data == "npz" else tmp_path
    with pytest.raises(SweepError) as caught:
        load_sweep("realdata-experts").cells("quick", {"data": data, "path": str(path)})
    assert "readme.npz" in str(caught.value) or str(tmp_path) in str(caught.value)
    assert "\n" not in str(caught.value)
