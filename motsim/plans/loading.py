"""Sweeps by name, or by the path of their file: found, read, checked."""

import os
import tomllib
from dataclasses import replace
from pathlib import Path

from pydantic import ValidationError

from motsim.checks import nearest
from motsim.experiments import kinds, load_kind
from motsim.experiments.plugins import plugin_file
from motsim.plans.changes import Changes
from motsim.plans.claim_table import claim_hint, claims_of_cases
from motsim.plans.file import FOLDER, LAST_START, SweepError, SweepFile, TierTable
from motsim.plans.plan import Sweep
from motsim.regular import read_regular

__all__ = ["load_sweep", "sweep_names"]

MAX_FILE = 4_000_000  # bytes
UNIONS = ("literal[", "dict[")  # what pydantic adds to a place where two types are right


def sweep_names() -> list[str]:
    """Names of the sweeps that come with motsim."""
    return sorted(path.stem for path in FOLDER.glob("*.toml"))


def _named(name: str) -> Path:
    """Path of a sweep that comes with motsim, or with the claim of an installed package."""
    known = name in sweep_names()
    plugged = None if known else plugin_file("motsim.claims", name, f"{name}.toml")
    return plugged or FOLDER / f"{name}.toml"


def beside(name: str) -> str:
    """Return a hint of the sweep file in the folder that a name stands for, if there is one."""
    return f"; did you mean {name}.toml?" if os.path.isfile(f"{name}.toml") else ""


def load_sweep(
    name: str,
    seed_start: int | None = None,
    changes: Changes | None = None,
    *,
    trusted: bool = True,
) -> Sweep:
    """Read a sweep by name, or any TOML file by its path; `seed_start` replaces the file's.

    Where it is not `trusted`, because tables name it and not the user, a user's module is not run.

    Raises
    ------
    SweepError
        If there is none, the file cannot be read, or it is not a sweep; if there is no such seed.
    """
    changes = changes or Changes()
    seed_start = changes.start if seed_start is None else seed_start
    if seed_start is not None and not 0 <= seed_start <= LAST_START:
        raise SweepError(f"seeds start at 0 to {LAST_START:,}; got {seed_start:,}")
    path = Path(name) if name.endswith(".toml") else _named(name)
    try:
        found = path.is_file()
    except OSError as error:
        raise SweepError(f"{path}: {error.strerror}") from error
    if not found:
        if name.endswith(".toml"):
            raise SweepError(f"{path}: no such file")
        raise SweepError(f"unknown sweep {name!r}{beside(name) or nearest(name, sweep_names())}")
    try:
        content = tomllib.loads(read_regular(path, MAX_FILE).decode("utf-8"))
    except (ValueError, RecursionError, OSError) as error:  # not only TOMLDecodeError
        raise SweepError(f"{path}: not readable as TOML: {error}") from error
    try:
        file = SweepFile(**content)
        if trusted or file.kind in kinds():
            load_kind(file.kind, str(path.parent))
    except ValidationError as error:
        every = error.errors()  # a key that is misspelt before the one that is missing for it
        first = next((one for one in every if one["type"] == "extra_forbidden"), every[0])
        where = ".".join(p for p in map(str, first["loc"]) if not p.startswith(UNIONS))
        hint = ""
        if first["loc"][0] == "claim":
            hint = claim_hint(first["loc"], first["type"], first["input"])
        elif first["type"] == "extra_forbidden":
            model = TierTable if first["loc"][0] == "tier" else SweepFile
            hint = nearest(str(first["loc"][-1]), model.model_fields)
        message = first["msg"].removeprefix("Value error, ")
        raise SweepError(f"{path}: {where}: {message}{hint}") from error
    except ValueError as error:
        raise SweepError(f"{path}: {error}") from error
    for line in claims_of_cases(file.claim, file.case) if file.claim else ():
        raise SweepError(f"{path}: {line}")
    return Sweep(path.stem, path, file, replace(changes, start=seed_start))
