"""What a call changes in a sweep (settings, cases, seeds), in tables' names and in calls again.

Tables of changed runs stand beside the recorded ones: ``rates@num_experts=8.csv`` does not touch
``rates.csv``. A name says what was changed as long as it is short; the tables' description says it
always.
"""

import hashlib
import json
import re
import shlex
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self
from urllib.parse import quote, unquote

from motsim.plans.file import SweepError

__all__ = ["Axis", "Changes", "parse_override", "shown", "split_table", "sweep_words"]

WORD = re.compile(r"[A-Za-z_/.][A-Za-z0-9_/.-]*")
SAFE = ",[]+"  # in names of files, beside letters, digits and _.-~
LONGEST = 100  # characters of an ending; a name of a file has 255 at most
HIDDEN = "changed"  # in front of a digest, where the ending would be longer


class Axis(list[Any]):
    """Values of an axis: ``--set x=8,16`` runs both."""


@dataclass(frozen=True)
class Changes:
    """What a call changes.

    Attributes
    ----------
    sets : dict
        Setting, or CASE.setting for one case -> value; an `Axis` is a value each.
    cases : tuple of str
        The only cases that are run; empty for all.
    start, seeds : int, optional
        The first seed; seeds of each setting. Default: the file's.
    hidden : bool
        There are changes that the name of a table does not tell.
    """

    sets: Mapping[str, Any] = field(default_factory=dict)
    cases: tuple[str, ...] = ()
    start: int | None = None
    seeds: int | None = None
    hidden: bool = False

    @property
    def ending(self) -> str:
        """Ending of the tables' name; the same changes in another order give the same."""
        parts = [("case", case) for case in self.cases]
        parts += [(key, shown(value)) for key, value in sorted(self.sets.items())]
        parts += [] if self.start is None else [("seed_start", str(self.start))]
        text = "".join(f"@{quote(key, safe='')}={quote(value, safe=SAFE)}" for key, value in parts)
        if len(text) <= LONGEST:
            return text
        return f"@{HIDDEN}={hashlib.blake2b(text.encode(), digest_size=8).hexdigest()}"

    @property
    def options(self) -> str:
        """Options that make these changes in a call, each with a blank in front."""
        words = [word for case in self.cases for word in ("--case", case)]
        for key, value in sorted(self.sets.items()):
            words += ["--set", f"{key}={shown(value)}"]
        words += [] if self.seeds is None else ["--seeds", str(self.seeds)]
        words += [] if self.start is None else ["--seed-start", str(self.start)]
        text = "".join(f" {shlex.quote(word)}" for word in words)
        return f"{text} --set ..." if self.hidden else text

    def description(self) -> dict[str, Any]:
        """Return what a description of tables holds of the settings; `start` is held apart."""
        found: dict[str, Any] = {}
        if self.sets:
            found["set"] = [f"{key}={shown(value)}" for key, value in sorted(self.sets.items())]
        if self.cases:
            found["case"] = list(self.cases)
        if self.seeds is not None:
            found["seeds"] = self.seeds
        return found

    @classmethod
    def described(cls, name: str, meta: Mapping[str, Any]) -> Self:
        """Read what tables of this name and description have changed."""
        start, found = meta.get("seed_start"), meta.get("changes")
        found = found if isinstance(found, dict) else {}
        if start is None and not found:
            _, named = split_table(name)  # a description may be older, or not ours
            return cls(named.sets, named.cases, named.start, None, named.hidden)
        sets = dict(parse_override(str(text)) for text in found.get("set", ()))
        return cls(sets, tuple(found.get("case", ())), start, found.get("seeds"))


def split_table(table: str) -> tuple[str, Changes]:
    """Return the name of a sweep and what is changed, from the name of its tables.

    >>> split_table("rates@num_experts=8@seed_start=1000")[1].options
    ' --set num_experts=8 --seed-start 1000'
    >>> split_table("a@b")[0], split_table("rates")[1] == Changes()
    ('a@b', True)
    """
    name, *parts = table.split("@")
    sets: dict[str, Any] = {}
    cases, start, hidden = [], None, False
    for part in parts:
        key, _, text = (unquote(half) for half in part.partition("="))
        if not (name and key and text) or (key == "seed_start" and not text.isdecimal()):
            return table, Changes()  # only looks like it
        if key == "case":
            cases.append(text)
        elif key == "seed_start":
            start = int(text)
        elif key == HIDDEN:
            hidden = True
        else:
            sets[key] = _value(text)
    return name, Changes(sets, tuple(cases), start, None, hidden)


def sweep_words(table: str, name: str = "", meta: Mapping[str, Any] | None = None) -> str:
    """Return what makes tables in a call, from their name and, if it is at hand, description.

    >>> sweep_words("rates@seed_start=1000")
    'rates --seed-start 1000'
    """
    changes = Changes.described(table, meta or {})
    call = shlex.quote(name or split_table(table)[0]) + changes.options
    return f"{call} --tier full" if meta and meta.get("tier") == "full" else call


def parse_override(text: str) -> tuple[str, Any]:
    """``key=value`` with a TOML value; a bare word is a string, a list without brackets an `Axis`.

    >>> parse_override("num_experts=8")
    ('num_experts', 8)
    >>> parse_override("loss=squared,logistic")
    ('loss', ['squared', 'logistic'])
    """
    key, equals, value = text.partition("=")
    key = key.strip()
    if not equals or not key:
        raise SweepError(f"--set takes key=value; got {text!r}")
    return key, _value(value)


def shown(value: Any, *, inside: bool = False) -> str:
    """Return a value as `parse_override` reads it.

    >>> shown([1.0, 2.0]), shown(Axis([8, 16])), shown("squared"), shown("a,b")
    ('[1.0,2.0]', '8,16', 'squared', '"a,b"')
    """
    if isinstance(value, Axis):
        strings = [one for one in value if isinstance(one, str)]
        quoted = not all(_is_word(one) for one in strings)  # then the whole is a TOML list
        text = ",".join(shown(one, inside=quoted) for one in value)
        return text if len(value) > 1 else f"{text},"
    if isinstance(value, list):
        return f"[{','.join(shown(one, inside=True) for one in value)}]"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return value if _is_word(value) and not inside else json.dumps(value, ensure_ascii=False)
    return str(value)


def _is_word(text: str) -> bool:
    """Whether a string needs no quotes."""
    return WORD.fullmatch(text) is not None and not _toml(text)[1]


def _value(text: str) -> Any:
    found, known = _toml(text)
    if known:
        return found
    text = text.strip()
    if "," in text:
        found, known = _toml(f"[{text}]")
        if known:
            return Axis(found)
        if text[0] not in "[{\"'":
            words = text.removesuffix(",").split(",")
            if not all(word.strip() for word in words):
                raise SweepError(f"--set takes values between its commas; got {text!r}")
            return Axis([_value(word) for word in words])
    return text


def _toml(text: str) -> tuple[Any, bool]:
    try:
        return tomllib.loads(f"value = {text}")["value"], True
    except (ValueError, RecursionError):  # not TOML, or more digits or brackets than Python reads
        return None, False
