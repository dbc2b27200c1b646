"""Points in blocks of eight: nothing lost, nothing moved, and what fills a block counts nothing."""

import numpy as np
import pytest

from motsim.mixture.data import Mixture, make_signals
from motsim.mixture.engine.layout import aligned, kernel_batch, kernel_buffers, positions
from motsim.mixture.engine.reduction import reduce_problem
from motsim.mixture.evaluation import loss_and_gradients
from motsim.mixture.kernels import WIDTH
from motsim.mixture.model import Model, ModelParameters, Routing, initial_parameters
from motsim.mixture.points import population, sample
from tests.mixture.kernel_cases import as_points, random_tokens

SEEDS = [0, 1, 2]
SIZES = [1, 7, 8, 9, 100, 333]
NOISE = {"num_tokens": 5, "noise_std": 0.3}


def tokens_of(batch):
    """Tokens (B, L, r) of every place in the blocks."""
    blocks, r = batch.tokens.shape[:2]
    on_axis = np.eye(r)[batch.axes][:, :, None] * batch.amplitudes[..., None]  # (blocks, S, 8, r)
    rest = batch.tokens.transpose(0, 2, 3, 1)
    tokens = np.concatenate([on_axis, rest], axis=1).transpose(0, 2, 1, 3)
    return tokens.reshape(blocks * WIDTH, -1, r)


def assert_holds(batch, tokens, labels, weights):
    """Every point is in the blocks once with its weight; what else there is weighs nothing."""
    np.testing.assert_array_equal(tokens_of(batch), tokens[batch.order])
    np.testing.assert_array_equal(batch.labels, labels[batch.order])
    at = positions(batch)
    assert at.shape == labels.shape
    np.testing.assert_array_equal(batch.order[at], np.arange(len(labels)))
    np.testing.assert_array_equal(batch.point_weights[at], weights)
    assert np.delete(batch.point_weights, at).sum() == 0.0
    rest = 0 if batch.axes.shape[1] else tokens.shape[1]
    others = tokens[batch.order][:, -rest:] if rest else tokens[batch.order][:, 3:]
    np.testing.assert_allclose(batch.token_sums.T, others.sum(axis=1), rtol=1e-14, atol=1e-15)
    assert len(batch.labels) == len(batch.axes) * WIDTH
    assert len(batch.axes) % 16 != 0
    for name in ("amplitudes", "tokens", "labels", "point_weights"):
        array = getattr(batch, name)
        assert array.flags.c_contiguous, name
        assert array.size == 0 or array.ctypes.data % 64 == 0, name


def drawn(size, seed, *, shuffle_tokens=False, frame=None, **mixture):
    """A sample on the coordinate axes (or in a random frame)."""
    data = Mixture(3, 8, **mixture)
    return sample(data, make_signals(data, frame), size, seed=seed, shuffle_tokens=shuffle_tokens)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(
    ("options", "signals"),
    [
        ({}, 3),
        (NOISE, 3),
        ({"shuffle_tokens": True, **NOISE}, 0),
        ({"similarity": 0.4}, 0),
        ({"frame": 1}, 0),
    ],
    ids=["axes", "noise", "shuffled", "similar", "rotated"],
)
def test_blocks_hold_the_points(options, signals, size, seed):
    points = drawn(size, seed, **options)
    batch = kernel_batch(points.tokens, points.labels, points.weights)
    assert_holds(batch, points.tokens, points.labels, points.weights)
    if size >= 100:  # of a few points, blocks of equal axes would more than double the number
        assert batch.axes.shape[1] == signals
    if signals and size == 333:
        assert np.abs(np.diff(batch.order)).max() > 1  # it did reorder


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("options", [{}, NOISE, {"similarity": 0.4}], ids=str)
def test_blocks_of_a_reduced_population(options, seed):
    """In a random frame, or bent, signals are on axes after the reduction only."""
    data = Mixture(3, 8, **options)
    points = population(data, make_signals(data, seed), num_nodes=2, seed=seed)
    start = initial_parameters(Model("mot", 2), 8, init_std=1.0, attention_scale=1.0)
    reduced = reduce_problem(Model("mot", 2), points, start, use_mirror=False)
    batch = reduced.batch
    assert batch.axes.shape[1] == 3
    assert kernel_batch(points.tokens, points.labels, points.weights).axes.shape[1] == 0
    back = tokens_of(batch) @ reduced.directions.T
    np.testing.assert_allclose(back, points.tokens[batch.order], atol=1e-13)


@pytest.mark.parametrize("length", [3, 5])
@pytest.mark.parametrize("groups", [1, 2, 15, 16, 17, 33])
def test_points_of_a_block_share_axes(groups, length):
    """`groups` patterns of axes over eleven points each: two blocks a pattern."""
    rng = np.random.default_rng(groups)
    patterns = np.array([(i % 4, i // 4 % 4, i // 16) for i in range(groups)])
    of_point = rng.permutation(np.repeat(np.arange(groups), 11))
    tokens = rng.standard_normal((len(of_point), length, 6))
    tokens[:, :3] = rng.uniform(1, 2, (len(of_point), 3, 1)) * np.eye(6)[patterns[of_point]]
    labels, weights = rng.choice([-1.0, 1.0], len(of_point)), np.full(len(of_point), 0.5)
    batch = kernel_batch(tokens, labels, weights)
    assert_holds(batch, tokens, labels, weights)
    assert batch.axes.shape[1] == 3
    members = of_point[batch.order].reshape(-1, WIDTH)
    np.testing.assert_array_equal(members, members[:, :1].repeat(WIDTH, axis=1))
    np.testing.assert_array_equal(batch.axes, patterns[members[:, 0]])
    assert len(batch.axes) == 2 * groups + (groups % 8 == 0)


def test_blocks_of_equal_axes_never_more_than_double_the_points():
    for size in range(1, 70):
        tokens = np.eye(4)[np.random.default_rng(size).integers(4, size=(size, 3))]
        batch = kernel_batch(tokens, np.ones(size), np.ones(size))
        assert_holds(batch, tokens, np.ones(size), np.ones(size))
        full = -(-size // WIDTH)
        assert len(batch.axes) <= 2 * (full + (full % 16 == 0))


def test_number_of_blocks_is_no_multiple_of_sixteen():
    for size in [*range(110, 140), *range(248, 257), 1024, 4096]:
        tokens = np.ones((size, 4, 2))
        batch = kernel_batch(tokens, np.ones(size), np.full(size, 1 / size))
        assert len(batch.axes) % 16
        assert len(batch.axes) - -(-size // WIDTH) in (0, 1)
        assert batch.point_weights.sum() == pytest.approx(1.0, abs=1e-14)


def test_a_token_off_its_axis_is_no_signal():
    tokens = np.eye(4)[np.zeros((40, 3), dtype=int)]
    ones = np.ones(40)
    assert kernel_batch(tokens, ones, ones).axes.shape[1] == 3
    tokens[17, 1, 2] = 1e-300
    batch = kernel_batch(tokens, ones, ones)
    assert batch.axes.shape[1] == 0
    assert_holds(batch, tokens, ones, ones)


def test_arrays_start_at_a_line():
    for size in range(1, 60):
        copy = aligned(np.arange(float(size)))
        assert copy.ctypes.data % 64 == 0
        np.testing.assert_array_equal(copy, np.arange(float(size)))
    assert aligned(np.zeros((3, 0, 2))).shape == (3, 0, 2)
    points = drawn(50, 0, **NOISE)
    batch = kernel_batch(points.tokens, points.labels, points.weights)
    buffers = kernel_buffers(Model("mot", 3, num_neurons=2), batch)
    for name, array in buffers._asdict().items():
        assert array.ctypes.data % 64 == 0, name


# --- order and filling ----------------------------------------------------------------------------


def parameters(model, r, seed):
    rng = np.random.default_rng(seed)
    return ModelParameters(
        rng.standard_normal((model.num_experts, model.num_neurons, r)),
        rng.standard_normal((model.num_attentions, r, r)),
        rng.standard_normal((model.num_experts * model.gated, r)),
    )


def parts(model, data, noise):
    """Loss and gradients as one flat array."""
    points = as_points(*data)
    mode = "expected" if noise is None else "sampled"
    routing = Routing(mode, load_balance=0.3)
    start = parameters(model, points.tokens.shape[2], 3)
    loss, g = loss_and_gradients(model, start, points, routing=routing, routing_noise=noise)
    return np.concatenate([[loss], g.ffn.ravel(), g.attention.ravel(), g.gate.ravel()])


KINDS = [Model(kind, 3, "cubic", 2) for kind in ("mot", "single", "moe", "shared")]


@pytest.mark.parametrize("sampled", [False, True], ids=["expected", "sampled"])
@pytest.mark.parametrize("tokens", ["axes", "distinct"])
@pytest.mark.parametrize("length", [3, 5])
@pytest.mark.parametrize("model", KINDS, ids=lambda model: model.kind)
def test_neither_order_nor_points_without_weight_count(model, length, tokens, sampled):
    rng = np.random.default_rng(length)
    size = 45
    x = random_tokens(rng, size, length, 5, tokens)
    labels, weights = rng.choice([-1.0, 1.0], size), rng.dirichlet(np.ones(size))
    noise = rng.gumbel(size=(size, 3))
    given = noise if sampled else None
    want = parts(model, (x, labels, weights), given)
    near = {"rtol": 1e-11, "atol": 1e-13 * np.abs(want).max()}

    turn = rng.permutation(size)
    got = parts(model, (x[turn], labels[turn], weights[turn]), noise[turn] if sampled else None)
    np.testing.assert_allclose(got, want, **near)

    again = rng.integers(size, size=7)  # points that are there already, with the other label
    x, labels = np.concatenate([x, x[again]]), np.concatenate([labels, -labels[again]])
    given = np.concatenate([noise, -noise[again]]) if sampled else None
    for weight in (0.0, 0.1):  # negative control: they count as soon as they have weight
        got = parts(model, (x, labels, np.concatenate([weights, np.full(7, weight)])), given)
        if weight == 0.0:
            np.testing.assert_allclose(got, want, **near)
        else:
            assert np.abs(got - want).max() > 1e-5 * np.abs(want).max()
