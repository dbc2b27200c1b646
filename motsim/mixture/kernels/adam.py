"""One step of Adam (Kingma & Ba 2014), for every kind of training."""

import numpy as np

from motsim.vectors.lanes import cached, internal

DECAYS = (0.9, 0.999)  # of Adam's moments
SMALLEST = 1e-8  # what keeps the division finite; gradients below it are no longer normalized


@internal
def adam(value, gradient, first, second, rate, step):
    """Adam with its usual constants, on rows of numbers; `step` counts from 1."""
    a, b = DECAYS
    pace = rate / (1.0 - a**step)
    scale = 1.0 / (1.0 - b**step)
    for r in range(value.shape[0]):
        for k in range(value.shape[1]):
            g = gradient[r, k]
            first[r, k] += (1.0 - a) * (g - first[r, k])
            second[r, k] += (1.0 - b) * (g * g - second[r, k])
            value[r, k] -= pace * first[r, k] / (np.sqrt(scale * second[r, k]) + SMALLEST)


@cached
def adam_step(value, gradient, first, second, rate, step):
    """The same for callers in Python: compiled where a run asks for it."""
    adam(value, gradient, first, second, rate, step)
