"""Write the report: ``python -m motsim.report [NAME...]``."""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from motsim.checks import nearest
from motsim.commands.door import spoken
from motsim.commands.parser import CommandParser, folder_name
from motsim.printing import one_line

__all__ = ["main", "parser"]

EPILOG = """\
examples:
  python -m motsim.report                        every table in results/ -> results/report.html
  python -m motsim.report rates coverage         two claims
  python -m motsim.report --out DIR --to page.html

The page is one file that needs no network. Tables come from motsim.sweep or motsim.verify; a claim
whose table is missing is listed with the command that makes it, unless the folder holds claims of
your own only. Exit codes: 0 the page is written
and every verdict on it is the recorded one; 1 it is written, and a verdict is not, a run failed or
is not there yet, or a table cannot be used; 2 no page: the call was wrong or there is no table;
130 interrupted.
"""


def parser() -> argparse.ArgumentParser:
    """Return the command's options."""
    options = CommandParser(
        prog="python -m motsim.report",
        description="Write one HTML page from stored tables: verdicts, findings, figures.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    options.add_argument("names", nargs="*", metavar="NAME", help="default: all claims and tables")
    options.add_argument("--out", type=folder_name, default=Path("results"), metavar="DIR")
    options.add_argument("--to", type=Path, metavar="FILE", help="default: DIR/report.html")
    return options


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; return its exit code."""
    arguments = parser().parse_args(argv)
    try:
        return _write(arguments.names, arguments.out, arguments.to or arguments.out / "report.html")
    except ReportError as error:
        print(one_line(spoken(f"python -m motsim.report: {error}")), file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\ninterrupted; no page is written", file=sys.stderr)
        return 130


class ReportError(ValueError):
    """No page can be written; one line for the user."""


def _write(names: Sequence[str], folder: Path, target: Path) -> int:
    from tqdm import tqdm

    from motsim.report.page import render
    from motsim.report.sections import collect, valid_names
    from motsim.results.tables import stored_names

    stored = stored_names(folder)
    valid = valid_names(stored)
    for name in names:
        if name not in valid:
            raise ReportError(f"unknown name {name!r}{nearest(name, valid)}")
    chosen = list(dict.fromkeys(names)) or _all(valid, stored)
    if not set(chosen) & set(stored):
        asked = f" of {', '.join(names)}" if names else ""
        again = " ".join(["python -m motsim.verify", *names, *(["--out", str(folder)])])
        raise ReportError(f"no table{asked} in {folder}; make one with: {again}")
    if target.is_dir() or not target.parent.is_dir():
        raise ReportError(f"{target}: not a file in an existing folder; choose another with --to")
    if not os.access(target.parent, os.W_OK):
        raise ReportError(f"{target.parent}: cannot be written; choose another with --to")
    bar = tqdm(chosen, unit="section", disable=None, dynamic_ncols=True, leave=False)
    sections = []
    for name in bar:
        bar.set_description(name)
        sections.append(collect(name, folder, target.parent))
    page = render(sections)
    _replace(target, page)
    for section in sections:
        for problem in section.problems:
            print(one_line(f"{section.name}: {problem}"), file=sys.stderr)
    absent = sum(section.missing for section in sections)
    without = f"; {absent} without a table" if absent else ""
    print(
        f"report: {target} ({len(sections)} sections{without}; {len(page.encode()) / 1e6:.1f} MB)"
    )
    return 1 if any(section.alarm for section in sections) else 0


def _all(valid: Sequence[str], stored: Sequence[str]) -> list[str]:
    """Every claim and table; of a folder that holds nothing of motsim's claims, its tables."""
    from motsim.claims import claim_names
    from motsim.plans.changes import split_table

    shipped = {split_table(name)[0] for name in stored} & set(claim_names())
    return list(valid) if shipped or not stored else [name for name in valid if name in stored]


def _replace(target: Path, page: str) -> None:
    """Write the page whole or not at all."""
    part = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        part.write_text(page, encoding="utf-8", newline="")
        os.replace(part, target)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise ReportError(f"{target}: {error.strerror}; choose another with --to") from error


if __name__ == "__main__":
    from motsim.commands.streams import as_process

    raise SystemExit(as_process(main))
