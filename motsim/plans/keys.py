"""The key of a run: the same settings and science code, the same key, on every machine.

Science code is the module of a kind of run and all that it imports of its package
(motsim/experiments/sources.py); of a user's own module also what lies beside it.
"""

import hashlib
import json
from collections.abc import Iterable
from typing import Any

from motsim.experiments.protocol import Kind
from motsim.experiments.sources import NO_NUMBERS, science_hash, sources

__all__ = ["NO_NUMBERS", "kind_key", "run_key", "science_hash", "seed_keys", "sources"]

KEYS = 2  # version of the rule that makes keys; not that of the file, which may be migrated
MARK = "\0"  # in the place of a seed


def run_key(kind: str, settings: dict[str, Any], module: str, science: str = "") -> str:
    """Key of a run: 32 hexadecimal digits over settings and science code.

    `science` is the hash of that code where the module's name does not tell it.
    """
    return _hashed(_text(kind, settings, science or science_hash(module)))


def kind_key(kind: Kind, settings: dict[str, Any]) -> str:
    """Key of a run of a kind, with its settings as it dumps them."""
    return run_key(kind.name, settings, kind.module_name, kind.science)


def seed_keys(kind: Kind, settings: dict[str, Any], seeds: Iterable[int]) -> list[str]:
    """Keys of the runs that have these settings and differ by their seeds.

    The same as of `kind_key`, where all but the seed is written out once: the keys of the sweeps
    that come with motsim take a second, and not six.
    """
    science = kind.science or science_hash(kind.module_name)
    parts = _text(kind.name, {**settings, "seed": MARK}, science).split(
        f'"seed": {json.dumps(MARK)}'
    )
    if len(parts) != 2:  # a setting holds what looks like one
        return [kind_key(kind, {**settings, "seed": seed}) for seed in seeds]
    return [_hashed(f'{parts[0]}"seed": {seed}{parts[1]}') for seed in seeds]


def _text(kind: str, settings: dict[str, Any], science: str) -> str:
    return json.dumps([KEYS, kind, science, _canonical(settings)], sort_keys=True)


def _hashed(text: str) -> str:
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
