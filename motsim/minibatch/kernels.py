"""Softmax over the last axis, its gradient, and a step of Adam, all in place."""

import numpy as np

from motsim.kernel_cache import kernel, kernel_cache

with kernel_cache():
    from motsim.kernels.arithmetic import exponential

__all__ = ["adam", "softmax", "softmax_gradient"]


@kernel
def softmax(scores):
    """scores (R, L), contiguous: every row becomes its softmax."""
    for r in range(scores.shape[0]):
        row = scores[r]
        largest = row[0]
        for k in range(1, row.size):
            largest = max(largest, row[k])
        for k in range(row.size):
            row[k] = exponential(row[k] - largest)
        total = 0.0
        for k in range(row.size):
            total += row[k]
        total = 1.0 / total
        for k in range(row.size):
            row[k] *= total


@kernel
def softmax_gradient(weights, gradient):
    """gradient (R, L) by the weights becomes the gradient by the scores."""
    for r in range(weights.shape[0]):
        p, g = weights[r], gradient[r]
        mean = 0.0
        for k in range(p.size):
            mean += p[k] * g[k]
        for k in range(p.size):
            g[k] = p[k] * (g[k] - mean)


@kernel
def adam(value, gradient, first, second, decays, rate, step):
    """Step number `step` (from 1) of Adam on flat arrays; decays (2,) of its two moments."""
    a, b = decays
    pace = rate / (1.0 - a**step)
    scale = 1.0 / (1.0 - b**step)
    for k in range(value.size):
        first[k] += (1.0 - a) * (gradient[k] - first[k])
        second[k] += (1.0 - b) * (gradient[k] * gradient[k] - second[k])
        value[k] -= pace * first[k] / (np.sqrt(scale * second[k]) + 1e-8)
