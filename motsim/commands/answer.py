"""A command's answer: its exit code, and one line on whatever stopped it."""

import argparse
import shlex
import signal
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NoReturn

from motsim.commands.door import spoken

if TYPE_CHECKING:  # a command answers --help without loading numpy
    from motsim.running.progress import Progress

__all__ = ["answer"]


class Terminated(BaseException):
    """The process was asked to end (SIGTERM)."""


def _terminate(number: int, frame: object) -> NoReturn:
    _hear_no_more()
    raise Terminated


def _interrupt(number: int, frame: object) -> NoReturn:
    _hear_no_more()
    raise KeyboardInterrupt


def _hear_no_more() -> None:
    """Let a second Ctrl-C not stop the end of the workers, for which Python's exit would wait.

    It is not heard, but a third ends the process at once.
    """
    signal.signal(signal.SIGINT, lambda number, frame: signal.signal(number, signal.SIG_DFL))


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
    from motsim.printing import one_line, printed
    from motsim.results.folder import StoreError, check_folder

    try:
        if writes:
            check_folder(arguments.out, make=False)
    except StoreError as error:
        print(one_line(spoken(f"{program}: {error}")), file=sys.stderr)
        return 2
    from motsim.extras import MissingExtraError
    from motsim.plans.plan import SweepError
    from motsim.results.tables import TablesError
    from motsim.running.backends import BackendError
    from motsim.running.progress import MODES

    progress = MODES[arguments.progress]()
    terminate = signal.signal(signal.SIGTERM, _terminate)
    interrupt = signal.getsignal(signal.SIGINT)
    if interrupt is signal.default_int_handler:  # nohup, or a shell's background, has it ignored
        signal.signal(signal.SIGINT, _interrupt)
    try:
        with printed():
            return act(progress)
    except (SweepError, StoreError, TablesError, MissingExtraError, BackendError) as error:
        progress.warn(one_line(spoken(f"{program}: {error}")))
        return 2
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
        signal.signal(signal.SIGTERM, terminate)
        signal.signal(signal.SIGINT, interrupt)
