"""Draw figures from stored tables: ``python -m motsim.figures [NAME...]``."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from motsim.commands.door import spoken
from motsim.commands.parser import CommandParser, folder_name
from motsim.figures import ANY, draw, figure_names
from motsim.printing import printable
from motsim.results.folder import StoreError
from motsim.results.tables import TablesError, load_tables

if TYPE_CHECKING:
    from motsim.figures.venue import Width

__all__ = ["main", "parser"]

MOVING = "animation"


def parser() -> argparse.ArgumentParser:
    """Return the command's options."""
    options = CommandParser(
        prog="python -m motsim.figures",
        description="Draw figures (PDF, PNG, SVG) from the tables that motsim.sweep wrote, with"
        " captions (NAME.tex, and in the PDF's metadata).",
        allow_abbrev=False,
    )
    options.add_argument(
        "names", nargs="*", metavar="NAME",
        help=f"a claim, a table of your own, or {MOVING} (a GIF); default: all claims",
    )  # fmt: skip
    options.add_argument("--out", type=folder_name, default=Path("results"), metavar="DIR")
    options.add_argument(
        "--width", type=_width, metavar="WIDTH",
        help="lay out for print, exactly as wide: icml, neurips, iclr, or inches",
    )  # fmt: skip
    options.add_argument("--serif", action="store_true", help="serif letters, as in LaTeX")
    return options


def _width(word: str) -> "Width":
    from motsim.figures.venue import width_of  # loads matplotlib

    try:
        return width_of(word)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def main(argv: Sequence[str] | None = None) -> int:
    """Draw every asked figure; without names, every one whose table is there."""
    arguments = parser().parse_args(argv)
    from motsim.checks import nearest

    def refused(what: object) -> None:
        print(printable(spoken(f"python -m motsim.figures: {what}")), file=sys.stderr)

    known = [*figure_names(), MOVING]
    for name in arguments.names:
        if name not in known and not (arguments.out / f"{name}.json").is_file():
            refused(f"unknown figure {name!r}{nearest(name, known)}")
            return 2
    missing = 0
    for name in arguments.names or figure_names():
        try:
            if name == MOVING:
                from motsim.figures.animation import SWEEP, animate

                print(animate(load_tables(SWEEP, arguments.out), arguments.out))
                continue
            tables = load_tables(name, arguments.out)
            own = name if name in figure_names() else ANY
            for path in draw(
                own, tables, arguments.out, arguments.width, serif=arguments.serif, captions=True
            ):
                print(path)
        except TablesError as error:
            refused(error)
            missing += 1
        except StoreError as error:
            refused(error)
            return 2
    return 2 if missing else 0


if __name__ == "__main__":
    from motsim.commands.streams import as_process

    raise SystemExit(as_process(main))
