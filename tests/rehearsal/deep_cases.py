"""Small images and tasks, and a network with its plain NumPy twin."""

import numpy as np

from motsim.rehearsal.deep import Training
from motsim.rehearsal.images import task_images
from motsim.rehearsal.network import initial_parameters, programs

SMALL = {"samples_per_class": 6, "test_per_class": 10}
QUICK = Training(epochs=20, width=4, memory_size=30)  # one shape, few compilations


def make(shift="rotation", level=90.0, domains=(0, 1, 0), seeds=range(2), **options):
    return [
        task_images("digits", shift, level, domains, **{**SMALL, **options}, seed=seed)
        for seed in seeds
    ]


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
