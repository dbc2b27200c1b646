"""Crossover: the similarity at which one strategy's expected error overtakes another's.

For tasks of equal norm and common cosine c every expected error is affine in c (all squared
distances are 2 r² (1 − c)), so a crossover is the root of an affine function: at most one.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from motsim.rehearsal import arguments
from motsim.rehearsal.geometry import TaskGeometry, geometry_from_gram
from motsim.rehearsal.problem import Rehearsal
from motsim.rehearsal.theory import expected_errors

QUANTITIES = ("forgetting", "generalization")
_PAIR = ("concurrent", "sequential")
_ROUND_OFF = 1e-12  # gaps below this share of the errors are not told from zero


@dataclass(frozen=True)
class Crossover:
    """Where two strategies have equal expected error.

    Attributes
    ----------
    quantity : 'forgetting' or 'generalization'
    first, second : str
        The two strategies.
    cosine : float
        The common cosine at which they are equal; nan if `status` is not 'crossover'.
    status : 'crossover', 'first', 'second' or 'equal'
        Without a crossover: which one has the smaller error at every similarity.
    reason : str
        One sentence that says so.
    gap_lowest, gap_highest : float
        Error of `first` minus error of `second` at the ends of `interval`.
    interval : (float, float)
        Admissible cosines, [−1/(T−1), 1].
    """

    quantity: str
    first: str
    second: str
    cosine: float
    status: str
    reason: str
    gap_lowest: float
    gap_highest: float
    interval: tuple[float, float]


def equicorrelated_geometry(
    num_tasks: int, dimension: int, cosine: float, norm: float = 1.0
) -> TaskGeometry:
    """Return the geometry of `equicorrelated_tasks` without making vectors of length p."""
    cosine = arguments.real("cosine", cosine, -1.0 / max(num_tasks - 1, 1), 1.0)
    gram = norm**2 * ((1 - cosine) * np.eye(num_tasks) + cosine)
    return geometry_from_gram(gram, dimension)


def at_cosine(problem: Rehearsal, cosine: float) -> Rehearsal:
    """Return the problem with tasks of another common cosine, of the same norm and dimension.

    Raises
    ------
    ValueError
        If the tasks have unequal norms, or no tasks have this cosine.
    """
    norms = problem.tasks.squared_norms
    if np.ptp(norms) > _ROUND_OFF * norms.max():
        raise ValueError(
            f"tasks must have equal norms, got squared norms {norms.min():g} to {norms.max():g}"
        )
    num = problem.tasks.num_tasks
    cosine = arguments.real("cosine", cosine, -1.0 / max(num - 1, 1), 1.0)
    gram = norms[0] * ((1 - cosine) * np.eye(num) + cosine)
    return replace(problem, tasks=geometry_from_gram(gram, problem.tasks.dimension))


def find_crossover(
    problem: Rehearsal,
    *,
    quantity: str = "forgetting",
    first: str = "concurrent",
    second: str = "sequential",
) -> Crossover:
    """Return the exact common cosine at which `second` overtakes `first` (fresh memory).

    Parameters
    ----------
    problem : Rehearsal
        T >= 2 tasks of equal norm. Of their cosine and of the strategy nothing is used but the
        `order` of sequential revisits.
    quantity : 'forgetting' or 'generalization'
    first, second : 'concurrent' or 'sequential'

    Returns
    -------
    Crossover
        `cosine` is nan, with a reason, if one strategy is better at every similarity.

    Notes
    -----
    Derived in docs/rehearsal.md §5; source of the question: arXiv:2506.00205.
    """
    num_tasks = arguments.integer("num_tasks", problem.tasks.num_tasks, 2)
    arguments.choice("quantity", quantity, QUANTITIES)
    if not (scale := problem.tasks.squared_norms[0]) > 0:
        raise ValueError("tasks must have a norm > 0, got 0")
    if problem.memory != "fresh":
        raise ValueError(f"a crossover needs memory 'fresh', got {problem.memory!r}")
    names = [arguments.choice("first", first, _PAIR), arguments.choice("second", second, _PAIR)]
    low, high = -1.0 / (num_tasks - 1), 1.0

    def both(cosine: float) -> list[float]:
        there = at_cosine(problem, cosine)
        found = [
            there.using(name, order=problem.order if name == "sequential" else None)
            for name in names
        ]
        return [getattr(expected_errors(side), quantity) for side in found]

    ends = np.array([both(low), both(high)])
    gaps = ends[:, 0] - ends[:, 1]
    small = np.abs(gaps) <= _ROUND_OFF * max(np.abs(ends).max(), scale)
    cosine, status = float("nan"), "crossover"
    if small.all():
        status = "equal"
        reason = f"{first} and {second} have equal {quantity} at every similarity"
    elif small.any() or gaps[0] * gaps[1] < 0:
        cosine = float(low - gaps[0] * (high - low) / (gaps[1] - gaps[0]))
        cosine = min(max(cosine, low), high)
        below, above = (second, first) if gaps[0] > gaps[1] else (first, second)
        reason = f"{below} has the smaller {quantity} below cosine {cosine:.6g}, {above} above"
    else:
        status = "first" if gaps[0] < 0 else "second"
        better = first if gaps[0] < 0 else second
        reason = (
            f"no crossover: {better} has the smaller {quantity} at every cosine in "
            f"[{low:.6g}, {high:g}]"
        )
    return Crossover(
        quantity,
        first,
        second,
        cosine,
        status,
        reason,
        gap_lowest=float(gaps[0]),
        gap_highest=float(gaps[1]),
        interval=(low, high),
    )


def two_task_distance(
    dimension: int,
    first_samples: int,
    second_samples: int,
    memory_size: int,
    noise_std: float,
    *,
    quantity: str = "forgetting",
    norm: float = 1.0,
) -> float:
    """Return d = ‖w*_1 − w*_2‖² at which concurrent and sequential are equal, T = 2, equal norms.

    Sequential is better for larger d. With e = (1 − n₁/p) r² + n₁σ²/(p − n₁ − 1), K = n₂ + m,
    q = p/(p − K − 1) and ν = N(K) − (1 − m/p) N(n₂) − N(m), N(k) = kσ²/(p − k − 1)::

        forgetting      d = (e − p²ν/(n₂m)) / (1 + q)
        generalization  d = 2 (e − p²ν/(n₂m)) / (1 − n₁/p + 2q)

    The cosine is 1 − d/(2r²); a value outside [−1, 1] means that there is no crossover.
    Derived in docs/rehearsal.md §5.
    """
    p = arguments.integer("dimension", dimension, 1)
    n1 = arguments.integer("first_samples", first_samples, 1)
    n2 = arguments.integer("second_samples", second_samples, 1)
    m = arguments.integer("memory_size", memory_size, 1)
    arguments.check_columns(n1, p, "the first task")
    arguments.check_columns(n2 + m, p, "the second task's concurrent fit")
    variance = arguments.noise_level(noise_std) ** 2
    arguments.choice("quantity", quantity, QUANTITIES)

    def label(columns: int) -> float:
        return columns * variance / (p - columns - 1)

    start = (1 - n1 / p) * norm**2 + label(n1)
    excess = label(n2 + m) - (1 - m / p) * label(n2) - label(m)
    crowding = p / (p - n2 - m - 1)
    push = start - p**2 * excess / (n2 * m)
    if quantity == "forgetting":
        return push / (1 + crowding)
    return 2 * push / (1 - n1 / p + 2 * crowding)
