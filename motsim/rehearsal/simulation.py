"""Monte Carlo of rehearsal: the algorithm itself, run on drawn data by numba kernels."""

from __future__ import annotations

import functools
import importlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any

import numpy as np
from threadpoolctl import ThreadpoolController

from motsim.rehearsal import arguments
from motsim.rehearsal.arguments import FloatArray
from motsim.rehearsal.geometry import TaskGeometry
from motsim.rehearsal.layout import Layout, sample_layout
from motsim.rehearsal.problem import Rehearsal
from motsim.rehearsal.records import SimulatedErrors, simulated_record
from motsim.rehearsal.schedules import stored_samples

METHODS = ("full", "reduced")
CHUNK_BYTES = 2**22  # random numbers drawn at a time; does not change the result


def simulate_errors(
    problem: Rehearsal, *, repetitions: int = 1000, seed: int = 0, method: str | None = None
) -> SimulatedErrors:
    """Return Monte Carlo means and standard errors; the problem is one of `expected_errors`.

    Parameters
    ----------
    problem : Rehearsal
        Replayed memory refits the first columns (with their noise) of the data that each task
        brought; as columns are exchangeable this is a random subset chosen once.
    repetitions : int >= 2
        Independent runs. More repetitions continue the same stream: the first R runs are those of
        a call with R (to round-off).
    seed : int >= 0
        Seed of one `numpy.random.SeedSequence`, spawned by purpose.
    method : 'full' or 'reduced', optional
        'full' draws every entry of every p × n matrix. 'reduced' (fresh memory only) runs the same
        algorithm in the few coordinates that matter, with the other entries replaced by their
        triangular (Bartlett) factor: equal in law, faster for large p (docs/rehearsal.md §4).
        None takes 'reduced' for fresh and 'full' for replayed memory.

    Returns
    -------
    SimulatedErrors

    Raises
    ------
    ValueError, TypeError
        For numbers out of range, and for 'reduced' with replayed memory.

    Notes
    -----
    Serial: one BLAS thread while it runs, whatever the environment says.
    """
    replayed = problem.memory == "replayed"
    if method is None:
        method = "full" if replayed else "reduced"
    arguments.choice("method", method, METHODS)
    repetitions = arguments.integer("repetitions", repetitions, 2)
    seed = arguments.integer("seed", seed, 0)
    if replayed and method == "reduced":
        raise ValueError("method 'reduced' needs memory 'fresh', got 'replayed'; use method 'full'")
    stored = stored_samples(problem.schedule) if replayed else None
    layout = sample_layout(problem.schedule, stored)
    tasks = problem.tasks
    run: Callable[..., None] = _run_full if method == "full" else _run_reduced
    errors = np.empty((repetitions, tasks.num_tasks, tasks.num_tasks))
    with one_thread():
        run(layout, task_coordinates(tasks), tasks.dimension, problem.noise_std, seed, errors)
    return simulated_record(errors)


def one_thread() -> AbstractContextManager[Any]:
    """Limit BLAS, which the kernels call, to one thread: the same bits and no waiting threads."""
    return _controller().limit(limits=1, user_api="blas")


@functools.cache
def _controller() -> ThreadpoolController:
    importlib.import_module("scipy.linalg")  # numba calls SciPy's BLAS: load it to be limited
    return ThreadpoolController()


def task_coordinates(tasks: TaskGeometry) -> FloatArray:
    """Return the tasks (T, r) in an orthonormal basis of R^p whose first r vectors span them.

    Gaussian data are isotropic, so the choice of basis does not change the law of a run. It does
    change the run: this is the basis of Gram and Schmidt over the tasks in their order, which is
    one and the same on every machine. Eigenvectors are not: BLAS of another CPU turns their signs.
    """
    rest = tasks.gram.astype(float)
    least = 1e-13 * max(rest.diagonal().max(), np.finfo(float).tiny)
    columns: list[FloatArray] = []
    for task in range(tasks.num_tasks):
        if rest[task, task] > least and len(columns) < tasks.dimension:
            column = rest[:, task] / np.sqrt(rest[task, task])
            column[:task] = 0.0  # but for rounding: the tasks before are in the span already
            rest -= np.outer(column, column)
            columns.append(column)
    return np.array(columns).reshape(-1, tasks.num_tasks).T.copy()


def _chunks(repetitions: int, doubles: int) -> Iterator[slice]:
    size = _chunk_size(repetitions, doubles)
    for start in range(0, repetitions, size):
        yield slice(start, min(start + size, repetitions))


def _chunk_size(repetitions: int, doubles: int) -> int:
    return min(repetitions, max(1, CHUNK_BYTES // (8 * max(doubles, 1))))


def _streams(seed: int, purposes: int) -> list[np.random.Generator]:
    # SFC64: a fifth faster at normals than the default generator, and equally well tested
    spawned = np.random.SeedSequence(seed).spawn(purposes)
    return [np.random.Generator(np.random.SFC64(sequence)) for sequence in spawned]


def _run_full(
    layout: Layout,
    truths: FloatArray,
    dimension: int,
    noise: float,
    seed: int,
    errors: FloatArray,
) -> None:
    from motsim.rehearsal import kernels

    inputs, labels = _streams(seed, 2)
    doubles = layout.rows * dimension
    buffer = np.empty((_chunk_size(len(errors), doubles), layout.rows, dimension))
    for part in _chunks(len(errors), doubles):
        count = part.stop - part.start
        samples = inputs.standard_normal(out=buffer[:count])
        label_noise = noise * labels.standard_normal((count, layout.rows))
        kernels.run_full(samples, label_noise, truths, layout, errors[part])


def _run_reduced(
    layout: Layout,
    truths: FloatArray,
    dimension: int,
    noise: float,
    seed: int,
    errors: FloatArray,
) -> None:
    from motsim.rehearsal import kernels

    head = min(truths.shape[1] + 1, dimension)
    other = dimension - head  # dimensions that hold neither a task nor w
    columns = layout.columns
    triangle = columns * (columns - 1) // 2
    draws = int((columns * head + np.where(columns > other, columns * other, triangle)).sum())
    freedom = np.concatenate([np.maximum(other - np.arange(k), 1) for k in columns])
    inputs, labels, radii = _streams(seed, 3)
    buffer = np.empty((_chunk_size(len(errors), draws + layout.rows), draws))
    for part in _chunks(len(errors), draws + layout.rows):
        count = part.stop - part.start
        normals = inputs.standard_normal(out=buffer[:count])
        label_noise = noise * labels.standard_normal((count, layout.rows))
        lengths = np.sqrt(radii.chisquare(freedom, (count, layout.rows)))
        drawn = kernels.Draws(normals, lengths, label_noise)
        kernels.run_reduced(drawn, truths, layout, dimension, errors[part])
