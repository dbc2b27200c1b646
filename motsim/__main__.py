"""The front door: ``motsim COMMAND ...``, the same as ``python -m motsim COMMAND ...``."""

import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

from motsim import __version__
from motsim.checks import did_you_mean
from motsim.commands.door import front_door
from motsim.commands.names import COMMANDS
from motsim.commands.streams import as_process

__all__ = ["main", "start"]

USAGE = """\
usage: {program} COMMAND [OPTION...]

Does a paper's rate hold, and where does it stop?

commands:
{commands}

{program} COMMAND --help says more; {program} --version.
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; return its exit code."""
    words = list(sys.argv[1:] if argv is None else argv)
    name = Path(sys.argv[0]).name if argv is None else "motsim"
    program = "motsim" if name in ("motsim", "motsim.exe") else "python -m motsim"
    first = words[0] if words else "--help"
    if first in ("--help", "-h", "help"):
        width = max(map(len, COMMANDS))
        lines = [f"  {name:<{width}}  {what}" for name, (_, what) in COMMANDS.items()]
        print(USAGE.format(program=program, commands="\n".join(lines)), end="")
        return 0
    if first in ("--version", "-V"):
        print(f"motsim {__version__}")
        return 0
    if first not in COMMANDS:
        what = "option" if first.startswith("-") else "command"
        known = ["--help", "--version"] if what == "option" else list(COMMANDS)
        hint = did_you_mean(first, known) or f"; there are: {', '.join(known)}"
        print(f"{program}: unknown {what} {first!r}{hint}", file=sys.stderr)
        return 2
    with front_door(program):
        code: int = import_module(COMMANDS[first][0]).main(words[1:])
        return code


def start() -> int:
    """Run a command in a process of its own; return its exit code."""
    return as_process(main)


if __name__ == "__main__":
    raise SystemExit(start())
