"""The network against a plain NumPy twin, and its layer against JAX's."""

from importlib.util import find_spec

import numpy as np
import pytest

from motsim.experiments.deep.run import MODULES
from motsim.rehearsal.convolution import make_layer
from motsim.rehearsal.images import task_images
from motsim.rehearsal.network import use_one_thread
from tests.rehearsal.deep_cases import call, make, plain_loss, random_network

pytestmark = pytest.mark.skipif(
    any(find_spec(module) is None for module in MODULES),
    reason="extra 'deep' is not installed: pip install -e '.[deep]'",
)


@pytest.mark.parametrize("data", ["digits", "mnist"])  # 14 pixels: 14 -> 7 -> 3, an odd size
def test_loss_and_gradient_agree_with_loops(data):
    task = task_images(data, "rotation", 0.0, (0, 0), samples_per_class=1, test_per_class=1)
    p = random_network(task.images.shape[-2:])
    weights = np.full((1, 1, 10), 0.1, np.float32)
    found = float(np.asarray(call("losses", p, task, weights))[0, 0])
    assert found == pytest.approx(plain_loss(p, task.images[0], task.labels[0]), rel=1e-5)
    gradient = np.asarray(call("gradients", p, task, weights))[0, 0]
    place = 0
    for name in sorted(p):  # the order of the leaves
        q = {k: v.astype(float) for k, v in p.items()}
        spot = p[name].size // 2
        ends = []
        for side in (1e-6, -1e-6):
            q[name] = p[name].astype(float)
            q[name].reshape(-1)[spot] += side
            ends.append(plain_loss(q, task.images[0], task.labels[0]))
        slope = (ends[0] - ends[1]) / 2e-6
        assert gradient[place + spot] == pytest.approx(slope, rel=1e-2, abs=2e-5)
        place += p[name].size


@pytest.mark.parametrize("side", [8, 7])  # an odd side loses its last row and column
def test_a_layer_agrees_with_the_convolution_of_jax(side):
    use_one_thread()
    import jax
    import jax.numpy as jnp

    def plain(x, weights, bias):
        kernel = weights.reshape(3, 3, x.shape[0], -1)
        found = jax.lax.conv_general_dilated(
            x, kernel, (1, 1), "SAME", dimension_numbers=("CHWN", "HWIO", "CHWN")
        )
        found = jnp.maximum(found + bias[:, None, None, None], 0)
        sums = jax.lax.reduce_window(found, 0.0, jax.lax.add, *[(1, 2, 2, 1)] * 2, "VALID")
        return sums / 4

    draw = np.random.default_rng(0)
    shapes = ((3, side, side, 5), (27, 4), (4,), (4, side // 2, side // 2, 5))
    *point, slope = (draw.normal(size=shape).astype(np.float32) for shape in shapes)
    results = []
    for layer in (make_layer(), plain):
        value, pull = jax.vjp(layer, *point)
        results.append([value, *pull(slope)])
    for found, expected in zip(*results, strict=True):
        scale = np.abs(expected).max()
        np.testing.assert_allclose(found, expected, rtol=0, atol=3e-6 * scale)


def test_what_fills_the_shapes_changes_nothing():
    """More images than a chunk, in a pool with and without others behind them."""
    task = make(seeds=[0], samples_per_class=10)[0]
    p = random_network()
    weights = np.full((1, 1, 100), 0.01, np.float32)
    whole = np.asarray(call("gradients", p, task, weights))[0, 0]
    halves = []
    for part in (slice(0, 50), slice(50, 100)):
        half = np.zeros_like(weights)
        half[..., part] = 0.01
        halves.append(np.asarray(call("gradients", p, task, half))[0, 0])
    np.testing.assert_allclose(whole, sum(halves), atol=1e-6)
    assert np.asarray(call("losses", p, task, weights))[0, 0] == pytest.approx(
        plain_loss(p, task.images[0], task.labels[0]), rel=1e-5
    )
