"""Options of commands: a mistake is answered in one line, and those that say how to run."""

import argparse
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from motsim.checks import did_you_mean
from motsim.commands.door import spoken

if TYPE_CHECKING:
    from motsim.running.shards import Shard

__all__ = [
    "CommandParser", "add_run_options", "first_seed", "folder_name", "positive_integer",
    "shard_name",
]  # fmt: skip

CHOICE = re.compile(r"invalid choice: '(.*)' \(choose from (.*)\)")


class CommandParser(argparse.ArgumentParser):
    """One line on standard error, with the nearest option."""

    def error(self, message: str) -> NoReturn:
        """Exit with code 2."""
        known = [o for action in self._actions for o in action.option_strings]
        hint, choice = "", CHOICE.search(message)
        if message.startswith("unrecognized arguments"):
            words = [w.partition("=")[0] for w in message.split() if w.startswith("--")]
            if words and words[0] not in known:
                hint = did_you_mean(words[0], known, quoted=False)
        elif choice:
            hint = did_you_mean(choice[1], re.findall(r"[\w-]+", choice[2]))
        from motsim.printing import printable

        line = f"{self.prog}: {' '.join(message.split())}{hint}"
        print(printable(spoken(line)), file=sys.stderr)
        raise SystemExit(2)

    def format_help(self) -> str:
        """Return the help, with commands as they are called."""
        return spoken(super().format_help())


def positive_integer(text: str) -> int:
    """Read a whole number >= 1."""
    try:
        value = int(text)
    except ValueError:
        value = 0
    if value < 1:
        raise argparse.ArgumentTypeError(f"must be a whole number >= 1; got {text!r}")
    return value


def folder_name(text: str) -> Path:
    """Read the name of a folder; an empty one would be the present folder."""
    if not text:
        raise argparse.ArgumentTypeError("must name a folder; got ''")
    return Path(text)


def first_seed(text: str) -> int:
    """Read the first seed: a whole number from 0 to `LAST_START`."""
    from motsim.plans.file import LAST_START

    try:
        value = int(text)
    except ValueError:
        value = -1
    if not 0 <= value <= LAST_START:
        raise argparse.ArgumentTypeError(
            f"must be a whole number from 0 to {LAST_START}; got {text!r}"
        )
    return value


def shard_name(text: str) -> "Shard":
    """Read I/N, one of N shares."""
    from motsim.running.shards import Shard

    return Shard.parse(text)


def add_run_options(options: argparse.ArgumentParser) -> None:
    """Add what says how runs are computed, where they are kept and how progress is told."""
    options.add_argument("--tier", choices=("quick", "full"), default="quick")
    options.add_argument(
        "--seed-start", type=first_seed, metavar="N", help="the first seed; default: the file's"
    )
    options.add_argument(
        "--out", type=folder_name, default=Path("results"), metavar="DIR", help="results folder"
    )
    options.add_argument(
        "--jobs", type=positive_integer, metavar="N", help="runs at a time; default: all cores"
    )
    options.add_argument(
        "--backend",
        choices=("loky", "sequential", "dask", "ray"),
        default="loky",
        help="processes here (loky), none, or a cluster",
    )
    options.add_argument("--scheduler", metavar="ADDRESS", help="of a dask or ray cluster")
    options.add_argument(
        "--progress",
        choices=("bar", "plain", "json", "quiet"),
        default="bar" if sys.stderr.isatty() else "plain",
        help="on standard error; json: one object a line",
    )
