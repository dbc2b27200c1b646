"""Closed forms of the expected errors for fresh memory; any schedule, any number of tasks.

One fit on blocks (task i, n_i columns), K = Σ n_i, is an affine map of e_j = E‖w − w*_j‖²::

    e_j ← a e_j + b_j,   a = 1 − K/p
    b_j = Σ_i (n_i/p) ‖w*_i − w*_j‖²
          + Σ_{i<k} n_i n_k / (p (p − K − 1)) ‖w*_i − w*_k‖² + K σ² / (p − K − 1)

Reconstructed for arXiv:2506.00205 and derived again in docs/rehearsal.md §2.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from motsim.rehearsal import arguments
from motsim.rehearsal.arguments import FloatArray
from motsim.rehearsal.geometry import TaskGeometry, geometry
from motsim.rehearsal.records import RehearsalErrors, expected_record
from motsim.rehearsal.replay import expected_replayed
from motsim.rehearsal.schedules import Schedule, make_schedule

MEMORIES = ("fresh", "replayed")


def expected_errors(
    task_vectors: Any,
    samples_per_task: Any,
    memory_size: Any,
    noise_std: float,
    strategy: str | Sequence[Any],
    *,
    order: str | None = None,
    threshold: float | None = None,
    measure: str | None = None,
    memory: str = "fresh",
) -> RehearsalErrors:
    """Return the exact expected errors of rehearsal in overparameterized linear regression.

    Parameters
    ----------
    task_vectors : array (T, p) or TaskGeometry
        Ground truths w*_t, one a row.
    samples_per_task : int or T ints, or None with a schedule
        Columns n_t of each task's own data, >= 1.
    memory_size : int or T ints, or None with a schedule
        Rehearsed columns a step, see `memory_counts`.
    noise_std : float >= 0
        σ of the label noise.
    strategy : 'concurrent', 'sequential', 'hybrid' or a schedule
        See `motsim.rehearsal.schedules`.
    order : 'oldest' or 'newest', optional
        Which memory a sequential revisit starts with; oldest if None.
    threshold, measure : float and 'cosine' or 'distance', optional
        The similarity rule of 'hybrid'; cosine if None.
    memory : 'fresh' or 'replayed'
        New draws of old tasks, or columns that were fitted before. The closed form for replayed
        memory is known for T <= 2 only; `simulate_errors` has no such limit.

    Returns
    -------
    RehearsalErrors
        Exact for Gaussian inputs; cost O(T²) a fit, independent of p once distances are known.

    Raises
    ------
    ValueError, TypeError
        Columns > p − 2 in a fit; a memory too small; negative noise; vectors of unequal length or
        not finite; an unknown strategy; a schedule that revisits an unseen task; ...

    Notes
    -----
    Source: setting of arXiv:2506.00205; formula derived in docs/rehearsal.md §2 (fresh), §6
    (replayed).
    """
    tasks = geometry(task_vectors)
    noise = arguments.noise_level(noise_std)
    arguments.choice("memory", memory, MEMORIES)
    schedule = make_schedule(
        tasks,
        samples_per_task,
        memory_size,
        strategy,
        order=order,
        threshold=threshold,
        measure=measure,
    )
    if memory == "replayed":
        return expected_record(expected_replayed(tasks, schedule, noise))
    return expected_record(expected_fresh(tasks, schedule, noise))


def count_matrix(schedule: Schedule, num_tasks: int) -> FloatArray:
    """Return the columns n_i of every fit, shape (fits, T), in the order they are made."""
    rows = [fit for step in schedule for fit in step]
    counts = np.zeros((len(rows), num_tasks))
    blocks = [(row, task, samples) for row, fit in enumerate(rows) for task, samples in fit]
    row, task, samples = np.array(blocks).T
    counts[row, task] = samples
    return counts


def fit_maps(
    counts: FloatArray, tasks: TaskGeometry, noise: float
) -> tuple[FloatArray, FloatArray]:
    """Return a (fits,) and b (fits, T) of the affine maps e_j ← a e_j + b_j, one a fit.

    `counts` (fits, T) holds the columns n_i of each fit; every row sum must be at most p − 2.
    """
    dimension = tasks.dimension
    columns = counts.sum(axis=1)
    spare = dimension - columns - 1
    pull = counts @ tasks.squared_distances  # Σ_i n_i ‖w*_i − w*_j‖²
    cross = (pull * counts).sum(axis=1) / 2  # Σ_{i<k} n_i n_k ‖w*_i − w*_k‖²
    keep = 1 - columns / dimension
    common = cross / (dimension * spare) + columns * noise**2 / spare
    return keep, pull / dimension + common[:, None]


def expected_fresh(tasks: TaskGeometry, schedule: Schedule, noise: float) -> FloatArray:
    """Return the error matrix (T, T) of a checked schedule; w_0 = 0."""
    keep, shift = fit_maps(count_matrix(schedule, tasks.num_tasks), tasks, noise)
    errors = np.empty((tasks.num_tasks, tasks.num_tasks))
    current = tasks.squared_norms
    first = 0
    for t, step in enumerate(schedule):
        last = first + len(step)
        # Fits of one step composed: e ← (Π a) e + Σ_f (Π_{g>f} a_g) b_f
        after = np.append(np.cumprod(keep[first:last][::-1])[::-1], 1.0)
        current = after[0] * current + after[1:] @ shift[first:last]
        errors[t] = current
        first = last
    return errors
