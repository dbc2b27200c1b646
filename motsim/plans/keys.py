"""The key of a run: the same settings and science code, the same key, on every machine.

Science code is the module of a kind of run and all that it imports of its package
(motsim/experiments/sources.py); of a user's own module also what lies beside it.
"""

import hashlib
import json
from typing import Any

from motsim.experiments.protocol import Kind
from motsim.experiments.sources import NO_NUMBERS, science_hash, sources

__all__ = ["NO_NUMBERS", "kind_key", "run_key", "science_hash", "sources"]

KEYS = 2  # version of the rule that makes keys; not that of the file, which may be migrated


def run_key(kind: str, settings: dict[str, Any], module: str, science: str = "") -> str:
    """Key of a run: 32 hexadecimal digits over settings and science code.

    `science` is the hash of that code where the module's name does not tell it.
    """
    found = science or science_hash(module)
    text = json.dumps([KEYS, kind, found, _canonical(settings)], sort_keys=True)
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def kind_key(kind: Kind, settings: dict[str, Any]) -> str:
    """Key of a run of a kind, with its settings as it dumps them."""
    return run_key(kind.name, settings, kind.module_name, kind.science)


def _canonical(value: Any) -> Any:
    """Same value, same text: floats as hexadecimal, so that 1 and 1.0 of a float field agree."""
    if isinstance(value, bool) or value is None or isinstance(value, (str, int)):
        return value
    if isinstance(value, float):
        return value.hex()
    if isinstance(value, dict):
        return {key: _canonical(item) for key, item in value.items()}
    return [_canonical(item) for item in value]
