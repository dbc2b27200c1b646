"""Stacks: curves with as many points each, fitted in one call instead of one a curve."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from threading import Lock
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from motsim.rates.curves import Curve
from motsim.rates.laws import Array

KEPT = 1024  # fits: of the curves of a few samples, which are asked at several levels and ranges
MANY = 2**16  # numbers worked on at a time: few calls, and still a core's cache holds them
Rows = NDArray[np.intp]
T = TypeVar("T")


def pieces(count: int, width: int) -> list[slice]:
    """Cut `count` items that hold `width` numbers each into slices of `MANY` numbers at most."""
    most = max(MANY // width, 1)
    return [slice(start, start + most) for start in range(0, count, most)]


@dataclass(frozen=True, eq=False)
class Stack:
    """Points and bounds of curves with as many points each, as in `Curve`."""

    x: Array  # (num_curves, num_points)
    tau: Array  # (num_curves, num_points)
    bound: Array  # (num_curves,)

    @property
    def size(self) -> int:
        """Points of a curve."""
        return self.x.shape[1]


def together(
    curves: Sequence[Curve], width: int, fit: Callable[[Stack, Rows], tuple[Array, ...]]
) -> tuple[Array, ...]:
    """Fit curves stack by stack; return the answers in the order of the curves.

    Parameters
    ----------
    curves : sequence of Curve
        At least one.
    width : int
        Numbers that the fit holds for each point of a curve.
    fit : function
        Of a stack and the indices of its curves; its answers have the curves as first axis.
    """
    members_of: dict[int, list[int]] = defaultdict(list)
    for i_curve, curve in enumerate(curves):
        members_of[curve.x.size].append(i_curve)
    found, order = [], []
    for size, rows in members_of.items():
        for piece in pieces(len(rows), width * size):
            part = rows[piece]
            members = [curves[row] for row in part]
            stack = Stack(
                np.stack([c.x for c in members]),
                np.stack([c.tau for c in members]),
                np.array([c.bound for c in members]),
            )
            found.append(fit(stack, np.array(part)))
            order += part
    back = np.argsort(order)
    return tuple(np.concatenate(parts)[back] for parts in zip(*found, strict=True))


class Known(Generic[T]):
    """Fits of curves that were fitted before, by what the curves hold."""

    def __init__(self, fit: Callable[[Sequence[Curve]], Sequence[T]]) -> None:
        """Remember the answers of `fit`, one for each curve."""
        self._fit = fit
        self._found: dict[tuple[bytes, bytes, float], T] = {}
        self._lock = Lock()

    def __call__(self, curves: Sequence[Curve]) -> list[T]:
        """Return the answer for each curve; only curves that are new are fitted."""
        found = {
            c.contents: known for c in curves if (known := self._found.get(c.contents)) is not None
        }
        if new := {c.contents: c for c in curves if c.contents not in found}:
            fresh = dict(zip(new, self._fit(list(new.values())), strict=True))
            found |= fresh
            with self._lock:
                self._found |= fresh
                for old in list(self._found)[:-KEPT]:
                    del self._found[old]
        return [found[c.contents] for c in curves]
