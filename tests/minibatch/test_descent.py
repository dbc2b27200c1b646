"""Stretches of compiled steps against steps taken one by one; products in tiles against NumPy."""

import numba
import numpy as np
import pytest

import motsim.minibatch.stretches
from motsim.minibatch import FROZEN, Network, Phase, Update, fit, gradients
from motsim.minibatch.network import start_parameters
from motsim.minibatch.tiles import Sizes, multiply, padded, rows_of, transpose_of
from motsim.minibatch.updates import Updater
from motsim.mixture.engine.layout import aligned_zeros
from motsim.mixture.model import Model, ModelParameters, Routing
from motsim.randomness import generator
from motsim.realdata.tasks import Samples
from motsim.vectors.addresses import pointer

DIM, LENGTH, COUNT, BATCH, SEED = 11, 4, 50, 16, 3
ADAM, PLAIN, NORMALIZED = Update(0.01, "adam"), Update(0.05), Update(0.02, "normalized_gd")
FIRST = Phase("first", 7, ADAM, PLAIN, ADAM)
PHASES = [
    FIRST,
    Phase("second", 6, NORMALIZED, FROZEN, PLAIN),
    Phase("third", 5, FROZEN, ADAM, ADAM),
]
CASES = [
    ("mot", "cubic", 1, "probability", Routing("sampled", "gumbel", 0.5, 0.2), "logistic"),
    ("mot", "linear", 3, "probability", Routing("expected", "gumbel", 0.5), "cross_entropy"),
    ("shared", "cubic", 1, "logit", Routing("sampled", "uniform", 0.5), "squared"),
    ("moe", "linear", 1, "logit", Routing("expected", "gumbel", 0.5, 0.2), "squared"),
    ("moe", "cubic", 3, "probability", Routing("sampled"), "cross_entropy"),
    ("single", "cubic", 1, "probability", Routing("sampled"), "logistic"),
    ("single", "linear", 3, "probability", Routing("sampled"), "cross_entropy"),
]


def problem(kind, activation, outputs, value):
    draw = np.random.default_rng(0)
    network = Network(Model(kind, 3, activation, 2), outputs, value)
    start = start_parameters(network, DIM, init_std=0.2, attention_scale=0.3, seed=0)
    tokens = 0.5 * draw.normal(size=(COUNT, LENGTH, DIM))
    rows, tasks = np.tile(np.arange(COUNT), 2), np.repeat([0, 1], COUNT)
    targets = (
        draw.choice([-1, 1], 2 * COUNT) if outputs == 1 else draw.integers(outputs, size=2 * COUNT)
    )
    samples = Samples(tokens, rows, tasks, targets, draw.normal(size=(2, DIM)), outputs)
    return network, start, samples


def one_by_one(network, start, samples, routing, loss):
    """Parameters after each step, with batches and noise drawn step by step."""
    names = ("ffn", "attention", "gate")
    value = ModelParameters(*(getattr(start, name).copy() for name in names))
    order, draw, queue = generator(SEED, "sampling"), generator(SEED, "routing"), np.zeros(0, int)
    found = []
    for phase in PHASES:
        movers = [Updater(getattr(phase, name), getattr(value, name)) for name in names]
        for _ in range(phase.steps):
            if len(queue) < BATCH:
                queue = np.concatenate([queue, order.permutation(len(samples))])
            chosen, queue = queue[:BATCH], queue[BATCH:]
            noise = None
            if network.model.gated and routing.mode == "sampled":
                noise = routing.draw(draw, (BATCH, network.model.num_experts))
            _, slope = gradients(
                network, value, samples, chosen, loss=loss, routing=routing, noise=noise
            )
            for mover, name in zip(movers, names, strict=True):
                mover.step(getattr(slope, name))
            found.append(ModelParameters(*(getattr(value, name).copy() for name in names)))
    return found


def by_fit(network, start, samples, routing, loss, looks):
    return fit(
        network, samples, samples, PHASES, start, loss=loss, routing=routing, batch_size=BATCH,
        looks=looks, seed=SEED,
    )  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=lambda case: "-".join(map(str, case[:4])))
def test_stretches_are_the_steps_one_by_one(case):
    *kind, routing, loss = case
    network, start, samples = problem(*kind)
    plain = one_by_one(network, start, samples, routing, loss)
    done = by_fit(network, start, samples, routing, loss, [1, 5, 10])
    assert done.steps.tolist() == [0, 1, 5, 10, 18]
    for step, found in zip(done.steps[1:], done.snapshots[1:], strict=True):
        for name, value in vars(plain[step - 1]).items():
            np.testing.assert_allclose(
                getattr(found, name), value, rtol=0, atol=1e-12, err_msg=f"{name}, step {step}"
            )
    for name, value in vars(start).items():  # the comparison is of something
        if value.size:
            assert np.abs(getattr(done.snapshots[-1], name) - value).max() > 1e-3


@pytest.mark.parametrize("case", [CASES[0], CASES[5]], ids=["gated", "heads"])
def test_numbers_are_drawn_in_the_same_order_whatever_the_room(case, monkeypatch):
    *kind, routing, loss = case
    given = problem(*kind)
    whole = by_fit(*given, routing, loss, [])
    monkeypatch.setattr(motsim.minibatch.stretches, "DRAWN", 2 * BATCH * 3)  # two steps at a time
    taken = []
    real = motsim.minibatch.stretches.descend
    monkeypatch.setattr(
        motsim.minibatch.stretches,
        "descend",
        lambda *a: taken.append(len(a[1].i_samples)) or real(*a),
    )
    parts = by_fit(*given, routing, loss, [])
    assert sum(taken) == 18
    assert max(taken) < 7
    for name, value in vars(whole.snapshots[-1]).items():
        np.testing.assert_array_equal(getattr(parts.snapshots[-1], name), value)


@numba.njit(error_model="numpy")
def product(a, transposed, b, out, add):
    sizes = Sizes(out.shape[0], b.shape[0], out.shape[1])
    left = rows_of(pointer(a), a.shape[1])
    if transposed:
        left = transpose_of(pointer(a), a.shape[1])
    multiply(left, pointer(b), pointer(out), sizes, add)


@pytest.mark.parametrize("add", [False, True])
@pytest.mark.parametrize("transposed", [False, True])
@pytest.mark.parametrize("shape", [(4, 3, 16), (5, 1, 8), (3, 7, 24), (13, 5, 40), (8, 0, 8)])
def test_products_in_tiles(shape, transposed, add):
    rows, depth, columns = shape
    draw = np.random.default_rng(1)
    a, b = draw.normal(size=(rows, depth)), draw.normal(size=(depth, columns))
    out = aligned_zeros((rows, columns))
    out[:] = draw.normal(size=(rows, columns))
    expected = a @ b + add * out
    product(np.ascontiguousarray(a.T if transposed else a), transposed, b, out, add)
    np.testing.assert_allclose(out, expected, atol=1e-13)


def test_padding_is_to_whole_vectors():
    assert [padded(size) for size in (0, 1, 8, 9)] == [0, 8, 8, 16]
