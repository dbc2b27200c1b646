"""A step over the points in parts is the step over all of them."""

import numpy as np
import pytest

from motsim.mixture.engine import parts as parts_module
from motsim.mixture.engine.layout import kernel_batch
from motsim.mixture.engine.parts import POINTS, count_parts, in_parts, padded
from motsim.mixture.kernels import WIDTH
from motsim.mixture.model import Model, Routing
from motsim.mixture.schedule import FROZEN, Descent, Stage
from motsim.mixture.training import train
from tests.mixture import problems
from tests.mixture.problems import NOISE

SHORT = [
    Stage("specialize", 15, Descent(0.02, "normalized_gd"), FROZEN, Descent(1.0)),
    Stage("align", 10, FROZEN, Descent(0.1), Descent(1.0)),
    Stage("converge", 30, Descent(0.05), FROZEN, Descent(1.0), Routing(scale=0.05)),
]


def problem(model, mixture):
    return problems.problem(model, classes=3, dim=8, **mixture)[1:]


def watch(monkeypatch):
    """The numbers of parts of every stage from now on."""
    seen, divide = [], parts_module.in_parts
    monkeypatch.setattr(
        parts_module,
        "in_parts",
        lambda batch, count: seen.append(count) or divide(batch, count),
    )
    return seen


@pytest.mark.parametrize("bytes_of_a_part", [1, 2500, 4000])
@pytest.mark.parametrize(
    "mixture", [{}, {"similarity": 0.4}, NOISE], ids=["clean", "similar", "noise"]
)
@pytest.mark.parametrize(
    "model",
    [
        Model("mot", 4, "cubic", 2),
        Model("mot", 4, "linear"),
        Model("shared", 3, "cubic"),
        Model("moe", 4),
    ],
    ids=["cubic", "linear", "shared", "moe"],
)
def test_training_in_parts_is_training(monkeypatch, model, mixture, bytes_of_a_part):
    points, start = problem(model, mixture)
    seen = watch(monkeypatch)
    want = train(model, points, SHORT, start, trace_points=10**6)
    assert seen == [1, 1, 1]
    monkeypatch.setattr(parts_module, "BY_EXPERT", bytes_of_a_part)
    got = train(model, points, SHORT, start, trace_points=10**6)
    trained = model.num_attentions > 0
    assert seen[3] == seen[5] > 1
    assert (seen[4] == 1) == trained  # attention that is trained takes all points at once
    np.testing.assert_allclose(got.trace_losses, want.trace_losses, rtol=1e-11)
    for name in ("ffn", "attention", "gate"):
        one, other = getattr(got.parameters, name), getattr(want.parameters, name)
        if mixture is NOISE:  # products of matrices over parts round otherwise
            np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-11)
        else:
            np.testing.assert_array_equal(one, other)
    # Negative control: without the first part it is another training (the last may be padding).
    divide = parts_module.in_parts

    def shortened(batch, count):
        parts = divide(batch, count)
        begin = 1 if count > 1 else 0
        return parts._replace(**{name: getattr(parts, name)[begin:] for name in POINTS})

    monkeypatch.setattr(parts_module, "in_parts", shortened)
    wrong = train(model, points, SHORT, start, trace_points=10**6)
    assert np.abs(wrong.trace_losses / want.trace_losses - 1).max() > 1e-6


@pytest.mark.parametrize("routing", [Routing("sampled"), Routing(load_balance=0.1)], ids=str)
def test_routing_that_needs_all_points_takes_them_at_once(monkeypatch, routing):
    model = Model("mot", 3, "cubic")
    points, start = problem(model, {})
    monkeypatch.setattr(parts_module, "BY_EXPERT", 4000)
    seen = watch(monkeypatch)
    train(model, points, [Stage("all", 3, Descent(0.1), FROZEN, Descent(1.0), routing)], start)
    assert seen == [1]
    train(model, points, [Stage("all", 3, Descent(0.1), FROZEN, Descent(1.0))], start)
    assert seen[1] > 1


@pytest.mark.parametrize("count", [1, 2, 3, 7])
def test_padding_adds_nothing_but_blocks_of_weight_zero(count):
    points, _ = problem(Model("mot", 3), NOISE)
    batch = kernel_batch(points.tokens, points.labels, points.weights)
    full = padded(batch, count)
    blocks, more = len(batch.axes), len(full.axes) - len(batch.axes)
    assert len(full.axes) % count == 0
    assert count == 1 or len(full.axes) // count % 16
    for name in POINTS:
        array, old = getattr(full, name), getattr(batch, name)
        axis = 1 if name == "token_sums" else 0
        np.testing.assert_array_equal(np.take(array, np.arange(old.shape[axis]), axis), old)
        assert array.shape[axis] * blocks == old.shape[axis] * (blocks + more)
    assert (full.point_weights[blocks * WIDTH :] == 0.0).all()
    parts = in_parts(full, count)
    np.testing.assert_array_equal(parts.labels.ravel(), full.labels)
    np.testing.assert_array_equal(np.concatenate(list(parts.tokens)), full.tokens)


def test_parts_fit_the_cache():
    points, _ = problem(Model("mot", 3), NOISE)
    batch = kernel_batch(points.tokens, points.labels, points.weights)
    assert count_parts(Model("mot", 3), batch) == 1
    per_block = 5 * 8 * WIDTH * 5000
    parts = count_parts(Model("mot", 5000), batch)
    blocks = len(batch.axes)
    assert -(-blocks // parts) * per_block <= parts_module.BY_EXPERT + per_block
    assert parts > 1
