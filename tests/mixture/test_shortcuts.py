"""Training with the shortcuts of a stage, and without: the same losses."""

import numpy as np
import pytest

from motsim.experiments.mixture.run import (
    Settings,
    build_model,
    prepare,
    stages,
)
from motsim.mixture import training
from motsim.mixture.data import Mixture, make_signals
from motsim.mixture.engine import parts
from motsim.mixture.engine import problem as problem_module
from motsim.mixture.engine import stage as stage_module
from motsim.mixture.engine.parts import in_parts
from motsim.mixture.model import Model, Routing, initial_parameters
from motsim.mixture.points import sample
from motsim.mixture.schedule import FROZEN, Descent, Stage
from motsim.mixture.training import train
from tests.mixture.problems import SHORT, full_curve, problem

# --- experts out of use ---------------------------------------------------------------------------


def sharp_run(monkeypatch, negligible):
    """The cubic preset with a fast gate: in stage III most experts are never routed to."""
    monkeypatch.setattr(stage_module, "NEGLIGIBLE", negligible)
    settings = Settings(gate_rate=40.0, converge_steps=400, epsilon_min=1e-12)
    points, start = prepare(settings)
    return training.train(
        build_model(settings), points, stages(settings), start, epsilons=[1e-2, 1e-4, 1e-6]
    )


def test_passing_over_unrouted_experts_changes_rounding_only(monkeypatch):
    skipping, full = (sharp_run(monkeypatch, n) for n in (1e-40, 0.0))
    np.testing.assert_array_equal(skipping.hitting_steps, full.hitting_steps)
    np.testing.assert_allclose(skipping.trace_losses, full.trace_losses, rtol=1e-7)
    np.testing.assert_allclose(skipping.parameters.ffn, full.parameters.ffn, rtol=0, atol=1e-12)


def test_passing_over_routed_experts_would_show(monkeypatch):
    """Negative control: a limit that also stops experts in use."""
    greedy, full = (sharp_run(monkeypatch, n) for n in (1.1, 0.0))
    assert greedy.final_loss > 10 * full.final_loss


# --- attention weights that would take too much memory --------------------------------------------


@pytest.mark.parametrize("activation", ["cubic", "linear"])
def test_attention_that_is_not_kept_trains_the_same(monkeypatch, activation):
    model, points, start = problem(Model("mot", 4, activation))
    kept, _ = full_curve(model, points, SHORT, start)
    monkeypatch.setattr(stage_module, "MAX_KEPT", 0)
    monkeypatch.setattr(
        "motsim.mixture.kernels.refresh_moments", None
    )  # would fail if it were called
    anew, _ = full_curve(model, points, SHORT, start)
    np.testing.assert_allclose(anew, kept, rtol=1e-9)


def test_noise_tokens_off_the_axes_keep_their_attention(monkeypatch):
    """Only points of three signal tokens can do without."""
    model, points, start = problem(num_tokens=5, noise_std=0.3)
    kept, _ = full_curve(model, points, SHORT, start)
    monkeypatch.setattr(stage_module, "MAX_KEPT", 0)
    np.testing.assert_array_equal(full_curve(model, points, SHORT, start)[0], kept)


@pytest.mark.parametrize("kind", ["mot", "shared", "single"])
def test_linear_experts_that_share_attention_see_one_mixed_token(monkeypatch, kind):
    model = Model(kind, 4, "linear", 2)
    data = Mixture(4, 9, num_tokens=4, noise_std=0.2)
    points = sample(data, make_signals(data, 0), 24)  # too few for blocks of equal axes
    start = initial_parameters(model, 9, init_std=0.3, attention_scale=1.0)
    ffn = Stage("ffn", 20, Descent(0.1, "normalized_gd"), FROZEN, Descent(1.0))
    rest = Stage("rest", 20, Descent(0.05), FROZEN, Descent(1.0), Routing(scale=0.05))
    seen = []
    mixed = parts.mixed_batch

    def watched(*arguments):
        seen.append(mixed(*arguments).tokens.shape)
        return mixed(*arguments)

    monkeypatch.setattr(parts, "mixed_batch", watched)
    got, trace = full_curve(model, points, [ffn, rest], start)
    assert [shape[2] for shape in seen] == [1, 1]
    monkeypatch.setattr(problem_module, "stage_parts", lambda m, r, b, w, _: (r, in_parts(b, 1), w))
    want, other = full_curve(model, points, [ffn, rest], start)
    np.testing.assert_allclose(got, want, rtol=1e-10)
    np.testing.assert_allclose(trace.parameters.ffn, other.parameters.ffn, rtol=1e-8, atol=1e-11)
    np.testing.assert_allclose(trace.parameters.gate, other.parameters.gate, atol=1e-10)
    # Negative control: another token, mixed by other weights, trains otherwise.
    monkeypatch.undo()
    monkeypatch.setattr(parts, "mixed_batch", lambda b, w: mixed(b, 1.001 * w))
    wrong, _ = full_curve(model, points, [ffn, rest], start)
    assert np.abs(wrong / want - 1).max() > 1e-5


@pytest.mark.parametrize("activation", ["cubic", "linear"])
def test_no_mixed_token_where_attention_trains_or_experts_are_cubic(monkeypatch, activation):
    monkeypatch.setattr(parts, "mixed_batch", None)  # would fail if it were called
    data = Mixture(4, 9, num_tokens=4, noise_std=0.2)
    points = sample(data, make_signals(data, 0), 24)  # too few for blocks of equal axes
    model = Model("mot", 4, activation)
    start = initial_parameters(model, 9, init_std=0.3, attention_scale=1.0)
    attention = FROZEN if activation == "cubic" else Descent(0.1)
    train(model, points, [Stage("all", 5, Descent(0.1), attention, Descent(1.0))], start)
