"""The level at which intervals are made where no other is asked for.

Claims judge at `LEVEL`. `at_level` judges the same table at another one: that is how verdicts that
are read together are told from those that stand alone (motsim/claims/_together.py).
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

__all__ = ["LEVEL", "at_level", "resolve"]

LEVEL = 0.95
_level = ContextVar("level", default=LEVEL)


def resolve(level: float | None) -> float:
    """Return a level that was asked for, or the present one."""
    return _level.get() if level is None else level


@contextmanager
def at_level(level: float) -> Iterator[None]:
    """Make the intervals of a block at this level."""
    token = _level.set(level)
    try:
        yield
    finally:
        _level.reset(token)
