"""Deep rehearsal: tasks, network against a plain NumPy twin, schedules, determinism, errors."""

from dataclasses import replace
from importlib.util import find_spec

import numpy as np
import pytest

import motsim.extras
from motsim.experiments.deep.run import MODULES, Settings, compile_kernels, run
from motsim.rehearsal.convolution import make_layer
from motsim.rehearsal.deep import Training, _phases, _plan, rehearse
from motsim.rehearsal.images import load_images, task_images
from motsim.rehearsal.network import initial_parameters, programs, use_one_thread
from tests.jobs import results_by_jobs

pytestmark = pytest.mark.skipif(
    any(find_spec(module) is None for module in MODULES),
    reason="extra 'deep' is not installed: pip install -e '.[deep]'",
)
SMALL = {"samples_per_class": 6, "test_per_class": 10}
QUICK = Training(epochs=20, width=4, memory_size=30)  # one shape, few compilations


def make(shift="rotation", level=90.0, domains=(0, 1, 0), seeds=range(2), **options):
    return [
        task_images("digits", shift, level, domains, **{**SMALL, **options}, seed=seed)
        for seed in seeds
    ]


# tasks


@pytest.mark.parametrize(("data", "shape"), [("digits", (1797, 8, 8)), ("mnist", (5000, 14, 14))])
def test_images_are_scaled(data, shape):
    images, labels = load_images(data)
    assert images.shape == shape
    assert images.dtype == np.float32
    assert (images.min(), images.max()) == (0, 1)
    assert set(labels) == set(range(10))


def test_no_image_is_in_two_tasks_or_in_training_and_test():
    (task,) = make(domains=(0, 0, 0, 0), seeds=[3])
    rows = np.concatenate([task.images.reshape(-1, 64), task.test_images[0].reshape(-1, 64)])
    digits = load_images("digits")[0].reshape(-1, 64)
    repeats = len(digits) - len(np.unique(digits, axis=0))
    assert len(rows) - len(np.unique(rows, axis=0)) <= repeats


def test_tasks_and_their_first_images_are_balanced():
    (task,) = make(seeds=[0])
    assert (np.bincount(task.labels[1]) == 6).all()
    assert (np.bincount(task.labels[1][:20]) == 2).all()


def test_a_quarter_turn_only_moves_pixels():
    still, turned = (make(level=level, seeds=[0])[0] for level in (0.0, 90.0))
    np.testing.assert_array_equal(still.images[0], turned.images[0])
    found = [np.rot90(still.images[1], k, axes=(1, 2)) for k in (1, 3)]
    assert min(np.abs(turned.images[1] - f).max() for f in found) < 1e-6


def test_pixels_are_permuted_in_place():
    still, moved = (make("pixels", level, seeds=[0])[0] for level in (0.0, 0.5))
    changed = (still.images[1] != moved.images[1]).any(axis=0).sum()
    assert 0 < changed <= 32
    np.testing.assert_array_equal(
        np.sort(still.images[1].reshape(-1, 64)), np.sort(moved.images[1].reshape(-1, 64))
    )


@pytest.mark.parametrize(("level", "moved"), [(0.0, 0), (0.5, 5), (1.0, 10)])
def test_labels_pass_round_a_cycle(level, moved):
    still, other = (make("labels", value, seeds=[1])[0] for value in (0.0, level))
    np.testing.assert_array_equal(still.images, other.images)
    pairs = set(zip(still.labels[1].tolist(), other.labels[1].tolist(), strict=True))
    assert len(pairs) == 10
    assert sum(a != b for a, b in pairs) == moved


@pytest.mark.parametrize("shared", [0, 1, 2, 3])
def test_neighbors_share_classes(shared):
    (task,) = make("classes", float(shared), (0, 1, 2), [0], task_classes=3)
    classes = [set(labels) for labels in task.labels.tolist()]
    assert [len(c) for c in classes] == [3, 3, 3]
    assert len(classes[0] & classes[1]) == len(classes[1] & classes[2]) == shared


# network


def plain_loss(p, images, labels):
    """Mean cross-entropy, with loops over pixels."""

    def layer(x, weights, bias):
        height, width, channels = x.shape
        padded = np.zeros((height + 2, width + 2, channels))
        padded[1:-1, 1:-1] = x
        out = np.zeros((height, width, weights.shape[1]))
        for i in range(height):
            for j in range(width):
                out[i, j] = padded[i : i + 3, j : j + 3].reshape(-1) @ weights + bias
        out = np.maximum(out, 0)
        small = np.zeros((height // 2, width // 2, out.shape[2]))
        for i in range(height // 2):
            for j in range(width // 2):
                small[i, j] = out[2 * i : 2 * i + 2, 2 * j : 2 * j + 2].mean(axis=(0, 1))
        return small

    total = 0.0
    for image, label in zip(images, labels, strict=True):
        x = layer(image[..., None].astype(float), p["conv1"], p["conv1_bias"])
        x = layer(x, p["conv2"], p["conv2_bias"]).reshape(-1)
        z = x @ p["dense"] + p["dense_bias"]
        total += np.log(np.exp(z).sum()) - z[label]
    return total / len(images)


def random_network(shape=(8, 8)):
    draw = np.random.default_rng(0)
    start = initial_parameters(shape, 4, 1, 0)
    return {k: (v + 0.1 * draw.normal(size=v.shape)).astype(np.float32) for k, v in start.items()}


def call(name, p, task, *own):
    """One program on one network and one task (its images are the pool)."""
    data = (task.images[:1], task.labels[:1], 0 * task.labels[:1])
    stacked = {k: v[None] for k, v in p.items()}
    if name != "train":
        data = tuple(x[None] for x in data)
    found = programs(0.9)[name](stacked, np.zeros(1, np.int32), data, *own)
    return found


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


def test_training_is_momentum_descent_with_restarts_and_rates():
    task = make(seeds=[0])[0]
    p = random_network()
    batches = np.random.default_rng(1).integers(60, size=(6, 5)).astype(np.int32)
    fresh = np.array([1, 0, 0, 1, 0, 0], bool)
    rates = np.array([0.05, 0.05, 0.05, 0.02, 0.02, 0.02], np.float32)
    marked, end = call(
        "train", p, task, batches[None], fresh[None], rates[None], np.array([3], np.int32)
    )
    expected = {k: v.astype(float) for k, v in p.items()}
    speed = {k: 0 * v for k, v in expected.items()}
    for step, batch in enumerate(batches):
        if step == 3:
            for name, value in expected.items():
                np.testing.assert_allclose(np.asarray(marked[name])[0], value, atol=2e-6)
        weights = np.bincount(batch, minlength=60).astype(np.float32)[None, None] / 5
        now = {k: v.astype(np.float32) for k, v in expected.items()}
        flat = np.asarray(call("gradients", now, task, weights))[0, 0]
        place = 0
        for name in sorted(p):
            g = flat[place : place + p[name].size].reshape(p[name].shape)
            place += p[name].size
            speed[name] = (0 if fresh[step] else 0.9) * speed[name] + g
            expected[name] = expected[name] - rates[step] * speed[name]
    for name, value in expected.items():
        np.testing.assert_allclose(np.asarray(end[name])[0], value, atol=5e-6)


# schedules


@pytest.mark.parametrize("strategy", ["concurrent", "sequential", "hybrid"])
def test_every_image_is_seen_equally_often(strategy):
    counts, size = (12, 10, 40), 40
    phases = _phases(strategy, 2, counts[:2], np.array([True, False]))
    training = Training(epochs=8, batch_size=4)
    steps = round(8 * sum(counts) / 4)
    batches, fresh, _, mark = _plan(phases, counts, size, steps, training, 0)
    seen = np.bincount(batches.ravel(), minlength=3 * size).reshape(3, size)
    for task, count in enumerate(counts):
        assert (seen[task, count:] == 0).all()
        assert np.abs(seen[task, :count] - 8).max() <= 1
    expected = {
        "concurrent": [[2, 0, 1]],
        "sequential": [[2], [0], [1]],
        "hybrid": [[2, 0], [1]],
    }
    assert phases == expected[strategy]
    assert fresh.sum() == len(phases)
    first = {2, 0} if strategy == "hybrid" else {2} if strategy == "sequential" else {0, 1, 2}
    assert set((batches[:mark] // size).ravel().tolist()) == first


def test_thresholds_at_the_ends_are_the_pure_strategies():
    tasks = make()
    for threshold, twin in ((-1.0, 0), (2.0, 1)):
        found = rehearse(tasks, replace(QUICK, threshold=threshold), [0, 1])
        np.testing.assert_array_equal(found.accuracy[2], found.accuracy[twin])
        np.testing.assert_array_equal(found.memory_loss[2], found.memory_loss[twin])


def test_a_network_does_not_depend_on_its_neighbors():
    together = rehearse(make(), QUICK, [0, 1])
    alone = rehearse(make(seeds=[1]), QUICK, [1])
    np.testing.assert_array_equal(together.accuracy[:, 1:], alone.accuracy)
    np.testing.assert_array_equal(together.cosine[1:], alone.cosine)


@pytest.mark.parametrize(
    "shift",
    [
        "rotation",
        pytest.param("pixels", marks=pytest.mark.slow),
        pytest.param("labels", marks=pytest.mark.slow),
    ],
)
def test_gradients_at_the_start_tell_like_tasks_from_unlike_ones(shift):
    level = 90.0 if shift == "rotation" else 1.0
    tasks = make(shift, level, (0, 1, 0, 1), range(6), samples_per_class=20)
    found = rehearse(tasks, Training(epochs=0.1, width=16, memory_size=100), range(6))
    like = np.array([[(t - i) % 2 == 0 for i in range(4)] for t in range(4)])
    earlier = np.tril(np.ones((4, 4), bool), -1)
    np.testing.assert_array_equal(found.joined[:, earlier], np.broadcast_to(like[earlier], (6, 6)))


@pytest.mark.slow
def test_heads_keep_contradicting_labels_apart():
    tasks = make("labels", 1.0)
    shared, own = (
        rehearse(tasks, replace(QUICK, own_heads=own), [0, 1]).accuracy[0, :, -1].mean()
        for own in (False, True)
    )
    assert own > shared + 0.15


# runs


def small_settings(**options):
    given = {
        "replicates": 2, "level": 90.0, "domains": (0, 1, 0), "epochs": 20.0, "width": 4,
        "memory_size": 30, **SMALL, **options,
    }  # fmt: skip
    return Settings(**given)


def test_tables_of_a_run():
    found = run(small_settings(seed=3))
    assert found.status == "done"
    hits, accuracy = found.tables["hits"], found.tables["accuracy"]
    assert hits["network"] == [6, 7] * 3
    final = np.array(accuracy["accuracy"]).reshape(3, 2, 3, 3)
    np.testing.assert_allclose(hits["final_accuracy"], final[:, :, 2].mean(axis=-1).ravel())
    drop = np.mean([final[:, :, i, i] - final[:, :, 2, i] for i in (0, 1)], axis=0)
    np.testing.assert_allclose(hits["forgetting"], drop.ravel())


def test_a_rate_too_large_is_reported_as_diverged():
    assert run(small_settings(rate=1e30)).status == "diverged"


@pytest.mark.slow
def test_the_number_of_jobs_does_not_matter(tmp_path):
    made = [small_settings(seed=seed) for seed in range(2)]
    one, two = results_by_jobs("deep", made, tmp_path)
    assert len(one) == 2
    assert one == two


def test_a_missing_extra_is_one_clear_sentence(monkeypatch):
    monkeypatch.setattr(motsim.extras, "find_spec", lambda name: None)
    with pytest.raises(motsim.extras.MissingExtraError, match=r"pip install .*motsim\[deep\]"):
        compile_kernels()
    with pytest.raises(motsim.extras.MissingExtraError, match="jax, optax, sklearn, mlxtend"):
        run(small_settings())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"level": 200.0}, r"rotation.*\[0, 180\].*200"),
        ({"shift": "pixels", "level": 1.5}, r"fraction in \[0, 1\]; got 1.5"),
        ({"shift": "classes", "level": 1.0, "task_classes": 8}, r"needs 15 classes"),
        ({"shift": "classes", "level": 0.5, "task_classes": 3}, r"whole number.*got 0.5"),
        ({"task_classes": 3, "level": 90.0}, r"task_classes must be 10.*got 3"),
        ({"domains": (0,), "memory_size": 0}, r"domains must be two or more.*\(0,\)"),
        ({"samples_per_class": 90}, r"need 280 images of a class; digits has 174"),
        ({"samples_per_class": 0}, r"samples_per_class and test_per_class must be >= 1; got 0"),
        ({"memory_size": 1, "domains": (0, 1, 2, 3)}, r"at least one sample, got 1"),
        ({"memory_size": 70}, r"memory_size = 70 keeps 70 images of one task.*60"),
        ({"rate": -1.0}, r"greater than 0"),
        ({"data": "cifar"}, r"digits.*mnist"),
    ],
)
def test_wrong_settings_name_value_and_rule(options, message):
    with pytest.raises(ValueError, match=message):
        small_settings(**{"level": 0.0, **options})
