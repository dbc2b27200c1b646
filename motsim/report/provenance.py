"""Where tables come from: commands, sweep file, versions, and whether the code still gives them."""

import os
import platform
import re
import shlex
import subprocess
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import motsim
from motsim.claims import Claim
from motsim.extras import MissingExtraError
from motsim.plans.changes import Changes, split_table, sweep_words
from motsim.plans.loading import load_sweep
from motsim.plans.origins import SHIPPED, origin_path
from motsim.plans.plan import SweepError

__all__ = [
    "case_commands", "code_of", "commands_of", "machine", "source_of", "sweep_file", "versions_of",
    "written",
]  # fmt: skip


def commands_of(
    name: str, tier: str, claim: Claim | None, file: str = "", meta: dict[str, Any] | None = None
) -> tuple[str, ...]:
    """Commands that make a section again; `file` is a user's own sweep file.

    `meta` is the description of the tables, which holds what the call changed.
    """
    changes = {key: value for key, value in (meta or {}).items() if key != "tier"}
    if claim is None:
        own = file or f"{split_table(name)[0]}.toml"
        return (f"python -m motsim.sweep {sweep_words(name, own, changes)} --tier {tier}",)
    return (
        f"python -m motsim.sweep {sweep_words(name, meta=changes)} --tier {tier}",
        f"python -m motsim.verify {name} --tier {tier}",
        f"python -m motsim.figures {name}",
    )


def case_commands(
    name: str, tier: str, cases: Iterable[str], found: Iterable[str], file: str,
    meta: dict[str, Any],
) -> tuple[str, ...]:  # fmt: skip
    """Return the command for the runs behind each finding, with what the call had changed.

    `cases` are the sweep's, `found` the findings'. Where a finding is not of one case alone, it is
    the command for all of them.
    """
    changes = Changes.described(name, meta)
    call = f"python -m motsim.sweep {shlex.quote(file or split_table(name)[0])}"
    known = sorted(cases, key=len, reverse=True)
    commands = []
    for finding in found:
        one = next((c for c in known if re.fullmatch(rf"{re.escape(c)}([ :,].*)?", finding)), None)
        mine = replace(changes, cases=(one,)) if one else changes
        commands.append(f"{call}{mine.options} --tier {tier}")
    return tuple(commands)


def written(file: Path) -> str:
    """Return when a file was written, in UTC."""
    return f"{datetime.fromtimestamp(file.stat().st_mtime, UTC):%Y-%m-%d %H:%M} UTC"


def code_of(root: Path | None = None) -> str:
    """Return the commit of the code that judges; its version alone where it is no checkout."""
    root = root or Path(motsim.__file__).parent.parent
    said = f"motsim {motsim.__version__}"
    if not (root / ".git").exists():  # not that of a folder that an environment stands in
        return said
    try:
        commit = _git(root, "rev-parse", "--short=12", "HEAD")
        changed = _git(root, "status", "--porcelain", "--untracked-files=no")
    except (OSError, subprocess.SubprocessError):
        return said
    return f"{said}, commit {commit}{' with uncommitted changes' if changed else ''}"


def _git(root: Path, *words: str) -> str:
    done = subprocess.run(
        ["git", "-C", str(root), *words], capture_output=True, text=True, timeout=10, check=True
    )
    return done.stdout.strip()


def machine() -> str:
    """Return the kind of machine, not its name."""
    return (
        f"{platform.system()} on {platform.machine()}, {os.cpu_count()} processors,"
        f" Python {platform.python_version()}"
    )


def versions_of(found: Any) -> str:
    """Versions as the tables' description holds them: a table, or a list of tables, in words."""
    every = found if isinstance(found, list) else [found]
    said = [
        ", ".join(f"{k} {v}" for k, v in sorted(e.items())) for e in every if isinstance(e, dict)
    ]
    return "; ".join(said) or "not recorded with these tables"


def source_of(name: str, meta: dict[str, Any], folder: Path, claim: Claim | None) -> str:
    """Name or path of the sweep file, empty if the tables do not tell or it is gone."""
    if claim is not None:
        return name
    file = str(meta.get("file", ""))
    if file.startswith(SHIPPED):  # a call changed it
        return split_table(name)[0] if origin_path(file, folder).is_file() else ""
    path = os.path.normpath(folder / file)
    return path if path.endswith(".toml") and Path(path).is_file() else ""


def sweep_file(
    source: str, tier: str, runs: set[str], changes: Changes | None = None
) -> tuple[str, str]:
    """Return whether the sweep file and the code now give these runs (keys), and its text."""
    try:
        sweep = load_sweep(source, changes=changes, trusted=False)
        if sweep.own_kind or sweep.opens_data:
            again = f"python -m motsim.sweep {sweep.argument} --dry-run"
            text = sweep.path.read_text(encoding="utf-8")
            told = "not compared with the present code, which would run it or open data"
            return f"{told}; {again} does", text
        keys = {cell.key[:12] for cell in sweep.cells("full" if tier == "full" else "quick")}
        text = sweep.path.read_text(encoding="utf-8")
    except (SweepError, MissingExtraError, OSError) as error:
        return f"cannot be compared with the sweep file: {error}", ""
    other = len(runs - keys)
    if not runs:
        return "no run", text
    if other:
        return (
            f"{other:,} of {len(runs):,} runs are not those of the sweep file below: they have"
            " other settings (--set, an edited file) or come from another version of the code",
            text,
        )
    return "each run has the key of the sweep file below and of the present code", text
