"""Closed forms for replayed memory: rehearsed columns are columns that were fitted before.

Exact for one and two tasks, sequential and concurrent; derived in docs/rehearsal.md §6 from the
second moments of a Haar projection. For three tasks and more no closed form is known to us:
`simulate_errors` measures it.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from motsim.rehearsal.arguments import FloatArray
from motsim.rehearsal.geometry import TaskGeometry
from motsim.rehearsal.problem import Rehearsal
from motsim.rehearsal.schedules import stored_samples


class HaarMoments(NamedTuple):
    """E[P_ab P_cd] = pair δ_ab δ_cd + swap (δ_ac δ_bd + δ_ad δ_bc) for a random projection."""

    pair: float
    swap: float


def haar_moments(rank: int, dimension: int) -> HaarMoments:
    """Return the second moments of a uniformly random projection of rank n in R^p, p >= 2."""
    p = dimension
    swap = rank * (p - rank) / (p * (p - 1) * (p + 2))
    return HaarMoments((rank / p) ** 2 - 2 * swap / p, swap)


def expected_replayed(problem: Rehearsal) -> FloatArray:
    """Return the error matrix (T, T) with replayed memory, T <= 2."""
    tasks, schedule = problem.tasks, problem.schedule
    if tasks.num_tasks > 2:
        raise ValueError(
            f"the closed form for replayed memory needs at most 2 tasks, got {tasks.num_tasks}; "
            "use simulate_errors"
        )
    stored = stored_samples(schedule)
    first, p, variance = stored[0], tasks.dimension, problem.noise_std**2
    if schedule[0] != (((0, first),),):
        raise ValueError(
            "the closed form for replayed memory needs a first step of one fit on task 0, got "
            f"{schedule[0]!r}; use simulate_errors"
        )
    distances = tasks.squared_distances[0]
    label = first * variance / (p - first - 1)
    after_first = (1 - first / p) * tasks.squared_norms + (first / p) * distances + label
    if tasks.num_tasks == 1:
        return after_first[None, :]
    step, second = schedule[1], stored[1]
    joined = {((1, second), (0, n)) for n in range(1, first + 1)}
    if step == (((1, second),),):
        return np.array([after_first, _revisit(tasks, after_first, first, second, 0, variance)])
    if len(step) == 2 and step[0] == ((1, second),) and step[1][0][0] == 0:
        count = step[1][0][1]
        return np.array([after_first, _revisit(tasks, after_first, first, second, count, variance)])
    if len(step) == 1 and tuple(sorted(step[0], reverse=True)) in joined:
        count = dict(step[0])[0]
        return np.array([after_first, _together(tasks, after_first, second, count, variance)])
    raise ValueError(
        "the closed form for replayed memory covers one fit on task 1, that fit followed by one "
        f"revisit of task 0, or both in one fit, got {step!r}; use simulate_errors"
    )


def _revisit(
    tasks: TaskGeometry,
    start: FloatArray,
    first: int,
    second: int,
    count: int,
    variance: float,
) -> FloatArray:
    """Second row of the error matrix when `count` old columns are fitted after the new task."""
    p, k = tasks.dimension, count
    gap = tasks.squared_distances[0, 1]
    along = tasks.gram[0, 1] - tasks.squared_norms[0]  # ⟨w*_0, w*_1 − w*_0⟩
    cross = -(1 - first / p) * along  # E⟨w_1 − w*_0, w*_1 − w*_0⟩
    label_new = second * variance / (p - second - 1)
    label_old = k * variance / (p - k - 1)  # E‖P_M (w_1 − w*_0)‖²
    swap = haar_moments(second, p).swap
    stay = haar_moments(p - second, p)  # moments of I − P_2
    keep = 1 - k / p

    def shrunk(square: float, outside: float) -> float:
        # E‖Q (I − P_2) x‖² with Q = I − P_M, from E‖x‖² and E‖Q x‖²
        return (stay.pair + stay.swap) * outside + stay.swap * (p - k) * square

    common = keep * label_new + label_old
    old = shrunk(start[0], start[0] - label_old) + keep * second / p * gap + 2 * k * swap * cross
    outside = start[0] - label_old - 2 * cross + keep * gap
    new = shrunk(start[1], outside) + k / p * gap
    return np.array([old, new]) + common


def _together(
    tasks: TaskGeometry, start: FloatArray, second: int, count: int, variance: float
) -> FloatArray:
    """Second row of the error matrix when `count` old columns join the new task's fit."""
    p, k = tasks.dimension, count
    rest = p - k  # the new columns act in the complement of the replayed ones
    gap = tasks.squared_distances[0, 1]
    label_old = k * variance / (p - k - 1)  # E‖P_M (w_1 − w*_0)‖²
    inside = label_old + k / p * gap  # E‖P_M (w_1 − w*_1)‖², which acts as label noise
    spread = second * (variance + inside) / (rest - second - 1)
    outside_gap = (1 - k / p) * gap
    share = second / rest
    old = label_old + (1 - share) * (start[0] - label_old) + share * outside_gap + spread
    new = inside + (1 - share) * (start[1] - inside) + spread
    return np.array([old, new])
