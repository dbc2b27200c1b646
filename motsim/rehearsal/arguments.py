"""Argument checks of the rehearsal package: once, at the edge, with the rule in the message."""

from __future__ import annotations

import math
import operator
from collections.abc import Iterable, Sequence
from typing import Any, SupportsIndex

import numpy as np
import numpy.typing as npt

from motsim.checks import check_choice

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]


def integer(name: str, value: Any, minimum: int) -> int:
    """Return `value` as an int >= `minimum`, or raise TypeError / ValueError."""
    if type(value) is not int and (  # the check of a protocol is slow
        isinstance(value, (bool, np.bool_)) or not isinstance(value, SupportsIndex)
    ):
        raise TypeError(f"{name} must be an integer >= {minimum}, got {value!r}")
    number = operator.index(value)
    if number < minimum:
        raise ValueError(
            f"{name} must be an integer >= {minimum}, got {number}; the nearest valid value "
            f"is {minimum}"
        )
    return number


def real(name: str, value: Any, low: float = -math.inf, high: float = math.inf) -> float:
    """Return `value` as a finite float in [low, high], or raise TypeError / ValueError."""
    if isinstance(value, (bool, np.bool_, str, bytes)):
        raise TypeError(f"{name} must be a real number, got {value!r}")
    try:
        number = float(value)
    except (TypeError, ValueError):
        raise TypeError(f"{name} must be a real number, got {value!r}") from None
    if not math.isfinite(number):
        raise ValueError(f"{name} must be finite, got {number}")
    if not low <= number <= high:
        nearest = min(max(number, low), high)
        raise ValueError(
            f"{name} must lie in [{low:g}, {high:g}], got {number:g}; the nearest valid value "
            f"is {nearest:g}"
        )
    return number


def noise_level(value: Any) -> float:
    """Return the noise standard deviation as a finite float >= 0."""
    return real("noise_std", value, low=0.0)


def choice(name: str, value: Any, options: Iterable[str]) -> str:
    """Return `value` if it is one of `options`; the message suggests the closest of them."""
    names = list(options)
    if not isinstance(value, str):
        raise TypeError(f"{name} must be one of {', '.join(names)}, got {value!r}")
    check_choice(name, value, names)
    return value


def counts(name: str, value: Any, length: int, minimum: int) -> tuple[int, ...]:
    """Return one int per task: a scalar is repeated, a sequence must have `length` items."""
    if isinstance(value, (str, bytes)) or value is None:
        raise TypeError(f"{name} must be an integer or {length} integers, got {value!r}")
    if isinstance(value, (Sequence, np.ndarray)) and np.ndim(value) > 0:
        if len(value) != length:
            raise ValueError(
                f"{name} must be one integer or one per task ({length}), got {len(value)} values"
            )
        return tuple(integer(f"{name}[{i}]", item, minimum) for i, item in enumerate(value))
    return (integer(name, value, minimum),) * length


def vectors(value: Any) -> FloatArray:
    """Return task vectors as a float64 array (T, p): T >= 1, p >= 1, finite, of equal length."""
    try:
        array = np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError):
        lengths = _lengths(value)
        if len(set(lengths)) > 1:
            raise ValueError(
                f"task_vectors must have equal lengths, got lengths {lengths}"
            ) from None
        raise TypeError(
            "task_vectors must be real numbers of shape (num_tasks, dimension), "
            f"got {type(value).__name__}"
        ) from None
    if array.ndim != 2 or 0 in array.shape:
        raise ValueError(
            f"task_vectors must have shape (num_tasks, dimension), got shape {array.shape}"
        )
    if not np.isfinite(array).all():
        task, entry = np.argwhere(~np.isfinite(array))[0]
        raise ValueError(
            f"task_vectors must be finite, got {array[task, entry]} in task {task}, entry {entry}"
        )
    return array


def _lengths(value: Any) -> list[int]:
    try:
        return [len(row) for row in value]
    except TypeError:
        return []


def check_columns(columns: int, dimension: int, where: str) -> None:
    """Raise ValueError unless a fit of so many columns has a finite expected error."""
    if columns > dimension - 2:
        raise ValueError(
            f"{where} uses {columns} columns in dimension {dimension}; the expected error is "
            f"finite only for columns <= dimension - 2: use at most {max(dimension - 2, 0)} "
            f"columns, or a dimension of at least {columns + 2}"
        )
