"""Tasks made of images: in parts that share none, balanced, each changed as it says."""

from importlib.util import find_spec

import numpy as np
import pytest

from motsim.experiments.deep.run import MODULES
from motsim.rehearsal.images import load_images
from tests.rehearsal.deep_cases import make

pytestmark = pytest.mark.skipif(
    any(find_spec(module) is None for module in MODULES),
    reason="extra 'deep' is not installed: pip install -e '.[deep]'",
)


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
