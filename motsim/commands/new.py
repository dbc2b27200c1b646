"""Write a folder for a claim of one's own: experiment, sweep, claim, figure, tests, workflow."""

import argparse
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from motsim.commands.door import spoken
from motsim.commands.parser import CommandParser

__all__ = ["main", "parser", "write"]

PROGRAM = "motsim new"
TEMPLATE = Path(__file__).with_name("paper")
WORKFLOW = ".github/workflows/tests.yml"
#: Files of the template that lie elsewhere in the folder: packaging tools leave out dotted ones.
MOVED = {
    "gitignore.txt": ".gitignore",
    "pyproject.txt": "pyproject.toml",
    "workflow/tests.yml": WORKFLOW,
    "tests/descent_checks.txt": "tests/test_descent.py",
}
EPILOG = """\
example:
  motsim new my-paper && cd my-paper && python -m pytest

The folder holds descent on a quadratic, the claim that it needs O(log 1/eps) steps, and a negative
control of which the claim has to fail. Edit descent.py and descent.toml.

Exit codes: 0 written, 2 the folder is not empty or cannot be written.
"""


def parser() -> argparse.ArgumentParser:
    """Return the command's options."""
    options = CommandParser(
        prog=PROGRAM,
        description="Write a folder for a claim of your own; its tests pass as they are.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    options.add_argument("folder", type=Path, metavar="DIR", help="made if missing")
    return options


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; return its exit code."""
    folder: Path = parser().parse_args(argv).folder
    from motsim.commands.origin import UNKNOWN, requirement
    from motsim.printing import one_line, printable

    try:
        needed = requirement()
        written = write(folder, needed)
    except OSError as error:
        text = error.strerror or str(error)
        print(one_line(spoken(f"{PROGRAM}: {folder}: {text}")), file=sys.stderr)
        return 2
    for path in written:
        print(printable(str(path)))
    if missing := [word for word in UNKNOWN if word in needed]:
        print(f"put in: {' and '.join(missing)} in {WORKFLOW}: where you install motsim from")
    quoted = shlex.quote(str(folder))
    print(spoken(printable(f"next: cd {quoted} && python -m motsim.verify descent.toml")))
    return 0


def write(folder: Path, needed: str) -> list[Path]:
    """Write the folder, its workflow with where motsim is installed from; return its files.

    Raises
    ------
    OSError
        If it is not empty or cannot be written.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise FileExistsError(0, "is there and not empty; choose another name")
    name = folder.resolve().name
    written = []
    for source in sorted(path for path in TEMPLATE.rglob("*") if path.is_file()):
        part = source.relative_to(TEMPLATE).as_posix()
        if "__pycache__" in part:
            continue
        target = folder / MOVED.get(part, part)
        target.parent.mkdir(parents=True, exist_ok=True)
        text = source.read_text(encoding="utf-8")
        text = text.replace("PAPER", name).replace("MOTSIM_SOURCE", needed)
        target.write_text(text, encoding="utf-8")
        written.append(target)
    return written
