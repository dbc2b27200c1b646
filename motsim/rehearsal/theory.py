"""Closed forms of the expected errors for fresh memory; any schedule, any number of tasks.

One fit on blocks (task i, n_i columns), K = Σ n_i, is an affine map of e_j = E‖w − w*_j‖²::

    e_j ← a e_j + b_j,   a = 1 − K/p
    b_j = Σ_i (n_i/p) ‖w*_i − w*_j‖²
          + Σ_{i<k} n_i n_k / (p (p − K − 1)) ‖w*_i − w*_k‖² + K σ² / (p − K − 1)

Reconstructed for arXiv:2506.00205 and derived again in docs/rehearsal.md §2.
"""

from __future__ import annotations

import numpy as np

from motsim.rehearsal.arguments import FloatArray
from motsim.rehearsal.geometry import TaskGeometry
from motsim.rehearsal.problem import Rehearsal
from motsim.rehearsal.records import RehearsalErrors, expected_record
from motsim.rehearsal.replay import expected_replayed
from motsim.rehearsal.schedules import Schedule


def expected_errors(problem: Rehearsal) -> RehearsalErrors:
    """Return the exact expected errors of rehearsal in overparameterized linear regression.

    Parameters
    ----------
    problem : Rehearsal
        The closed form for replayed memory is known for T <= 2 only; `simulate_errors` has no such
        limit.

    Returns
    -------
    RehearsalErrors
        Exact for Gaussian inputs; cost O(T²) a fit, independent of p once distances are known.

    Raises
    ------
    ValueError
        For replayed memory where no closed form is known.

    Notes
    -----
    Source: setting of arXiv:2506.00205; formula derived in docs/rehearsal.md §2 (fresh), §6
    (replayed).

    Examples
    --------
    >>> from motsim.rehearsal import Rehearsal, equicorrelated_tasks
    >>> problem = Rehearsal(equicorrelated_tasks(2, 100, 0.5), 30, 24, 0.1, "concurrent")
    >>> round(expected_errors(problem).generalization, 4)
    0.835
    """
    if problem.memory == "replayed":
        return expected_record(expected_replayed(problem))
    errors = expected_fresh(problem.tasks, problem.schedule, problem.noise_std)
    return expected_record(errors)


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
