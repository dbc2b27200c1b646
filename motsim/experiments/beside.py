"""Modules that lie beside a sweep file and nowhere else: imported by name, anew once changed.

They are found after everything that is installed, so that no file of a user hides a module that
motsim needs. Python's cache of bytecode is not asked: it takes an edit of the same length within
the same second for the old text, and a run would be stored under the key of code that never ran.
"""

import importlib
import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from importlib.util import spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

from motsim.experiments.sources import file_of

__all__ = [
    "Stamp",
    "enter",
    "forget",
    "hidden",
    "import_beside",
    "imported_beside",
    "is_stale",
    "stamp",
]

Stamp = tuple[int, int, int]


def stamp(path: Path) -> Stamp | None:
    """Return what changes with a file; None if it is gone."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


class _Fresh(SourceFileLoader):
    """A loader that compiles what it reads."""

    def get_code(self, fullname: str) -> Any:
        path = self.get_filename(fullname)
        _finder.loaded[fullname] = (Path(path), stamp(Path(path)))
        return self.source_to_code(self.get_data(path), path)


class _Finder(MetaPathFinder):
    """Finds modules in one folder at a time."""

    def __init__(self) -> None:
        self.folder = ""
        self.loaded: dict[str, tuple[Path, Stamp | None]] = {}
        self.packages: set[str] = set()

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return what makes a module of the folder; None if it is not there, or also elsewhere."""
        parent = fullname.rpartition(".")[0]
        if not self.folder or (parent and parent not in self.packages):
            return None
        file = file_of(Path(self.folder), fullname)
        inner = Path(self.folder, *fullname.split("."))
        if not parent and (file or inner.is_dir()) and _elsewhere(fullname, file):
            return None
        if file is not None:
            is_package = file.name == "__init__.py"
            if is_package:
                self.packages.add(fullname)
            return spec_from_file_location(
                fullname, file, loader=_Fresh(fullname, str(file)),
                submodule_search_locations=[str(file.parent)] if is_package else None,
            )  # fmt: skip
        if inner.is_dir() and any(inner.glob("*.py")):  # a package without __init__.py
            self.packages.add(fullname)
            spec = ModuleSpec(fullname, None, is_package=True)
            spec.submodule_search_locations = [str(inner)]
            return spec
        return None


def _elsewhere(name: str, file: Path | None) -> bool:
    """Whether an installed module has this name, other than by way of this very file."""
    if name in sys.stdlib_module_names:
        return True
    spec = PathFinder.find_spec(name)
    if spec is None or spec.origin is None:
        return False
    return file is None or not file.samefile(spec.origin)


_finder = _Finder()


def enter(folder: str) -> None:
    """Find modules in this folder from now on, and not in the one before."""
    if _finder not in sys.meta_path:
        sys.meta_path.insert(0, _finder)
    if _finder.folder != folder:
        forget()
        _finder.folder = folder


def forget() -> None:
    """Let everything that came from the folder be imported again."""
    for name in (*_finder.loaded, *_finder.packages):
        sys.modules.pop(name, None)
    _finder.loaded.clear()
    _finder.packages.clear()
    importlib.invalidate_caches()


def import_beside(name: str, folder: str) -> ModuleType:
    """Import a module of a folder.

    Raises
    ------
    ImportError
        If another module of that name is installed.
    """
    enter(folder)
    module = importlib.import_module(name)
    file = file_of(Path(folder), name)
    there = getattr(module, "__file__", None)
    if file is None or there is None or not file.samefile(there):
        top = name.partition(".")[0]
        raise ImportError(f"another module is called {top!r} ({there or 'built in'}); rename yours")
    return module


def hidden(name: str, folder: str) -> bool:
    """Whether an installed module is imported in place of the folder's of this name."""
    file = file_of(Path(folder), name)
    return file is not None and _elsewhere(name, file)


def imported_beside() -> dict[str, Path]:
    """Modules that were imported from the folder, by name."""
    return {name: path for name, (path, _) in _finder.loaded.items()}


def is_stale() -> bool:
    """Whether a file has changed since it was imported from the folder."""
    return any(stamp(path) != before for path, before in _finder.loaded.values())
