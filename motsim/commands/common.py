"""What every command has in common: its options for runs, its exit codes, one line a mistake."""

import argparse
import os
import re
import shlex
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from motsim.checks import close_to

if TYPE_CHECKING:  # a command answers --help without loading numpy
    from motsim.running.progress import Progress

__all__ = [
    "CommandParser",
    "add_run_options",
    "answer",
    "first_seed",
    "front_door",
    "near_word",
    "positive_integer",
    "spoken",
]


CHOICE = re.compile(r"invalid choice: '(.*)' \(choose from (.*)\)")
MODULE = re.compile(r"python -m (?:motsim\.|(?=figures\b))")
BARE = re.compile(r"(?<!-m )\bmotsim(?= (?:new|explain|compare|table|completion)\b)")
_door: ContextVar[str] = ContextVar("door", default="")


@contextmanager
def front_door(program: str) -> Iterator[None]:
    """Let commands call themselves ``PROGRAM sweep`` and so on, in place of their modules."""
    token = _door.set(program)
    try:
        yield
    finally:
        _door.reset(token)


def spoken(text: str) -> str:
    """Return text with commands as the user calls them.

    >>> with front_door("motsim"):
    ...     spoken("python -m motsim.sweep rates; python -m figures")
    'motsim sweep rates; motsim figures'
    """
    program = _door.get()
    if not program:
        return text
    return BARE.sub(program, MODULE.sub(f"{program} ", text))


def near_word(word: str, known: Sequence[str], quoted: bool = True) -> str:
    """Hint naming the known word that is close; empty if none is."""
    close = close_to(word, known)
    return f"; did you mean {repr(close) if quoted else close}?" if close else ""


class CommandParser(argparse.ArgumentParser):
    """One line on standard error, with the nearest option."""

    def error(self, message: str) -> NoReturn:
        """Exit with code 2."""
        known = [o for action in self._actions for o in action.option_strings]
        hint, choice = "", CHOICE.search(message)
        if message.startswith("unrecognized arguments"):
            words = [w.partition("=")[0] for w in message.split() if w.startswith("--")]
            if words and words[0] not in known:
                hint = near_word(words[0], known, quoted=False)
        elif choice:
            hint = near_word(choice[1], re.findall(r"[\w-]+", choice[2]))
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


def add_run_options(options: argparse.ArgumentParser) -> None:
    """Add what says how runs are computed, where they are kept and how progress is told."""
    options.add_argument("--tier", choices=("quick", "full"), default="quick")
    options.add_argument(
        "--seed-start", type=first_seed, metavar="N", help="the first seed; default: the file's"
    )
    options.add_argument(
        "--out", type=Path, default=Path("results"), metavar="DIR", help="results folder"
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


class Terminated(BaseException):
    """The process was asked to end (SIGTERM)."""


def _terminate(number: int, frame: object) -> NoReturn:
    raise Terminated


def answer(
    program: str,
    argv: Sequence[str] | None,
    arguments: argparse.Namespace,
    act: "Callable[[Progress], int]",
    *,
    writes: bool = True,
) -> int:
    """Do a command's work; return its exit code, after one line on whatever stopped it.

    If it writes, a folder that cannot be written is refused before anything is loaded.

    2: the call or a file was wrong; 1: a run or the cluster failed; 130 and 143: interrupted by
    the keyboard or by SIGTERM, after the command that goes on.
    """
    from motsim.printing import printable, printed
    from motsim.results.folder import StoreError, check_folder

    try:
        if writes:
            check_folder(arguments.out, make=False)
    except StoreError as error:
        print(spoken(f"{program}: {printable(str(error))}"), file=sys.stderr)
        return 2
    from motsim.extras import MissingExtraError
    from motsim.plans.plan import SweepError
    from motsim.running.backends import BackendError
    from motsim.running.progress import MODES

    progress = MODES[arguments.progress]()
    handler = signal.signal(signal.SIGTERM, _terminate)
    try:
        with printed():
            return act(progress)
    except (SweepError, StoreError, MissingExtraError, BackendError) as error:
        progress.warn(spoken(f"{program}: {error}"))
        return 2
    except BrokenPipeError:  # the reader of a pipe has seen enough, as in `--dry-run | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except RuntimeError as error:
        progress.warn(spoken(f"{program}: {' '.join(str(error).split())}"))
        return 1
    except (KeyboardInterrupt, Terminated) as stop:
        again = shlex.join([*spoken(program).split(), *(sys.argv[1:] if argv is None else argv)])
        progress.warn(
            f"interrupted; finished runs are kept in {arguments.out}. Go on with:\n  {again}"
        )
        return 143 if isinstance(stop, Terminated) else 130
    finally:
        signal.signal(signal.SIGTERM, handler)
