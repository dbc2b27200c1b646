"""The key of a run: the same settings and science code, the same key, on every machine.

Science code is the module of a kind of run and all that it imports of its package, directly or
through others: nothing is listed by hand, so that no source can be forgotten.
"""

import hashlib
import json
import re
from collections.abc import Iterator
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

__all__ = ["run_key", "science_hash", "sources"]

KEYS = 2  # version of the rule that makes keys; not that of the file, which may be migrated
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
    root = _root(module.partition(".")[0])
    found = {module: Path(spec.origin)}
    waiting = [module]
    while waiting:
        name = waiting.pop()
        for other in _imports(found[name].read_text(), root.name):
            path = _file(root, other)
            if path and other not in found and other not in NO_NUMBERS:
                found[other] = path
                waiting.append(other)
    return dict(sorted(found.items()))


def _root(package: str) -> Path:
    spec = find_spec(package)
    assert spec is not None
    places = spec.submodule_search_locations
    return Path(next(iter(places))) if places else Path(package)


def _imports(text: str, package: str) -> Iterator[str]:
    named = [(home, COMMENT.sub("", things)) for home, things in FROM.findall(text)]
    for home, things in named:
        if home.partition(".")[0] == package:
            yield home
            yield from (f"{home}.{thing.split()[0]}" for thing in _split(things))
    for things in IMPORT.findall(text):
        yield from (t.split()[0] for t in _split(things) if t.split(".")[0].strip() == package)


def _split(things: str) -> list[str]:
    return [thing for thing in things.strip("() \n").split(",") if thing.strip()]


def _file(root: Path, name: str) -> Path | None:
    place = root.joinpath(*name.split(".")[1:])
    for path in (place.with_suffix(".py"), place / "__init__.py"):
        if path.is_file():
            return path
    return None


@cache
def science_hash(module: str) -> str:
    """Hash of the source files that determine a kind's numbers; `module` is where it runs."""
    digest = hashlib.blake2b(digest_size=16)
    for name, path in sources(module).items():
        digest.update(name.encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()


def run_key(kind: str, settings: dict[str, Any], module: str) -> str:
    """Key of a run: 32 hexadecimal digits over settings and science code."""
    text = json.dumps([KEYS, kind, science_hash(module), _canonical(settings)], sort_keys=True)
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def _canonical(value: Any) -> Any:
    """Same value, same text: floats as hexadecimal, so that 1 and 1.0 of a float field agree."""
    if isinstance(value, bool) or value is None or isinstance(value, (str, int)):
        return value
    if isinstance(value, float):
        return value.hex()
    if isinstance(value, dict):
        return {key: _canonical(item) for key, item in value.items()}
    return [_canonical(item) for item in value]
