"""Kinds of run: each module has `Settings`, `SCIENCE` and `run(settings) -> Result`.

A kind is the name of its module; nothing lists them by hand.
"""

import pkgutil
from functools import cache
from importlib import import_module
from types import ModuleType

__all__ = ["kind_module", "kinds"]

NOT_KINDS = {
    "base", "measures", "mixture_anew", "mixture_settings", "realdata_samples",
    "realdata_settings", "rehearsal_settings", "rehearsal_tables", "result", "sizes",
}  # fmt: skip


def kinds() -> list[str]:
    """Names of all kinds of run."""
    return list(_kinds(tuple(__path__)))


@cache
def _kinds(places: tuple[str, ...]) -> list[str]:
    return sorted({m.name for m in pkgutil.iter_modules(places)} - NOT_KINDS)


def kind_module(kind: str) -> ModuleType:
    """Return the module of one kind; ValueError if there is none."""
    if kind not in kinds():
        raise ValueError(f"kind must be one of {', '.join(kinds())}; got {kind!r}")
    return import_module(f"{__name__}.{kind}")
