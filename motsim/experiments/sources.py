"""Sources of a kind of run: its module and all that it imports of its package, by import alone.

Nothing is listed by hand, so that no source can be forgotten. What is imported of other packages
(NumPy, SciPy) is not followed.
"""

import hashlib
import re
from collections.abc import Iterator
from functools import cache
from importlib.util import find_spec
from pathlib import Path

__all__ = ["NO_NUMBERS", "file_of", "package_home", "science_hash", "sources", "words_imported"]

#: They say what a result is, how settings are read (a key holds what was read), what to install
#: and where compiled kernels lie; no number comes from them.
NO_NUMBERS = {
    "motsim", "motsim.experiments", "motsim.experiments.base", "motsim.experiments.result",
    "motsim.extras", "motsim.vectors.compiling",
}  # fmt: skip
#: Imports by their words alone: parsing sixty modules would take longer than a start may.
FROM = re.compile(r"^[ \t]*from[ \t]+([\w.]+)[ \t]+import[ \t]+(\([^)]*\)|[^\n#]+)", re.MULTILINE)
IMPORT = re.compile(r"^[ \t]*import[ \t]+([^\n#]+)", re.MULTILINE)
COMMENT = re.compile(r"#[^\n]*")


@cache
def sources(module: str) -> dict[str, Path]:
    """Files of a module and of all that it imports of its package, by name.

    Raises
    ------
    ModuleNotFoundError
        If there is no such module.
    """
    spec = find_spec(module)
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError(f"no module {module!r}")
    package = module.partition(".")[0]
    home = package_home(package)
    found = {module: Path(spec.origin)}
    waiting = [module]
    while waiting:
        name = waiting.pop()
        for other in words_imported(found[name].read_text(), package):
            path = file_of(home, other)
            if path and other not in found and other not in NO_NUMBERS:
                found[other] = path
                waiting.append(other)
    return dict(sorted(found.items()))


@cache
def science_hash(module: str) -> str:
    """Hash of the source files that determine a kind's numbers; `module` is where it runs."""
    digest = hashlib.blake2b(digest_size=16)
    for name, path in sources(module).items():
        digest.update(name.encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()


def words_imported(text: str, package: str) -> Iterator[str]:
    """Yield what a source imports of a package, and what may be a module in it."""
    named = [(home, COMMENT.sub("", things)) for home, things in FROM.findall(text)]
    for home, things in named:
        if home.partition(".")[0] == package:
            yield home
            yield from (f"{home}.{thing.split()[0]}" for thing in _split(things))
    for things in IMPORT.findall(text):
        yield from (t.split()[0] for t in _split(things) if t.split(".")[0].strip() == package)


def package_home(package: str) -> Path:
    """Folder that an importable package, or a module, lies in.

    Raises
    ------
    ModuleNotFoundError
        If there is none.
    """
    spec = find_spec(package)
    folders = list(spec.submodule_search_locations or ()) if spec else []
    if folders:
        return Path(folders[0]).parent
    if spec is None or not spec.has_location or spec.origin is None:
        raise ModuleNotFoundError(f"no source of module {package!r}", name=package)
    return Path(spec.origin).parent


def file_of(folder: Path, name: str) -> Path | None:
    """File of a module whose outermost package, or itself, lies in a folder; None without one."""
    inner = folder.joinpath(*name.split("."))
    for path in (inner.with_suffix(".py"), inner / "__init__.py"):
        if path.is_file():
            return path
    return None


def _split(things: str) -> list[str]:
    return [thing for thing in things.strip("() \n").split(",") if thing.strip()]
