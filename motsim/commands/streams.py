"""A command as a process: its streams may be closed, full, narrow, or a pipe that nobody reads."""

import os
import signal
import sys
from collections.abc import Callable
from typing import Any, TextIO, cast

__all__ = ["as_process"]

UNREAD = 128 + signal.SIGPIPE if hasattr(signal, "SIGPIPE") else 1
INTERRUPTED = 130


class _UnwritableError(BaseException):
    """Standard output cannot be written: no error of a file, which commands answer for."""


class _Output:
    """Standard output; it says when it cannot be written."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        try:
            return self._stream.write(text)
        except OSError as error:
            raise _UnwritableError(error) from error

    def flush(self) -> None:
        try:
            self._stream.flush()
        except OSError as error:
            raise _UnwritableError(error) from error

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


class _Errors(_Output):
    """Standard error; there is nobody to tell that it cannot be written."""

    def write(self, text: str) -> int:
        try:
            return self._stream.write(text)
        except OSError:
            return len(text)

    def flush(self) -> None:
        try:
            self._stream.flush()
        except OSError:
            _drop(self._stream)


def as_process(main: Callable[[], int]) -> int:
    """Return the exit code of a command that has this process to itself.

    Its own, but for 1 after one line if standard output cannot be written, 141 in silence if its
    reader has gone, and 130 for Ctrl-C wherever it comes. What the output cannot spell, it escapes.
    """
    _open_closed()
    sys.stdout = cast(TextIO, _Output(_spelling(sys.stdout)))
    sys.stderr = cast(TextIO, _Errors(_spelling(sys.stderr)))
    output = sys.stdout  # a command may have put another in its place when it ends
    code: Any = 0
    try:
        try:
            code = main()
        except SystemExit as stop:
            code = stop.code
        finally:
            output.flush()
    except _UnwritableError as error:
        _drop(cast(Any, output))
        cause = error.args[0]
        if isinstance(cause, BrokenPipeError):
            return UNREAD
        print(f"standard output cannot be written: {cause.strerror}", file=sys.stderr)
        code = 1
    except KeyboardInterrupt:
        code = INTERRUPTED
    # From here on nothing is left to save: a further Ctrl-C ends the process, without a word.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    sys.stderr.flush()
    return code if isinstance(code, int) else int(code is not None)


def _open_closed() -> None:
    """Open the null device where a stream was closed: else the next file would get its number."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            while os.open(os.devnull, os.O_RDWR) < number:
                pass
            stream = os.fdopen(number, "w" if number else "r", encoding="utf-8", closefd=False)
            setattr(sys, name, stream)
            setattr(sys, f"__{name}__", stream)


def _spelling(stream: TextIO) -> TextIO:
    reconfigure = getattr(stream, "reconfigure", None)
    if reconfigure:
        reconfigure(errors="backslashreplace")
    return stream


def _drop(stream: TextIO) -> None:
    """Send what is left of a stream nowhere, so that the end of the process does not try again."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, stream.fileno())
    os.close(null)
