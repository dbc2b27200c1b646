"""The front door: how commands call themselves and each other in what they print."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

__all__ = ["front_door", "spoken"]

MODULE = re.compile(r"python -m (?:motsim\.|(?=figures\b))")
BARE = re.compile(r"(?<!-m )\bmotsim(?= (?:new|explain|compare|table|completion)\b)")
_door: ContextVar[str] = ContextVar("door", default="")


@contextmanager
def front_door(program: str) -> Iterator[None]:
    """Let commands call themselves ``PROGRAM sweep`` and so on, in place of their modules."""
    token = _door.set(program)
    try:
        yield
    finally:
        _door.reset(token)


def spoken(text: str) -> str:
    """Return text with commands as the user calls them.

    >>> with front_door("motsim"):
    ...     spoken("python -m motsim.sweep rates; python -m figures")
    'motsim sweep rates; motsim figures'
    """
    program = _door.get()
    if not program:
        return text
    return BARE.sub(program, MODULE.sub(f"{program} ", text))
