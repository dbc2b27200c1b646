"""Routed experts against plain sums over all indices, at sizes that take every loop."""

import numpy as np
import pytest

from motsim.minibatch.gradients import evaluate, gradients
from motsim.minibatch.network import Network
from motsim.mixture.model import Model, ModelParameters, Routing
from motsim.realdata.tasks import Samples
from tests.minibatch.expert_passes import run_experts

EXPERTS = 3
#: Tokens, dimensions, neurons an output, outputs, batch: lanes of eight with and without a rest,
#: several blocks an expert, and sequences long enough for BLAS.
SIZES = [(5, 24, 4, 1, 64), (5, 11, 3, 4, 90), (4, 17, 9, 1, 400), (18, 10, 2, 5, 50)]


def problem(kind, activation, size, told=True):
    length, dim, neurons, outputs, batch = size
    draw = np.random.default_rng(3)
    network = Network(Model(kind, EXPERTS, activation, neurons), outputs)
    parameters = ModelParameters(
        0.3 * draw.normal(size=(EXPERTS, neurons * outputs, dim)),
        0.3 * draw.normal(size=(network.model.num_attentions, dim, dim)),
        0.1 * draw.normal(size=(EXPERTS * network.model.gated, dim)),
    )
    count = batch // 2  # sequences, each in two tasks
    tokens = draw.normal(size=(count, length, dim))
    task_tokens = draw.normal(size=(2 * told, dim))
    if told:
        tokens[:, -1] = 0.0
    rows, tasks = np.tile(np.arange(count), 2), np.repeat([0, 1], count)
    targets = draw.choice([-1, 1], batch) if outputs == 1 else draw.integers(outputs, size=batch)
    samples = Samples(tokens, rows, tasks, targets, task_tokens, outputs)
    return network, parameters, samples, draw


def plain(network, parameters, inputs, experts, by_output):
    """Outputs (P, C) and the gradients by FFN and attention, pair by pair."""
    cubic = network.model.activation == "cubic"
    ffn, attention = (np.zeros_like(a) for a in (parameters.ffn, parameters.attention))
    outputs = np.zeros(by_output.shape)
    for p, (x, i) in enumerate(zip(inputs, experts, strict=True)):
        a = i if len(attention) > 1 else 0
        weights = np.eye(len(x))
        if len(attention):
            weights = np.exp(np.einsum("ka,ab,qb->qk", x, parameters.attention[a], x))
            weights /= weights.sum(axis=1, keepdims=True)
        u = np.einsum("qk,kd,jd->qj", weights, x, parameters.ffn[i])
        values = u**3 if cubic else u
        outputs[p] = values.sum(axis=0).reshape(network.num_outputs, -1).sum(axis=1)
        slope = np.repeat(by_output[p], network.model.num_neurons) * (3 * u**2 if cubic else 1.0)
        slope = np.broadcast_to(slope, u.shape)
        ffn[i] += np.einsum("qj,qk,kd->jd", slope, weights, x)
        if len(attention):
            by_weight = np.einsum("qj,jd,kd->qk", slope, parameters.ffn[i], x)
            mean = (weights * by_weight).sum(axis=1, keepdims=True)
            attention[a] += np.einsum("qk,ka,qb->ab", weights * (by_weight - mean), x, x)
    return outputs, ffn, attention


def close(found, expected):
    scale = np.abs(expected).max() if expected.size else 1.0
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12 * scale)


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("activation", ["cubic", "linear"])
@pytest.mark.parametrize("kind", ["mot", "single", "moe", "shared"])
@pytest.mark.parametrize("mode", ["routed", "all"])
def test_passes_are_the_plain_sums(kind, activation, size, mode):
    network, parameters, samples, draw = problem(kind, activation, size, told=mode == "all")
    batch = len(samples)
    if mode == "routed":  # the second expert has none
        counts = np.array([batch - batch // 5, 0, batch // 5])
        chosen = draw.permutation(batch)
    else:
        counts, chosen = np.full(EXPERTS, batch), np.tile(draw.permutation(batch), EXPERTS)
    by_output = draw.normal(size=(len(chosen), network.num_outputs))
    outputs, done = run_experts(network, parameters, samples, chosen, counts)
    into = ModelParameters(*(np.zeros_like(a) for a in vars(parameters).values()))
    done.add_gradients(network, parameters, by_output, into)
    experts = np.repeat(np.arange(EXPERTS), counts)
    expected = plain(network, parameters, samples.inputs(chosen), experts, by_output)
    for found, other in zip((outputs, into.ffn, into.attention), expected, strict=True):
        close(found, other)


@pytest.mark.parametrize("size", SIZES[:2], ids=str)
@pytest.mark.parametrize("mode", ["sampled", "expected"])
@pytest.mark.parametrize("kind", ["mot", "single", "moe", "shared"])
def test_gradients_of_the_model_are_its_differences(kind, mode, size):
    network, parameters, samples, draw = problem(kind, "cubic", size)
    loss = "logistic" if network.num_outputs == 1 else "cross_entropy"
    chosen = draw.permutation(len(samples))
    options = {"loss": loss, "routing": Routing(mode)}
    _, slope = gradients(network, parameters, samples, chosen, **options)
    for name in ("ffn", "attention"):
        value = getattr(parameters, name)
        if not value.size:
            continue
        direction, ends = draw.normal(size=value.shape), []
        for side in (1e-6, -1e-6):
            moved = ModelParameters(**{**vars(parameters), name: value + side * direction})
            ends.append(gradients(network, moved, samples, chosen, **options)[0])
        along = (getattr(slope, name) * direction).sum()
        assert along == pytest.approx((ends[0] - ends[1]) / 2e-6, rel=1e-6, abs=1e-9)


@pytest.mark.parametrize("kind", ["mot", "single", "moe"])
def test_an_evaluation_in_blocks_is_that_of_single_samples(kind):
    network, parameters, samples, _ = problem(kind, "cubic", (4, 9, 2, 1, 1200))
    whole = evaluate(network, parameters, samples, loss="logistic")
    for k in (0, 511, 512, 1199):
        one = evaluate(network, parameters, samples.select(np.array([k])), loss="logistic")
        assert one.wrong[0] == whole.wrong[k]
        assert one.routed[0] == whole.routed[k]
    halves = [
        evaluate(network, parameters, samples.select(part), loss="logistic").loss
        for part in np.split(np.arange(1200), 2)
    ]
    assert whole.loss == pytest.approx(np.mean(halves), rel=1e-12)
