"""Routed mini-batch gradients against loops, against automatic differentiation, and by hand."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import softmax as softmax_of

from motsim.minibatch import Network, Update, gradients
from motsim.minibatch.gradients import evaluate
from motsim.minibatch.kernels import softmax
from motsim.minibatch.updates import Updater
from motsim.mixture.model import Model, ModelParameters, Routing
from motsim.realdata.tasks import Samples
from tests.mixture import jax_oracle

DIM, LENGTH, BATCH = 5, 4, 7


def problem(kind="mot", experts=3, neurons=2, outputs=1, activation="cubic", value="probability"):
    draw = np.random.default_rng(0)
    network = Network(Model(kind, experts, activation, neurons), outputs, value)
    model = network.model
    parameters = ModelParameters(
        0.5 * draw.normal(size=(experts, neurons * outputs, DIM)),
        draw.normal(size=(model.num_attentions, DIM, DIM)),
        draw.normal(size=(experts * model.gated, DIM)),
    )
    inputs = draw.normal(size=(BATCH, LENGTH, DIM))
    targets = draw.choice([-1, 1], BATCH) if outputs == 1 else draw.integers(outputs, size=BATCH)
    noise = draw.gumbel(size=(BATCH, experts))
    return network, parameters, inputs, targets, noise


def as_samples(network, inputs, targets):
    place = np.arange(len(targets))
    dim = inputs.shape[2]
    return Samples(inputs, place, place % 2, targets, np.zeros((0, dim)), network.num_outputs)


def slopes(network, parameters, inputs, targets, **options):
    samples = as_samples(network, inputs, targets)
    return gradients(network, parameters, samples, np.arange(len(targets)), **options)


def oracle(arrays, network, inputs, targets, loss, routing, noise):
    """Mean loss in JAX, by the formulas; every expert runs on every sample."""
    model = network.model
    ffn, attention, gate = arrays
    ffn = ffn.reshape(model.num_experts, network.num_outputs, model.num_neurons, DIM)
    kind = "mot" if model.kind == "single" else model.kind
    outputs = jnp.stack(
        [
            jax_oracle.expert_outputs(kind, model.activation, ffn[:, c], attention, inputs)
            for c in range(network.num_outputs)
        ],
        axis=2,
    )  # (P, M, C)
    if not model.gated:
        return pointwise(outputs.sum(axis=1), targets, loss).mean()
    logits = inputs.sum(axis=1) @ gate.T
    value = jax.nn.softmax(logits) if network.gate_value == "probability" else logits + noise
    losses = jnp.stack(
        [
            pointwise(value[:, i, None] * outputs[:, i], targets, loss)
            for i in range(model.num_experts)
        ],
        axis=1,
    )
    fixed = jax.lax.stop_gradient(logits)
    if routing.mode == "expected":
        shares = jax.nn.softmax(fixed / routing.scale)
    else:
        shares = jax.nn.one_hot((fixed + noise).argmax(axis=1), model.num_experts)
    return (shares * losses).sum(axis=1).mean()


def pointwise(outputs, targets, loss):
    if loss == "cross_entropy":
        return -jax.nn.log_softmax(outputs)[jnp.arange(BATCH), targets]
    return jax_oracle.pointwise_loss(loss, targets, outputs[:, 0])


def loops(network, parameters, inputs, targets, noise):
    """Mean logistic loss of sampled routing, written only to be obvious."""
    total = 0.0
    for x, y, r in zip(inputs, targets, noise, strict=True):
        h = parameters.gate @ sum(x)
        m = np.argmax(h + r)
        output = 0.0
        for query in x:
            scores = np.array([key @ parameters.attention[m] @ query for key in x])
            attention = np.exp(scores) / np.exp(scores).sum()
            z = sum(weight * key for weight, key in zip(attention, x, strict=True))
            output += sum((w @ z) ** 3 for w in parameters.ffn[m])
        probability = np.exp(h[m]) / np.exp(h).sum()
        total += np.log1p(np.exp(-y * probability * output))
    return total / len(targets)


CASES = [
    {},
    {"activation": "linear"},
    {"kind": "single"},
    {"kind": "moe"},
    {"kind": "shared"},
    {"outputs": 4},
    {"outputs": 4, "kind": "single", "activation": "linear"},
    {"outputs": 3, "kind": "moe", "activation": "linear"},
    {"value": "logit"},
    {"experts": 1},
]


@pytest.mark.parametrize("mode", ["sampled", "expected"])
@pytest.mark.parametrize("case", CASES, ids=str)
def test_gradients_agree_with_automatic_differentiation(case, mode):
    network, parameters, inputs, targets, noise = problem(**case)
    if network.gate_value == "logit" and mode == "expected":
        noise = np.zeros_like(noise)  # the expectation is over routing, not over the value
    for loss in ("cross_entropy",) if network.num_outputs > 1 else ("logistic", "squared"):
        routing = Routing(mode, "gumbel", 0.7)
        found, slope = slopes(
            network, parameters, inputs, targets, loss=loss, routing=routing, noise=noise
        )
        expected = jax.value_and_grad(oracle)(
            (parameters.ffn, parameters.attention, parameters.gate), network, inputs, targets,
            loss, routing, noise,
        )  # fmt: skip
        assert found == pytest.approx(float(expected[0]), rel=1e-12)
        for mine, other in zip(vars(slope).values(), map(np.asarray, expected[1]), strict=True):
            np.testing.assert_allclose(mine, other, atol=1e-11, rtol=1e-9)
            assert mine.any() == other.any()


def test_the_loss_agrees_with_loops():
    network, parameters, inputs, targets, noise = problem()
    found, _ = slopes(
        network, parameters, inputs, targets, loss="logistic", routing=Routing("sampled"),
        noise=noise,
    )  # fmt: skip
    assert found == pytest.approx(loops(network, parameters, inputs, targets, noise), rel=1e-12)


@pytest.mark.parametrize("name", ["with_ffn", "with_attention"])
def test_what_is_not_asked_for_is_zero_and_the_rest_unchanged(name):
    network, parameters, inputs, targets, noise = problem()
    options = {"loss": "logistic", "routing": Routing("sampled"), "noise": noise}
    _, whole = slopes(network, parameters, inputs, targets, **options)
    _, part = slopes(network, parameters, inputs, targets, **options, **{name: False})
    field = name.removeprefix("with_")
    assert not getattr(part, field).any()
    for other in {"ffn", "attention", "gate"} - {field}:
        np.testing.assert_array_equal(getattr(part, other), getattr(whole, other))


@pytest.mark.parametrize("value", ["probability", "logit"])
@pytest.mark.parametrize("mode", ["sampled", "expected"])
def test_load_balance_is_its_formula(mode, value):
    """kappa M sum_i load_i mean(pi_i), with the load held constant."""
    network, parameters, inputs, targets, noise = problem(value=value)
    (with_it, slope), (without, plain) = (
        slopes(
            network, parameters, inputs, targets, loss="logistic", noise=noise,
            routing=Routing(mode, "gumbel", 0.7, load_balance=balance),
        )
        for balance in (0.3, 0.0)
    )  # fmt: skip
    pooled = inputs.sum(axis=1)
    logits = pooled @ parameters.gate.T
    chances = softmax_of(logits, axis=1)
    shares = softmax_of(logits / 0.7, axis=1)
    if mode == "sampled":
        shares = np.eye(3)[(logits + noise).argmax(axis=1)]
    load = shares.mean(axis=0)
    assert with_it - without == pytest.approx(0.3 * 3 * load @ chances.mean(axis=0), rel=1e-10)
    by_logit = 0.3 * 3 / len(inputs) * chances * (load - (chances @ load)[:, None])
    np.testing.assert_allclose(slope.gate - plain.gate, by_logit.T @ pooled, atol=1e-12)


def test_load_balance_by_differences():
    network, parameters, inputs, targets, noise = problem()
    routing = Routing("sampled", "gumbel", 1.0, load_balance=0.3)
    options = {"loss": "logistic", "routing": routing, "noise": noise}
    _, slope = slopes(network, parameters, inputs, targets, **options)
    for place in ((0, 0), (2, 3)):
        ends = []
        for side in (1e-6, -1e-6):
            gate = parameters.gate.copy()
            gate[place] += side
            moved = ModelParameters(parameters.ffn, parameters.attention, gate)
            ends.append(slopes(network, moved, inputs, targets, **options)[0])
        assert slope.gate[place] == pytest.approx((ends[0] - ends[1]) / 2e-6, rel=1e-6)


def test_only_routed_experts_move():
    network, parameters, inputs, targets, _ = problem()
    noise = np.zeros((BATCH, 3))
    noise[:, 1] = 1e6
    _, slope = slopes(
        network, parameters, inputs, targets, loss="logistic", routing=Routing("sampled"),
        noise=noise,
    )  # fmt: skip
    assert [bool(part.any()) for part in slope.ffn] == [False, True, False]
    assert [bool(part.any()) for part in slope.attention] == [False, True, False]


def test_by_hand():
    """One expert, two tokens e1 and 2 e2, uniform attention, w = e1 + e2: z = (1/2, 1) twice."""
    network = Network(Model("mot", 1, "linear", 1))
    parameters = ModelParameters(
        np.array([[[1.0, 1.0]]]), np.zeros((1, 2, 2)), np.zeros((1, 2))
    )  # fmt: skip
    inputs = np.array([[[1.0, 0.0], [0.0, 2.0]]])
    loss, slope = slopes(
        network, parameters, inputs, np.array([1]), loss="squared", routing=Routing("sampled")
    )
    assert loss == pytest.approx(0.5 * (3.0 - 1.0) ** 2)
    np.testing.assert_allclose(slope.ffn, [[[2.0, 4.0]]])
    assert not slope.gate.any()  # one expert: its probability is 1


def test_softmax_of_rows():
    draw = np.random.default_rng(1)
    scores = draw.normal(size=(6, 9)) * 30
    scores[0] = 700.0  # no overflow
    expected = np.exp(scores - scores.max(axis=1, keepdims=True))
    expected /= expected.sum(axis=1, keepdims=True)
    weights = scores.copy()
    softmax(weights)
    np.testing.assert_allclose(weights, expected, rtol=1e-13, atol=1e-300)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_evaluation_is_the_loss_without_noise(case):
    network, parameters, inputs, targets, _ = problem(**case)
    loss = "cross_entropy" if network.num_outputs > 1 else "logistic"
    samples = as_samples(network, inputs, targets)
    scores = evaluate(network, parameters, samples, loss=loss)
    found, _ = slopes(network, parameters, inputs, targets, loss=loss, routing=Routing("sampled"))
    assert scores.loss == pytest.approx(found, rel=1e-12)
    if network.model.gated:
        routed = (inputs.sum(axis=1) @ parameters.gate.T).argmax(axis=1)
        np.testing.assert_array_equal(scores.routed, routed)


def test_not_a_number_is_an_error():
    network, parameters, inputs, _, _ = problem()
    broken = ModelParameters(parameters.ffn * np.nan, parameters.attention, parameters.gate)
    samples = as_samples(network, inputs, np.ones(BATCH, int))
    assert evaluate(network, broken, samples, loss="logistic").error == 1.0


# --- updates --------------------------------------------------------------------------------------


def test_adam_is_that_of_optax():
    optax = pytest.importorskip("optax")
    draw = np.random.default_rng(0)
    value = draw.normal(size=(2, 3))
    mover, rule = Updater(Update(0.1, "adam"), value), optax.adam(0.1)
    other = jnp.asarray(value.copy())
    state = rule.init(other)
    for _ in range(5):
        slope = draw.normal(size=(2, 3))
        mover.step(slope)
        moves, state = rule.update(jnp.asarray(slope), state)
        other = optax.apply_updates(other, moves)
    np.testing.assert_allclose(value, np.asarray(other), rtol=1e-12)


def test_plain_and_normalized_steps():
    slope = np.array([[3.0, 4.0], [0.0, 0.0]])
    for optimizer, moved in (
        ("gd", [[-0.3, -0.4], [0, 0]]),
        ("normalized_gd", [[-0.06, -0.08], [0, 0]]),
    ):
        value = np.zeros((2, 2))
        Updater(Update(0.1, optimizer), value).step(slope)
        np.testing.assert_allclose(value, moved)
    value = np.ones((2, 2))
    Updater(Update(0.0, "adam"), value).step(slope)
    np.testing.assert_array_equal(value, 1.0)
    with pytest.raises(ValueError, match="optimizer must be one of gd, normalized_gd, adam"):
        Update(0.1, "sgd")
    with pytest.raises(ValueError, match="rate must be finite and >= 0; got -1"):
        Update(-1)
