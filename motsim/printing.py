"""What is printed: of strangers' words nothing that moves a cursor, of arrays their shapes."""

import contextlib
import os
import re
import sys
from collections.abc import Iterator
from dataclasses import fields
from typing import Any, TextIO, cast

__all__ = ["brief", "colored", "one_line", "print_colored", "printable", "printed"]

#: Control characters but for tabs and line ends, what turns the direction of text, and halves of
#: characters (in names of files), which most streams refuse.
CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def printable(text: str) -> str:
    r"""Return text with its control characters spelt out.

    >>> printable("a\x1b[31mb")
    'a\\x1b[31mb'
    """
    return CONTROL.sub(lambda found: ascii(found[0])[1:-1], text)


def one_line(text: str) -> str:
    r"""Return a message as one printable line: a name in it may hold the end of one.

    >>> one_line("a\nb\t")
    'a\\nb\t'
    """
    return printable(text).replace("\n", r"\n")


def brief(thing: Any) -> str:
    """Return a dataclass as its fields, arrays as their shapes: for ``__repr__``."""
    parts = []
    for field in fields(thing):
        value = getattr(thing, field.name)
        shape = getattr(value, "shape", None)
        if shape is not None:
            text = f"array{tuple(shape)}" if shape else repr(value)
        elif isinstance(value, dict):
            text = f"{{{', '.join(map(repr, value))}}}"
        else:
            text = repr(value)
        parts.append(f"{field.name}={text}")
    return f"{type(thing).__name__}({', '.join(parts)})"


#: Word -> how a terminal shows it; colors of the terminal's own, which its user can tell apart.
COLORS = {"holds": "32", "fails": "31", "inconclusive": "33"}


def colored() -> bool:
    """Whether standard output is a terminal whose user wants colors (https://no-color.org)."""
    wanted = not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    return wanted and sys.stdout.isatty()


def print_colored(before: str, word: str, after: str = "") -> None:
    """Print a line with its verdict in color where colors are shown.

    The codes go past the escaping of `printed`: the words beside them may be strangers'.
    """
    if word not in COLORS or not colored():
        sys.stdout.write(f"{before}{word}{after}\n")
        return
    bare = getattr(sys.stdout, "bare", sys.stdout)
    bare.write(f"{printable(before)}\x1b[{COLORS[word]}m{word}\x1b[0m{printable(after)}\n")


class _Printable:
    """A stream that gets printable text; all else is that of the stream itself."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = self.bare = stream

    def write(self, text: str) -> int:
        self._stream.write(printable(text))
        return len(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


@contextlib.contextmanager
def printed() -> Iterator[None]:
    """Let all that is printed to standard output be printable."""
    with contextlib.redirect_stdout(cast(TextIO, _Printable(sys.stdout))):
        yield
