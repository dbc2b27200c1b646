"""Hand-written gradients against automatic differentiation."""

from dataclasses import replace
from itertools import product

import numpy as np
import pytest

from motsim.mixture.engine.layout import kernel_batch
from motsim.mixture.evaluation import loss_and_gradients
from motsim.mixture.model import Model, ModelParameters, Routing
from tests.mixture import jax_oracle
from tests.mixture.kernel_cases import as_points

RELATIVE = 1e-10
KINDS = ("mot", "single", "moe", "shared")
OPTIONS = (KINDS, ("linear", "cubic"), ("squared", "logistic"), ("expected", "sampled"))
#: One random shape an option, since JAX compiles for every shape; all seeds share it.
SHAPES = {
    option: {
        name: int(draw)
        for name, draw in zip(
            ("size", "length", "dim", "experts", "neurons", "top_k"),
            np.random.default_rng(place).integers([5, 3, 2, 1, 1, 1], [16, 7, 10, 6, 4, 6]),
            strict=True,
        )
    }
    for place, option in enumerate(product(*OPTIONS))
    if (option[0], option[3]) != ("single", "sampled")  # a single transformer routes nothing
}


def random_problem(model: Model, shape, seed: int):
    """Tokens in no special place if the seed is even, else the first three on coordinate axes."""
    rng = np.random.default_rng(seed)
    size, length, dim = (shape[name] for name in ("size", "length", "dim"))
    tokens = rng.standard_normal((size, length, dim))
    if seed % 2:
        axes = rng.integers(dim, size=(2, 3))[rng.integers(2, size=size)]
        tokens[:, :3] *= np.eye(dim)[axes]
    weights = rng.dirichlet(np.ones(size))
    labels = rng.choice([-1.0, 1.0], size)
    assert kernel_batch(tokens, labels, weights).axes.shape[1] == (3 if seed % 2 else 0)
    m = model.num_experts
    parameters = ModelParameters(
        rng.standard_normal((m, model.num_neurons, dim)) / np.sqrt(dim),
        rng.standard_normal((model.num_attentions, dim, dim)) / dim,
        rng.standard_normal((m * model.gated, dim)) / dim,
    )
    return as_points(tokens, labels, weights), parameters, 0.5 * rng.gumbel(size=(size, m))


def test_shapes_are_varied():
    for name, few in (("length", {3, 4, 5, 6}), ("experts", {1, 2, 5}), ("neurons", {1, 2, 3})):
        assert few <= {shape[name] for shape in SHAPES.values()}
    assert {min(s["top_k"], s["experts"]) for s in SHAPES.values()} >= {1, 2, 3}


def relative_error(ours, theirs):
    return np.abs(ours - theirs).max(initial=0.0) / max(np.abs(theirs).max(initial=0.0), 1e-300)


@pytest.mark.parametrize("seed", [0, 1, 2, 3])
@pytest.mark.parametrize("option", SHAPES, ids="-".join)
def test_gradients_agree_with_automatic_differentiation(option, seed):
    kind, activation, loss, routing = option
    shape = SHAPES[option]
    top_k = 1 if routing == "expected" else min(shape["top_k"], shape["experts"])
    model = Model(kind, shape["experts"], activation, shape["neurons"], top_k)
    points, parameters, noise = random_problem(model, shape, seed)
    balance = 0.3 * (seed % 2)
    scale = 1.0 if seed < 2 else 0.7
    expected, gradient = loss_and_gradients(
        model,
        parameters,
        points,
        loss=loss,
        routing=Routing(routing, scale=scale, load_balance=balance),
        routing_noise=noise if routing == "sampled" else None,
    )
    oracle = jax_oracle.loss_and_gradients(
        kind, parameters.ffn, parameters.attention, parameters.gate,
        points.tokens, points.labels, points.weights,
        activation=activation, loss=loss, routing=routing, routing_scale=scale,
        top_k=model.top_k, routing_noise=noise, load_balance=balance,
    )  # fmt: skip
    assert expected == pytest.approx(oracle["expected_loss"], rel=RELATIVE)
    for part in ("ffn", "attention", "gate"):
        ours = getattr(gradient, part)
        assert relative_error(ours, oracle[part]) < RELATIVE, part


def test_the_comparison_can_fail():
    """Negative control: a gradient of the other activation is far outside the tolerance."""
    shape = SHAPES["mot", "cubic", "squared", "expected"]
    model = Model("mot", shape["experts"], "cubic", shape["neurons"])
    points, parameters, _ = random_problem(model, shape, 0)
    _, gradient = loss_and_gradients(replace(model, activation="linear"), parameters, points)
    oracle = jax_oracle.loss_and_gradients(
        "mot", parameters.ffn, parameters.attention, parameters.gate,
        points.tokens, points.labels, points.weights,
        activation="cubic", loss="squared", routing="expected",
    )  # fmt: skip
    assert relative_error(gradient.ffn, oracle["ffn"]) > 1e-3
