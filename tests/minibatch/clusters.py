"""Samples that are easily told apart."""

import numpy as np

from motsim.realdata.tasks import Samples


def samples(count=120, seed=0, clusters=2):
    """The label is the sign of one coordinate, which one depends on the cluster."""
    draw = np.random.default_rng(seed)
    tokens = 0.3 * draw.normal(size=(count, 3, 6))
    tasks = draw.integers(clusters, size=count)
    targets = draw.choice([-1, 1], count)
    tokens[np.arange(count), 0, tasks] += targets
    tokens[np.arange(count), 1, 2 + tasks] += 1.0
    return Samples(tokens, np.arange(count), tasks, targets, np.zeros((0, 6)), 1)
