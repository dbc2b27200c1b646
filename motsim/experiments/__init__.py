"""Kinds of run: each is a module with `Settings` and `run(settings) -> Result`.

Those that come with motsim are folders here whose module is `run`; a kind is the name of its
folder, and nothing lists them by hand. Others are plugged in by an installed package (entry point
`motsim.kinds`) or named by their module, ``mypkg.quad:run`` (`motsim.experiments.protocol`).
"""

import pkgutil
import sys
from functools import cache
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING

from motsim.checks import check_choice

if TYPE_CHECKING:
    from motsim.experiments.protocol import Kind

__all__ = ["kind_module", "kinds", "load_kind"]


def kinds() -> list[str]:
    """Names of all kinds of run that come with motsim."""
    return list(_kinds(tuple(__path__)))


@cache
def _kinds(folders: tuple[str, ...]) -> list[str]:
    return sorted({found.name for found in pkgutil.iter_modules(folders) if found.ispkg})


def kind_module(kind: str) -> ModuleType:
    """Return the module of one of motsim's kinds; ValueError if there is none."""
    check_choice("kind", kind, kinds())
    return import_module(f"{__name__}.{kind}.run")


def load_kind(kind: str, folder: str = "") -> "Kind":
    """Return a kind by its name: one of motsim's, one plugged in, or a user's own module.

    `folder` is where the sweep file lies: a module may lie beside it.

    Raises
    ------
    ValueError
        In one line, if there is none, or it is not what a kind has to be.
    """
    from motsim.experiments.protocol import Kind

    if kind in kinds():
        return Kind(kind, kind_module(kind))
    from motsim.experiments.own import load_own
    from motsim.experiments.plugins import plugins

    plugged = plugins("motsim.kinds")
    if kind in plugged:
        return load_own(plugged[kind])
    if ":" in kind or "." in kind or _is_module(kind, folder):
        return load_own(kind, folder)
    names = ", ".join([*kinds(), *sorted(plugged)])
    raise ValueError(
        f"kind must be one of {names}, or a module of your own, module:function; got {kind!r}"
    )


def _is_module(name: str, folder: str) -> bool:
    """Whether a bare word names a module, here or installed."""
    from importlib.util import find_spec
    from pathlib import Path

    from motsim.experiments.sources import file_of

    if not name.isidentifier() or name in sys.stdlib_module_names:
        return False
    return bool(folder and file_of(Path(folder), name)) or find_spec(name) is not None
