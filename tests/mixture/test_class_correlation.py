"""Class signals with a common inner product: data, reductions, training, keys."""

from dataclasses import replace

import numpy as np
import pytest

from motsim.experiments.mixture.run import Settings, build_model, prepare, stages
from motsim.mixture.data import Mixture, make_signals
from motsim.mixture.engine import reduction
from motsim.mixture.engine.layout import kernel_batch
from motsim.mixture.engine.reduction import reduce_problem
from motsim.mixture.model import Model, ModelParameters, initial_parameters
from motsim.mixture.schedule import Descent, Stage
from motsim.mixture.training import train
from tests.mixture import problems
from tests.mixture.problems import (
    SCHEDULE,
    as_stages,
    assert_same_parameters,
    full_curve,
    plain_training,
)

EPS = np.finfo(float).eps
SEEDS = [0, 1, 17]
N, DIM = 3, 8
LOWEST = -1 / (N - 1)
CORRELATIONS = [0.6, -0.3, LOWEST, 0.9995]
TWO = [0.6, -1.0, 0.9995]  # of two classes: coordinates; opposite; nearly equal


def problem(model, seed, correlation, **options):
    """A population and a start."""
    options |= {"class_correlation": correlation, "distractor_amplitude": (0.5, 1.5)}
    near = {"dim": DIM, "init_std": 0.4, "attention_scale": 0.7}
    return problems.problem(model, seed, **near, **options)[1:]


def curve(model, points, start, **options):
    losses, trace = full_curve(model, points, as_stages(SCHEDULE), start, **options)
    return losses, trace.parameters


# --- signals --------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", [None, *SEEDS])
@pytest.mark.parametrize("rho", CORRELATIONS)
def test_class_signals_have_the_asked_products(rho, seed):
    signals = make_signals(Mixture(N, DIM, class_correlation=rho, similarity=0.3), seed)
    c, v, basis = signals.class_signals, signals.classification_signals, signals.class_basis()
    np.testing.assert_allclose(c @ c.T, (1 - rho) * np.eye(N) + rho, atol=1e-14)
    np.testing.assert_allclose(c @ v.T, 0.0, atol=20 * EPS)
    np.testing.assert_allclose(v @ v.T, 0.7 * np.eye(N) + 0.3, atol=1e-14)
    assert len(basis) == (N - 1 if rho == LOWEST else N)
    np.testing.assert_allclose(basis @ basis.T, np.eye(len(basis)), atol=20 * EPS)
    np.testing.assert_allclose(c @ basis.T @ basis, c, atol=20 * EPS)


@pytest.mark.parametrize("seed", [None, *SEEDS])
def test_none_is_the_same_bits_and_the_classification_signals_never_move(seed):
    plain = make_signals(Mixture(N, DIM), seed)
    bent = make_signals(Mixture(N, DIM, class_correlation=0.6), seed)
    none = make_signals(Mixture(N, DIM, class_correlation=0.0), seed)
    np.testing.assert_array_equal(none.class_signals, plain.class_signals)
    np.testing.assert_array_equal(bent.classification_signals, plain.classification_signals)
    assert plain.class_basis() is plain.class_signals
    assert np.abs(bent.class_signals - plain.class_signals).max() > 0.1


@pytest.mark.parametrize("value", [1.0, -0.51, float("nan")])
def test_values_out_of_range_are_refused(value):
    with pytest.raises(ValueError, match=r"class_correlation must be in \[-0.5, 1\)"):
        Mixture(N, DIM, class_correlation=value)
    with pytest.raises(TypeError, match="class_correlation must be a number"):
        Mixture(class_correlation="much")


def test_the_default_is_not_stored_and_other_values_are():
    assert "class_correlation" not in Settings().model_dump()
    assert Settings(class_correlation=0.3).model_dump()["class_correlation"] == 0.3


def test_an_orthogonal_start_is_orthogonal_to_correlated_class_signals():
    settings = Settings(preset="linear", class_correlation=0.7, seed=1)
    points, start = prepare(settings)
    c = points.signals.class_signals
    assert np.abs(start.ffn @ c.T).max() <= 1e-15 < 1e-3 < np.abs(start.ffn).max()
    # Negative control: the signals themselves taken for an orthonormal basis.
    wrong = initial_parameters(
        build_model(settings), 24, init_std=0.05, attention_scale=0.0, orthogonal_to=c, seed=1
    )
    assert np.abs(wrong.ffn @ c.T).max() > 1e-3


# --- reductions -----------------------------------------------------------------------------------

MODELS = [
    Model("mot", 3, "cubic", 2),
    Model("mot", 3, "linear"),
    Model("moe", 3, "cubic"),
    Model("shared", 3, "linear"),
]
KINDS = ["mot-cubic-two", "mot-linear", "moe", "shared"]


@pytest.mark.parametrize(("rho", "odd"), [(0.6, False), *((rho, True) for rho in TWO)])
@pytest.mark.parametrize(("seed", "model"), list(enumerate(MODELS)), ids=KINDS)
def test_training_is_that_of_the_full_dimensional_reference(seed, model, rho, odd):
    loss = ("squared", "logistic")[seed % 2]
    similarity = (0.0, 0.4)[seed // 2]
    points, start = problem(model, seed, rho, odd=odd, similarity=similarity)
    reduced = reduce_problem(model, points, start)
    regular = rho == 0.6
    assert reduced.odd == odd  # the mirror holds whatever the products of the class signals
    assert reduced.batch.axes.shape[1] == (3 if regular else 0)
    assert reduced.batch.metric.size == (16 if regular else 0)
    want, end = plain_training(model, points, start, SCHEDULE, loss)
    for mirror in (True, False):
        losses, ours = curve(model, points, start, loss=loss, use_mirror=mirror)
        np.testing.assert_allclose(losses, want, rtol=1e-9)
        assert_same_parameters(ours, end, rtol=1e-8, atol=1e-10)
    assert np.abs(want[-1] / want[0] - 1) > 1e-5  # it did train


@pytest.mark.parametrize("odd", [True, False], ids=["odd", "generic"])
def test_products_with_the_class_signals_need_their_metric(odd, monkeypatch):
    """Negative control: a step along the gradient itself, as if the signals were orthonormal."""
    model = Model("mot", 3, "cubic")
    points, start = problem(model, 0, 0.6, odd=odd)
    right, _ = curve(model, points, start)
    monkeypatch.setattr(reduction, "kernel_batch", lambda *a: kernel_batch(*a[:3]))
    wrong, _ = curve(model, points, start)
    assert np.abs(wrong / right - 1).max() > 1e-4


def test_odd_parameters_stay_odd():
    model = Model("mot", 3, "linear")
    points, start = problem(model, 1, 0.6, odd=True)
    _, end = curve(model, points, start)
    c, v = points.signals.class_signals, points.signals.classification_signals
    assert np.abs(end.ffn @ c.T).max() < 1e-14
    assert np.abs(end.gate @ v.T).max() < 1e-14
    assert np.abs(end.gate @ c.T).max() > 1e-3


@pytest.mark.parametrize("preset", ["cubic", "linear"])
def test_a_flow_is_the_same_in_other_coordinates(preset, monkeypatch):
    settings = Settings(
        preset=preset, num_classes=2, num_experts=4, dim=6, num_nodes=2, class_correlation=0.5,
        specialize_steps=300, align_steps=10, converge_steps=1000, dynamics="flow", seed=1,
        epsilon_min=1e-9,
    )  # fmt: skip
    points, start = prepare(settings)
    arguments = build_model(settings), points, stages(settings), start
    one = train(*arguments, epsilons=[1e-9])
    monkeypatch.setattr(reduction, "INDEPENDENT", np.inf)  # orthonormal coordinates
    other = train(*arguments, epsilons=[1e-9])
    assert one.final_loss == pytest.approx(other.final_loss, rel=1e-4)
    np.testing.assert_allclose(one.parameters.gate, other.parameters.gate, rtol=1e-4, atol=1e-4)


# --- the gate, derived in docs/theory.md §6.10 ----------------------------------------------------


@pytest.mark.parametrize("rho", [0.6, -0.3])
def test_a_step_of_the_gate_slows_differences_and_hastens_what_classes_share(rho):
    """Logits of the classes move by (1 - rho) in their differences, 1 + (N-1) rho in the mean."""
    model = Model("mot", 4, "cubic")
    moves = {}
    for correlation in (0.0, rho):
        # Products of the experts with class signals would see the correlation: they have none.
        points, start = problem(model, 0, correlation, odd=True, classes=N)
        step = [Stage("gate", 1, Descent(0.0), Descent(0.0), Descent(0.5))]
        end = train(model, points, step, start).parameters
        moves[correlation] = (end.gate - start.gate) @ points.signals.class_signals.T
    plain, bent = moves[0.0], moves[rho]
    mean, mean_bent = (m.mean(axis=1, keepdims=True) for m in (plain, bent))
    np.testing.assert_allclose(bent - mean_bent, (1 - rho) * (plain - mean), atol=1e-13)
    np.testing.assert_allclose(mean_bent, (1 + (N - 1) * rho) * mean, atol=1e-13)
    assert np.abs(mean).max() > 1e-4
    assert np.abs(bent - (1 - rho) * plain).max() > 1e-4  # control: not one factor for all


def test_parameters_are_those_of_the_full_problem_where_the_start_is_bent():
    """A start that is not odd is told, with correlated class signals too."""
    model = Model("mot", 2, "linear")
    points, start = problem(model, 0, 0.6, odd=True)
    assert reduce_problem(model, points, start).odd
    c, v = points.signals.class_signals[0], points.signals.classification_signals[0]
    for part, shift in (("ffn", c), ("gate", v), ("attention", np.outer(c, v))):
        bent = replace(start, **{part: getattr(start, part) + 1e-6 * shift})
        assert not reduce_problem(model, points, bent).odd
        assert isinstance(bent, ModelParameters)
