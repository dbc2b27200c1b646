"""Exact variances of the errors for schedules whose fits have one block each (fresh memory).

Sequential rehearsal, any number of tasks. With x = w − c for a center c, one fit of n columns on
task i and δ = w*_i − c gives ‖x'‖² = xᵀ(I − P)x + δᵀPδ + 2 δᵀXAε + εᵀAε. P is a Haar projection
independent of A = (XᵀX)^{-1}, so E‖x‖⁴ follows a linear recursion (docs/rehearsal.md §7).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from motsim.rehearsal.arguments import FloatArray
from motsim.rehearsal.problem import Rehearsal
from motsim.rehearsal.replay import haar_moments


@dataclass(frozen=True, eq=False)
class ErrorVariances:
    """Exact variances over runs.

    Attributes
    ----------
    forgetting, generalization : float
        Var F_T (nan for T = 1) and Var G_T.
    errors : array (T, T)
        Row t, column j: Var ‖w_t − w*_j‖².
    """

    forgetting: float
    generalization: float
    errors: FloatArray


def expected_variances(problem: Rehearsal) -> ErrorVariances:
    """Return the exact variances of the errors that `expected_errors` gives the means of.

    Parameters
    ----------
    problem : Rehearsal
        With fresh memory and one block in every fit, as in strategy 'sequential'.

    Raises
    ------
    ValueError
        For a fit of several blocks or replayed memory (no closed form is known to us: use
        `variance_interval` on simulated errors), and with noise for a fit of more than p − 4
        columns, whose variance is infinite.

    Notes
    -----
    Derived in docs/rehearsal.md §7.
    """
    tasks, schedule, noise = problem.tasks, problem.schedule, problem.noise_std
    if problem.memory != "fresh":
        raise ValueError(
            f"the variance is known for fresh memory only, got {problem.memory!r}: use "
            "variance_interval on simulated errors"
        )
    for t, step in enumerate(schedule):
        for f, fit in enumerate(step):
            if len(fit) > 1:
                raise ValueError(
                    f"step {t}, fit {f} has {len(fit)} blocks; the variance is known for fits of "
                    "one block, as in strategy 'sequential': use variance_interval on simulated "
                    "errors"
                )
            if noise and fit[0][1] > tasks.dimension - 4:
                raise ValueError(
                    f"step {t}, fit {f} uses {fit[0][1]} columns in dimension {tasks.dimension}; "
                    f"with noise the variance is finite only for at most {tasks.dimension - 4}"
                )
    num = tasks.num_tasks
    state = _Moments.start(tasks.coordinates(), tasks.dimension, noise)
    shrink = np.ones(num)  # product of 1 − n/p from the end of step t to now
    variances = np.empty((num, num))
    past = num - 1
    own = np.zeros(num)  # Var L_t(w_t)
    pairs = 0.0  # Σ_{i<j<T} Cov(L_i(w_i), L_j(w_j))
    covariances = np.zeros((num, num + 2))  # of L_t and ‖w − center‖², both at the end of step t
    for t, step in enumerate(schedule):
        for ((task, samples),) in step:
            state.fit(task, samples)
            shrink[:t] *= 1 - samples / tasks.dimension
        variances[t] = state.variances()[:num]
        own[t] = variances[t, t]
        covariances[t] = [state.covariance(t, c) for c in range(num + 2)]
        if t < past:
            pairs += float(shrink[:t] @ covariances[:t, t])
    last = state.variances()
    forgetting = float("nan")
    if past:
        # (T−1) F = Σ_{i<T} L_i(w_T) − Σ_{i<T} L_i(w_i); the first sum is (T−1)‖w_T − centroid‖² + c
        final = last[num + 1] * past**2
        learned = own[:past].sum() + 2 * pairs
        shared = past * float(shrink[:past] @ covariances[:past, num + 1])
        forgetting = float((final + learned - 2 * shared) / past**2)
    return ErrorVariances(forgetting, float(last[num]), variances)


class _Moments:
    """Moments of w in the span of the tasks and of ‖w − c‖ about centers c.

    Centers 0..T−1 are the tasks, T the centroid of all, T + 1 that of all but the last; behind them
    stand the midpoints of task t and center c, in row-major order.
    """

    def __init__(self, truths: FloatArray, centers: FloatArray, dimension: int, noise: float):
        self.truths, self.centers = truths, centers
        self.dimension, self.variance = dimension, noise**2
        self.mean = np.zeros(truths.shape[1])  # E w in the span
        self.second = np.zeros((truths.shape[1],) * 2)  # E w wᵀ in the span
        self.square = (centers**2).sum(axis=1)  # E‖w − c‖²
        self.fourth = self.square**2  # E‖w − c‖⁴

    @classmethod
    def start(cls, truths: FloatArray, dimension: int, noise: float) -> _Moments:
        main = np.vstack([truths, truths.mean(axis=0), truths[: max(len(truths) - 1, 1)].mean(0)])
        middle = (truths[:, None, :] + main[None, :, :]) / 2
        return cls(truths, np.vstack([main, middle.reshape(-1, truths.shape[1])]), dimension, noise)

    def along(self, centers: FloatArray, directions: FloatArray) -> FloatArray:
        """E⟨w − c, v⟩² for rows c and v."""
        offset = (centers * directions).sum(axis=1)
        both = np.einsum("ci,ij,cj->c", directions, self.second, directions)
        return np.asarray(both - 2 * offset * (directions @ self.mean) + offset**2)

    def fit(self, task: int, samples: int) -> None:
        """Pass the moments through one fit of n columns on one task."""
        p, n = self.dimension, samples
        share, swap = n / p, haar_moments(n, p).swap
        inside, outside = haar_moments(n, p).pair, haar_moments(p - n, p).pair
        label = n * self.variance / (p - n - 1)  # E εᵀAε
        labels = 0.0  # E (εᵀAε)²
        if self.variance:
            labels = self.variance**2 * n * (n + 2) / ((p - n - 1) * (p - n - 3))
        delta = self.truths[task] - self.centers
        gap = (delta**2).sum(axis=1)
        cross = (share - inside) * self.square * gap - 2 * swap * self.along(self.centers, delta)
        square = (1 - share) * self.square + share * gap
        self.fourth = (
            (outside + 2 * swap) * self.fourth  # E (xᵀ(I−P)x)²
            + 2 * cross  # 2 E xᵀ(I−P)x δᵀPδ
            + (inside + 2 * swap) * gap**2  # E (δᵀPδ)²
            + 4 * gap * label / p  # 4 E (δᵀXAε)²
            + labels
            + 2 * label * square
        )
        self.square = square + label
        truth = self.truths[task]
        shifted = self.second - np.outer(truth, self.mean) - np.outer(self.mean, truth)
        shifted += np.outer(truth, truth)  # E (w − w*_i)(w − w*_i)ᵀ
        before = (self.square[task] - label) / (1 - share)  # E‖w − w*_i‖² before the fit
        shifted = (outside + swap) * shifted
        shifted += (swap * before + label / p) * np.eye(len(truth))
        self.mean = (1 - share) * self.mean + share * truth
        self.second = shifted + np.outer(truth, self.mean) + np.outer(self.mean, truth)
        self.second -= np.outer(truth, truth)

    def variances(self) -> FloatArray:
        """Var ‖w − c‖² of the centers that are not midpoints."""
        main = len(self.truths) + 2
        return np.asarray(self.fourth[:main] - self.square[:main] ** 2)

    def covariance(self, task: int, center: int) -> float:
        """Cov(‖w − w*_task‖², ‖w − center‖²), through their midpoint."""
        main = len(self.truths) + 2
        middle = main + task * main + center
        half = self.truths[task] - self.centers[center]
        gap = float(half @ half)
        along = self.along(self.centers[middle][None], half[None])[0]
        product = self.fourth[middle] + gap * self.square[middle] / 2 + gap**2 / 16 - along
        return float(product - self.square[task] * self.square[center])
