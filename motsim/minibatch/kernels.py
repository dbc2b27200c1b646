"""Softmax over the last axis, in place, and its gradient; arrays in, arrays out."""

from motsim.kernel_cache import kernel, kernel_cache

with kernel_cache():
    from motsim.kernels.arithmetic import exponential

__all__ = ["softmax", "softmax_gradient"]


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
