"""A question about runs: what is subtracted, which eps, which passage, how sure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from motsim.rates.reading import ReadingError
from motsim.rates.reading.refusal import short
from motsim.rates.runs import PASSAGES, Passage

__all__ = ["Question", "check_eps", "check_level"]


@dataclass(frozen=True)
class Question:
    """What is asked of runs, as `motsim.rate` explains it; refused in one line if it is not meant.

    Attributes
    ----------
    floor : float or "estimate"
    eps_range : (low, high) or None
    passage : {"first", "stay"}
    level : float
    """

    floor: float | str = 0.0
    eps_range: tuple[float, float] | None = None
    passage: Passage = "first"
    level: float = 0.95

    def __post_init__(self) -> None:
        if self.passage not in PASSAGES:
            raise ReadingError(f"passage must be first or stay; got {self.passage!r}")
        if self.eps_range is not None and not 0.0 < self.eps_range[0] < self.eps_range[1]:
            low, high = self.eps_range
            raise ReadingError(f"range must satisfy 0 < LOW < HIGH; got {low} {high}")
        if isinstance(self.floor, str) and self.floor != "estimate":
            raise ReadingError(f"floor must be a number or estimate; got {self.floor!r}")
        if not isinstance(self.floor, str) and not np.isfinite(self.floor):
            raise ReadingError(f"floor must be finite; got {self.floor}")
        check_level(self.level)


def check_level(level: Any) -> float:
    """Return a confidence level; ReadingError, with the level that was meant, if it is none."""
    if is_number(level) and 0.5 <= level < 1.0:
        return float(level)
    percent = is_number(level) and 50.0 <= level < 100.0
    hint = f"; did you mean {level / 100.0:g}?" if percent else ""
    raise ReadingError(f"level must be from 0.5 to below 1; got {_shown(level)}{hint}")


def check_eps(eps: Any) -> float:
    """Return an accuracy; ReadingError if it is no positive finite number."""
    if is_number(eps) and 0.0 < eps < np.inf:
        return float(eps)
    raise ReadingError(f"eps must be a positive number; got {_shown(eps)}")


def is_number(value: object) -> bool:
    """Tell whether a value is a real number, NumPy's too."""
    return isinstance(value, int | float | np.number) and not isinstance(value, bool)


def _shown(value: Any) -> str:
    return f"{value:g}" if is_number(value) else short(value)
