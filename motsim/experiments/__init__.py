"""Kinds of run: each is a folder whose module `run` has `Settings` and `run(settings) -> Result`.

A kind is the name of its folder; nothing lists them by hand.
"""

import pkgutil
from functools import cache
from importlib import import_module
from types import ModuleType

from motsim.checks import check_choice

__all__ = ["kind_module", "kinds"]


def kinds() -> list[str]:
    """Names of all kinds of run."""
    return list(_kinds(tuple(__path__)))


@cache
def _kinds(places: tuple[str, ...]) -> list[str]:
    return sorted({found.name for found in pkgutil.iter_modules(places) if found.ispkg})


def kind_module(kind: str) -> ModuleType:
    """Return the module of one kind; ValueError if there is none."""
    check_choice("kind", kind, kinds())
    return import_module(f"{__name__}.{kind}.run")
