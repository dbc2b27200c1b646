"""Kinds of run of a user's own: a module by its name, importable or beside the sweep file."""

import ast
import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path

import motsim
from motsim.checks import did_you_mean
from motsim.experiments.beside import (
    Stamp,
    enter,
    forget,
    hidden,
    import_beside,
    imported_beside,
    is_stale,
    stamp,
)
from motsim.experiments.protocol import Kind, KindError, checked
from motsim.experiments.sources import NO_NUMBERS, file_of, package_home, words_imported
from motsim.extras import MissingExtraError

__all__ = ["load_own", "own_sources", "split_name", "undeclared"]

MOTSIM = Path(motsim.__file__).resolve().parents[1]
INSTALLED = ("site-packages", "dist-packages")  # where packages lie that others wrote
TRIES = 3  # of an import during which a source changes


@dataclass(frozen=True)
class _Loaded:
    kind: Kind
    stamps: dict[Path, Stamp | None]  # of sources beside the sweep file; none of a package


_loaded: dict[tuple[str, str], _Loaded] = {}
_names: dict[str, frozenset[str]] = {}  # science -> modules that it covers


def split_name(name: str) -> tuple[str, str]:
    """Return module and function of ``module:function``; without a function it is `run`."""
    module, colon, function = name.partition(":")
    function = function if colon else "run"
    if not all(part.isidentifier() for part in (*module.split("."), function)):
        raise KindError(f"kind must be module or module:function; got {name!r}")
    return module, function


def load_own(name: str, folder: str = "") -> Kind:
    """Return the kind of a name, as its sources are now.

    A module that lies in `folder` is that one; others are imported as every module. One that lies
    in the folder is imported again if it, or what it imports there, has changed.

    Raises
    ------
    KindError
        In one line: there is no such module, it cannot be imported, or it is no kind.
    """
    module_name, function = split_name(name)
    folder = str(Path(folder).resolve()) if folder else ""
    beside = bool(folder) and file_of(Path(folder), module_name) is not None
    own_folder = folder if beside else ""
    known = _loaded.get((name, own_folder))
    if known and known.stamps == _stamps(known.stamps):
        if beside:
            enter(own_folder)
        return known.kind
    for _ in range(TRIES):
        if is_stale():
            forget()
        kind, stamps = _read(name, module_name, function, own_folder, folder)
        if stamps == _stamps(stamps) and not is_stale():
            _loaded[name, own_folder] = _Loaded(kind, stamps)
            return kind
    raise KindError(f"kind {name!r}: its sources change while they are read; try again")


def _read(
    name: str, module_name: str, function: str, own_folder: str, folder: str
) -> tuple[Kind, dict[Path, Stamp | None]]:
    """Import a kind; return it with the stamps of what it was read from."""
    try:
        files = own_sources(module_name, own_folder)
        stamps = _stamps(files.values()) if own_folder else {}
        if own_folder:
            _check_names(files, own_folder)
        module = (
            import_beside(module_name, own_folder) if own_folder else import_module(module_name)
        )
    except ModuleNotFoundError as error:
        if error.name != module_name and error.name not in _parents(module_name):
            raise KindError(f"kind {name!r}: {module_name} needs {error.name!r}, which is not"
                            " installed") from error  # fmt: skip
        raise KindError(f"kind {name!r}: {_absent(module_name, folder)}") from error
    except MissingExtraError:
        raise
    except (Exception, SystemExit) as error:  # whatever a module does when it is imported
        text = f"{type(error).__name__}: {error}"
        raise KindError(f"kind {name!r}: {module_name} cannot be imported: {text}") from error
    kind = checked(Kind(f"{module_name}:{function}", module, function, own_folder), name)
    declared = _declared(kind, name)
    if own_folder:
        stamps |= _stamps(declared)
    kind = replace(kind, science=_digest(files, declared))
    _names[kind.science] = frozenset(files)
    return kind, stamps


def _check_names(files: Iterable[str], own_folder: str) -> None:
    """Refuse a module of the folder that an installed one of its name would be imported before."""
    for top in {name.partition(".")[0] for name in files} - {"motsim"}:
        if hidden(top, own_folder):
            raise ImportError(f"another module hides {top!r} in {own_folder}; rename yours")


def undeclared(kind: Kind) -> list[str]:
    """Names of modules beside the sweep file that ran and are no part of the kind's key."""
    if not kind.folder:
        return []
    known = _names[kind.science]
    if all(name in known for name in imported_beside()):
        return []
    declared = {path.resolve() for path in _declared(kind, kind.name)}
    return sorted(
        name for name, path in imported_beside().items()
        if name not in known and path.resolve() not in declared
    )  # fmt: skip


def own_sources(module: str, folder: str = "") -> dict[str, Path]:
    """Files of a module and of all that it imports of its package, its folder or motsim, by name.

    Raises
    ------
    ModuleNotFoundError
        If there is no such module.
    SyntaxError, OSError
        If a source cannot be read.
    """
    package = module.partition(".")[0]
    home = Path(folder) if folder else package_home(package)
    siblings = bool(folder) or home.name not in INSTALLED
    found: dict[str, Path] = {}
    waiting = [*_parents(module), module]
    while waiting:
        name = waiting.pop()
        if name in found or name in NO_NUMBERS:
            continue
        top = name.partition(".")[0]
        if top == "motsim":
            path = file_of(MOTSIM, name)
        else:
            path = file_of(home, name) if siblings or top == package else None
        if path is None:
            continue
        found[name] = path
        if top == "motsim":
            waiting += words_imported(path.read_text(), "motsim")
        else:
            waiting += _imported(path, name)
    if module not in found:
        raise ModuleNotFoundError(f"no module {module!r}", name=module)
    return dict(sorted(found.items()))


def _imported(path: Path, name: str) -> Iterator[str]:
    """Yield what a user's source may import, parents included, as Python's parser sees it."""
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    for node in ast.walk(ast.parse(path.read_bytes(), str(path))):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield from (*_parents(alias.name), alias.name)
                if alias.name == "motsim":  # any of its names may be used
                    yield from (f"motsim.{home}" for home in motsim._HOME.values())
        elif isinstance(node, ast.ImportFrom):
            home = node.module or ""
            if node.level:
                parts = package.split(".")
                home = ".".join(filter(None, [*parts[: len(parts) - node.level + 1], home]))
            yield from (*_parents(home), home)
            for alias in node.names:
                yield f"{home}.{alias.name}"
                if home == "motsim" and alias.name in motsim._HOME:
                    yield f"motsim.{motsim._HOME[alias.name]}"


def _parents(module: str) -> list[str]:
    """Packages around a module: their code runs first.

    >>> _parents("a.b.c")
    ['a', 'a.b']
    """
    parts = module.split(".")
    return [".".join(parts[:k]) for k in range(1, len(parts))]


def _declared(kind: Kind, name: str) -> list[Path]:
    """Files that `SOURCES` names."""
    base = Path(kind.module.__file__ or ".").parent
    found: list[Path] = []
    for pattern in getattr(kind.module, "SOURCES", ()):
        try:
            files = sorted(path for path in base.glob(pattern) if path.is_file())
        except (ValueError, NotImplementedError):  # an absolute path, or none
            files = []
        if not files:
            raise KindError(f"kind {name!r}: SOURCES: no file {pattern!r} in {base}")
        found += files
    return found


def _digest(files: dict[str, Path], declared: Iterable[Path]) -> str:
    digest = hashlib.blake2b(digest_size=16)
    named = [*files.items(), *((path.name, path) for path in declared)]
    for name, path in named:
        content = path.read_bytes()
        digest.update(f"{name}\0{len(content)}\0".encode())
        digest.update(content)
    return digest.hexdigest()


def _stamps(paths: Iterable[Path]) -> dict[Path, Stamp | None]:
    return {path: stamp(path) for path in paths}


def _absent(module: str, folder: str) -> str:
    """Say that there is no such module, and which is near."""
    there = sorted(path.stem for path in Path(folder).glob("*.py")) if folder else []
    hint = did_you_mean(module, there)
    where = f"beside the sweep file ({folder}) or installed" if folder else "installed"
    return f"no module {module!r} {where}{hint}"
