"""Starts and presets: that they specialize, converge, and hold on points not trained on."""

import numpy as np
import pytest

from motsim.experiments.mixture.run import (
    Settings,
    fresh_points,
    prepare,
    run,
)
from motsim.mixture.data import Mixture, make_signals
from motsim.mixture.model import Model, ModelParameters, initial_parameters
from tests.mixture.problems import SEEDS

# --- start ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("kind", ["mot", "single", "moe", "shared"])
def test_start(kind, seed):
    model = Model(kind, 6, "cubic", 5)
    c = make_signals(Mixture(4, 40), seed).class_signals
    options = {"init_std": 0.2, "attention_scale": 3.0, "seed": seed}
    p = initial_parameters(model, 40, **options)
    assert isinstance(p, ModelParameters)
    count = {"mot": 6, "single": 6, "moe": 0, "shared": 1}[kind]
    np.testing.assert_array_equal(p.attention, np.tile(3.0 * np.eye(40), (count, 1, 1)))
    np.testing.assert_array_equal(p.gate, np.zeros((0 if kind == "single" else 6, 40)))
    assert p.ffn.shape == (6, 5, 40)
    assert abs((p.ffn**2).mean() / 0.04 - 1) < 4 * np.sqrt(2 / p.ffn.size)
    odd = initial_parameters(model, 40, orthogonal_to=c, **options)
    assert np.abs(odd.ffn @ c.T).max() < 1e-15
    np.testing.assert_allclose(odd.ffn, p.ffn - (p.ffn @ c.T) @ c, atol=1e-15)


# --- presets --------------------------------------------------------------------------------------


def preset_run(seed, **changes):
    result = run(Settings(seed=seed, epsilon_min=1e-9, **changes))
    hits = result.tables["hits"]
    epsilons, steps = np.array(hits["epsilon"]), np.array(hits["stage_step"])
    return result, epsilons, steps


@pytest.mark.parametrize("seed", range(5))
def test_cubic_preset_specializes_and_converges_at_a_fixed_rate(seed):
    result, epsilons, steps = preset_run(seed)
    assert result.status == "reached"
    assert result.metrics["dispatch_entropy"] < 1e-12
    assert result.metrics["routing_accuracy"] == pytest.approx(1.0, abs=1e-12)
    assert result.metrics["covered_classes"] == 4
    use = (epsilons < 1e-4) & (epsilons > 0.9e-9)
    slope, _ = np.polyfit(-np.log10(epsilons[use]), steps[use], 1)
    assert slope == pytest.approx(53, abs=3)


@pytest.mark.parametrize("change", [{"gate_rate": 0.0}, {"shuffle_labels": True}], ids=str)
@pytest.mark.parametrize("seed", range(5))
def test_without_gate_or_labels_it_does_not_specialize(seed, change):
    """Negative control of the test above."""
    result, _, steps = preset_run(seed, converge_steps=500, **change)
    assert result.status == "max_steps"
    assert result.metrics["dispatch_entropy"] > 0.5
    assert result.metrics["routing_accuracy"] < 0.6
    assert (steps == -1).all()


@pytest.mark.parametrize("seed", range(3))
def test_linear_preset_specializes_from_its_odd_start_only(seed):
    options = {"preset": "linear", "num_experts": 32}
    good = run(Settings(seed=seed, **options))
    assert good.status == "reached"
    assert good.metrics["dispatch_entropy"] < 1e-12
    assert good.metrics["routing_accuracy"] == pytest.approx(1.0, abs=1e-12)
    generic = run(Settings(seed=seed, orthogonal_start=False, **options))
    assert generic.metrics["dispatch_entropy"] > 0.3


@pytest.mark.parametrize("seed", range(3))
def test_a_diverging_run_has_a_result(seed):
    result = run(Settings(preset="single", num_experts=2, converge_rate=1e9, seed=seed))
    assert result.status == "diverged"
    assert not np.isfinite(result.metrics["final_loss"])
    assert result.tables["curve"]["step"][-1] == result.metrics["num_steps"]


# --- evaluation on unseen points ------------------------------------------------------------------


@pytest.mark.parametrize("seed", SEEDS)
def test_fresh_points_share_signals_but_no_noise_with_training(seed):
    settings = Settings(num_tokens=5, noise_std=0.5, noise_replicates=2, seed=seed)
    (seen, _), fresh = prepare(settings), fresh_points(settings)
    np.testing.assert_array_equal(fresh.tokens[:, :3], seen.tokens[:, :3])
    assert np.intersect1d(fresh.tokens[:, 3:], seen.tokens[:, 3:]).size == 0
    assert fresh.tokens[:, 3:].std() == pytest.approx(seen.tokens[:, 3:].std(), rel=0.1)


def test_fresh_points_of_a_sample_are_the_population_and_of_a_population_none():
    exact = fresh_points(Settings(sample_size=40))
    np.testing.assert_array_equal(exact.tokens, prepare(Settings())[0].tokens)
    assert fresh_points(Settings()) is None


def test_the_fresh_loss_of_a_small_sample_is_the_larger_one():
    short = {"specialize_steps": 400, "align_steps": 0, "converge_steps": 400}
    metrics = run(Settings(sample_size=24, num_experts=4, **short)).metrics
    assert metrics["fresh_loss"] > 1.2 * metrics["final_loss"]
    assert "fresh_loss" not in run(Settings(num_experts=4, **short)).metrics
