"""The key of a run: the same settings and science code, the same key, on every machine."""

import hashlib
import json
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

__all__ = ["run_key", "science_hash"]

KEYS = 1  # version of the rule that makes keys; not that of the file, which may be migrated
PACKAGE = Path(__file__).parents[1]


@cache
def science_hash(sources: tuple[str, ...]) -> str:
    """Hash of the source files that determine a kind's numbers."""
    digest = hashlib.blake2b(digest_size=16)
    for name in sources:
        place = PACKAGE / name
        for path in sorted(place.glob("*.py")) if place.is_dir() else [place]:
            digest.update(path.relative_to(PACKAGE).as_posix().encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()


def run_key(kind: str, settings: dict[str, Any], sources: Sequence[str]) -> str:
    """Key of a run: 32 hexadecimal digits over settings and science code."""
    text = json.dumps(
        [KEYS, kind, science_hash(tuple(sources)), _canonical(settings)], sort_keys=True
    )
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
