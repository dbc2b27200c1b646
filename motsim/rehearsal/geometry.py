"""Task geometry: all that the closed forms know of the tasks, and ways to make task vectors.

Expected errors depend on the ground truths w*_1..w*_T in R^p only through their squared norms
and pairwise squared distances (docs/rehearsal.md §2), so `TaskGeometry` holds these and p.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from motsim.rehearsal import arguments
from motsim.rehearsal.arguments import FloatArray


@dataclass(frozen=True, eq=False)
class TaskGeometry:
    """Squared norms and distances of T tasks in R^p; accepted wherever task vectors are.

    Attributes
    ----------
    squared_norms : array (T,)
        ‖w*_i‖².
    squared_distances : array (T, T)
        ‖w*_i − w*_j‖², symmetric with a zero diagonal.
    dimension : int
        p, the number of parameters.
    """

    squared_norms: FloatArray
    squared_distances: FloatArray
    dimension: int

    @property
    def num_tasks(self) -> int:
        """T, the number of tasks."""
        return len(self.squared_norms)

    @property
    def gram(self) -> FloatArray:
        """Inner products ⟨w*_i, w*_j⟩, shape (T, T)."""
        norms = self.squared_norms
        return (norms[:, None] + norms[None, :] - self.squared_distances) / 2

    @property
    def cosines(self) -> FloatArray:
        """Cosine similarities (T, T); ValueError if a task vector is zero."""
        if (self.squared_norms == 0).any():
            task = int(np.argmin(self.squared_norms))
            raise ValueError(
                f"the cosine of task {task} is undefined: its vector is zero; use "
                "measure='distance'"
            )
        scale = np.sqrt(self.squared_norms)
        return np.clip(self.gram / np.outer(scale, scale), -1.0, 1.0)

    def coordinates(self) -> FloatArray:
        """Vectors with this geometry in R^T, shape (T, T): rows of a symmetric square root."""
        values, basis = np.linalg.eigh(self.gram)
        return (basis * np.sqrt(np.clip(values, 0.0, None))) @ basis.T


def geometry(task_vectors: Any) -> TaskGeometry:
    """Return the `TaskGeometry` of task vectors (T, p); a `TaskGeometry` is returned as it is.

    Raises
    ------
    ValueError, TypeError
        If the vectors are not finite real numbers of equal length.
    """
    if isinstance(task_vectors, TaskGeometry):
        return task_vectors
    array = arguments.vectors(task_vectors)
    norms = np.einsum("ip,ip->i", array, array)
    centered = array - array.mean(axis=0)  # distances keep their digits when norms are large
    gram = centered @ centered.T
    squares = np.diag(gram)
    distances = np.maximum(squares[:, None] + squares[None, :] - gram - gram.T, 0.0)
    np.fill_diagonal(distances, 0.0)
    return TaskGeometry(norms, distances, array.shape[1])


def geometry_from_gram(gram: npt.ArrayLike, dimension: int) -> TaskGeometry:
    """Return the geometry of tasks with the given Gram matrix of inner products in R^dimension.

    Parameters
    ----------
    gram : array (T, T)
        Symmetric positive semi-definite, of rank at most `dimension`.
    dimension : int
        p.

    Raises
    ------
    ValueError
        If `gram` is not such a matrix; the message names the offending eigenvalue or rank.
    """
    dimension = arguments.integer("dimension", dimension, 1)
    matrix = np.asarray(gram, dtype=np.float64)
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1] or not matrix.size:
        raise ValueError(f"gram must have shape (num_tasks, num_tasks), got {matrix.shape}")
    if not np.isfinite(matrix).all() or not np.allclose(matrix, matrix.T, rtol=1e-12):
        raise ValueError("gram must be finite and symmetric")
    values = np.linalg.eigvalsh(matrix)
    floor = 1e-10 * max(float(np.abs(values).max()), np.finfo(float).tiny)
    if values[0] < -floor:
        raise ValueError(
            f"gram must be positive semi-definite, its smallest eigenvalue is {values[0]:.3g}"
        )
    rank = int((values > floor).sum())
    if rank > dimension:
        raise ValueError(
            f"gram has rank {rank}, which needs a dimension >= {rank}, got {dimension}"
        )
    norms = np.diag(matrix).copy()
    distances = np.maximum(norms[:, None] + norms[None, :] - matrix - matrix.T, 0.0)
    np.fill_diagonal(distances, 0.0)
    return TaskGeometry(norms, distances, dimension)


def equicorrelated_tasks(
    num_tasks: int, dimension: int, cosine: float, norm: float = 1.0
) -> FloatArray:
    """Return task vectors (T, p) of equal norm and common pairwise cosine.

    Raises
    ------
    ValueError
        If `cosine` is outside [−1/(T−1), 1] (no such vectors exist), `norm` < 0, or p is smaller
        than the rank of the set.
    """
    num_tasks = arguments.integer("num_tasks", num_tasks, 1)
    lowest = -1.0 / (num_tasks - 1) if num_tasks > 1 else -1.0
    cosine = arguments.real("cosine", cosine, lowest, 1.0)
    norm = arguments.real("norm", norm, 0.0)
    gram = norm**2 * ((1 - cosine) * np.eye(num_tasks) + cosine)
    return _embed(geometry_from_gram(gram, dimension))


def clustered_tasks(
    clusters: Sequence[int], dimension: int, within: float, between: float, norm: float = 1.0
) -> FloatArray:
    """Return task vectors (T, p) of equal norm whose cosine depends on the cluster only.

    Parameters
    ----------
    clusters : T integers
        Cluster label of each task, in order of arrival, e.g. (0, 0, 1, 1).
    dimension : int
        p.
    within, between : float in [−1, 1]
        Cosine of two tasks of one cluster, and of two clusters.
    norm : float
        Common norm ‖w*_i‖.

    Raises
    ------
    ValueError
        If no vectors have these cosines in R^p.
    """
    labels = np.array([arguments.integer("clusters", label, 0) for label in clusters])
    if not labels.size:
        raise ValueError("clusters must have at least one label, got none")
    within = arguments.real("within", within, -1.0, 1.0)
    between = arguments.real("between", between, -1.0, 1.0)
    norm = arguments.real("norm", norm, 0.0)
    gram = np.where(labels[:, None] == labels[None, :], within, between)
    np.fill_diagonal(gram, 1.0)
    return _embed(geometry_from_gram(norm**2 * gram, dimension))


def _embed(tasks: TaskGeometry) -> FloatArray:
    """Return vectors (T, p) with this geometry; beyond T coordinates they are zero."""
    rank = min(tasks.num_tasks, tasks.dimension)
    values, basis = np.linalg.eigh(tasks.gram)
    if rank == tasks.num_tasks:
        short = tasks.coordinates()
    else:  # fewer dimensions than tasks: the leading eigenvectors carry all the rank
        short = (basis * np.sqrt(np.clip(values, 0.0, None)))[:, ::-1][:, :rank]
    result = np.zeros((tasks.num_tasks, tasks.dimension))
    result[:, :rank] = short
    return result
