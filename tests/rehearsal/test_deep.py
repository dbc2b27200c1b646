"""Deep rehearsal: training and schedules."""

from dataclasses import replace
from importlib.util import find_spec

import numpy as np
import pytest

from motsim.experiments.deep.run import MODULES
from motsim.rehearsal.deep import Training, _phases, _plan, rehearse
from tests.rehearsal.deep_cases import QUICK, call, make, random_network

pytestmark = pytest.mark.skipif(
    any(find_spec(module) is None for module in MODULES),
    reason="extra 'deep' is not installed: pip install -e '.[deep]'",
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
