"""Say in which settings and verdicts two results folders, or two tables, differ."""

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from motsim.commands.parser import CommandParser

if TYPE_CHECKING:
    from motsim.results.tables import Tables

__all__ = ["differences", "main", "parser"]

PROGRAM = "motsim compare"
EPILOG = """\
examples:
  motsim compare results other-machine             tables of one name in two folders
  motsim compare results/rates.csv results/rates@dim=32.csv      two tables

Verdicts are judged anew from the tables. Exit codes: 0 nothing differs, 1 something does, 2 the
call was wrong or a table cannot be read.
"""
MANY = 6  # values of an axis that a line shows


def parser() -> argparse.ArgumentParser:
    """Return the command's options."""
    options = CommandParser(
        prog=PROGRAM,
        description="Say in which settings and verdicts two results folders, or tables, differ.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    options.add_argument("first", metavar="A", type=Path, help="results folder, or table")
    options.add_argument("second", metavar="B", type=Path, help="the other one")
    return options


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; return its exit code."""
    arguments = parser().parse_args(argv)
    from motsim.printing import one_line, printed
    from motsim.results.tables import TablesError, load_tables

    try:
        first, second = _tables(arguments.first), _tables(arguments.second)
        if arguments.first.is_dir() != arguments.second.is_dir():
            raise TablesError("compare two folders or two tables, not one of each")
        pairs = sorted(first.keys() & second.keys())
        if not arguments.first.is_dir():
            pairs, second = list(first), {next(iter(first)): next(iter(second.values()))}
        lines = [
            f"{name}: only in {side}"
            for names, side in (
                (first.keys() - second.keys(), arguments.first),
                (second.keys() - first.keys(), arguments.second),
            )
            for name in sorted(names)
        ]
        for name in pairs:
            one, other = (
                load_tables(path.stem, path.parent) for path in (first[name], second[name])
            )
            found = [*differences(one, other), *_verdicts(one, other, first[name], second[name])]
            lines += [f"{name}: {line}" for line in found]
    except (TablesError, OSError) as error:
        print(one_line(f"{PROGRAM}: {error}"), file=sys.stderr)
        return 2
    with printed():
        for line in lines:
            print(line)
        if not lines:
            print(f"{len(pairs)} tables, no difference in settings, runs or verdicts")
    return 1 if lines else 0


def _tables(path: Path) -> dict[str, Path]:
    """Descriptions of the tables of a folder, or of one table, by name."""
    from motsim.results.tables import TablesError, stored_names

    if path.is_dir():
        found = {name: path / f"{name}.json" for name in stored_names(path)}
        if not found:
            raise TablesError(
                f"{path}: no table there; python -m motsim.sweep --out {path} makes one"
            )
        return found
    name = path.name.removesuffix(".gz").removesuffix(".csv").removesuffix(".json")
    meta_path = path.with_name(f"{name}.json")
    if not meta_path.is_file():
        raise TablesError(f"{path}: no such folder or table")
    return {meta_path.stem: meta_path}


def differences(one: "Tables", other: "Tables") -> Iterator[str]:
    """Yield what differs in settings, axes and runs, a line each."""
    mine, theirs = _described(one), _described(other)
    for key in dict.fromkeys([*mine, *theirs]):
        before, after = mine.get(key, "-"), theirs.get(key, "-")
        if before != after:
            yield f"{key}: {before} -> {after}"
    runs, others = set(one.main["run"]), set(other.main["run"])
    if runs != others:
        yield f"runs: {len(runs)} and {len(others)}, {len(runs & others)} of them the same"
    elif one.meta.get("digests") != other.meta.get("digests"):
        yield "the same runs with other numbers: another processor, or other versions of libraries"


def _described(tables: "Tables") -> dict[str, str]:
    """Return what runs were made with, as text: shared settings, axes, tier, kind, versions."""
    meta = tables.meta
    found = {key: str(meta.get(key, "-")) for key in ("kind", "tier")}
    shared = meta.get("settings")
    found |= {key: str(value) for key, value in (shared or {}).items()}
    for label in tables.labels:
        values = [str(value) for value in tables.main[label].dropna().unique()]
        more = f", ... ({len(values)})" if len(values) > MANY else ""
        found[label] = ", ".join(values[:MANY]) + more
    versions = meta.get("versions")
    for entry in versions if isinstance(versions, list) else []:
        found |= {f"version of {name}": str(version) for name, version in sorted(entry.items())}
    return found


def _verdicts(one: "Tables", other: "Tables", *paths: Path) -> Iterator[str]:
    """Yield the cases whose verdicts differ, and those that only one of the tables has."""
    sides: list[dict[str, Any]] = []
    for tables, meta_path in zip((one, other), paths, strict=True):
        from motsim.claims._stored import claim_of_tables

        claim = claim_of_tables(tables.name, tables.meta, meta_path.parent)
        try:
            found = claim.judge(tables) if claim else []
        except (LookupError, ValueError, TypeError, ArithmeticError) as error:
            yield f"verdicts of {meta_path} cannot be judged ({type(error).__name__}: {error})"
            return
        sides.append({finding.case: finding for finding in found})
    first, second = sides
    for case in dict.fromkeys([*first, *second]):
        before, after = first.get(case), second.get(case)
        if before is None or after is None:
            yield f"verdict of {case}: only in {paths[before is None].parent}"
        elif before.verdict != after.verdict:
            yield (
                f"verdict of {case}: {before.verdict} ({before.measured}) ->"
                f" {after.verdict} ({after.measured})"
            )
