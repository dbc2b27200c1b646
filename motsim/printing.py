"""What is printed: of strangers' words nothing that moves a cursor, of arrays their shapes."""

import contextlib
import re
import sys
from collections.abc import Iterator
from dataclasses import fields
from typing import Any, TextIO, cast

__all__ = ["brief", "one_line", "printable", "printed"]

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


class _Printable:
    """A stream that gets printable text; all else is that of the stream itself."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

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
