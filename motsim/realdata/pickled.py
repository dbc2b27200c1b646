"""What CIFAR's pickles describe, read without unpickling: no code runs, and no size is believed.

A pickle is a program for a small machine. This one knows its commands for dictionaries, lists,
tuples, strings, numbers and the five names that NumPy arrays are pickled with; every other command
and name is refused. Each step makes at most what its own bytes hold, so that a file of n bytes
takes O(n) of memory, whatever sizes and places it declares.
"""

import io
import pickletools
from dataclasses import dataclass
from typing import Any

__all__ = ["Call", "PickleError", "described"]


class PickleError(ValueError):
    """The file is no pickle, or asks for more than data."""


@dataclass
class Call:
    """A named thing that a pickle would have made: name, arguments, state."""

    name: str
    arguments: Any
    state: Any = None


MARK = object()
NAMES = {
    "numpy.core.multiarray _reconstruct",
    "numpy._core.multiarray _reconstruct",
    "numpy ndarray",
    "numpy dtype",
    "_codecs encode",
}
CONSTANTS: dict[str, Any] = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
MAKES: dict[str, type] = {"EMPTY_DICT": dict, "EMPTY_LIST": list, "EMPTY_TUPLE": tuple}
TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}
PASSED = {"PROTO", "FRAME", "MARK", "STOP", "POP_MARK"}
VALUES = {
    "INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT",
    "STRING", "BINSTRING", "SHORT_BINSTRING", "UNICODE", "SHORT_BINUNICODE", "BINUNICODE",
    "BINUNICODE8", "SHORT_BINBYTES", "BINBYTES", "BINBYTES8",
}  # fmt: skip


def described(content: bytes) -> Any:
    """Return what a pickle describes; names become a `Call`, or a str where they are not called.

    Raises
    ------
    PickleError
        If a command or a name is not one of those above, or the machine cannot go on.
    """
    machine = _Machine(len(content))
    try:
        for code, argument, _ in pickletools.genops(io.BytesIO(content)):
            machine.step(code.name, argument)
        return machine.stack.pop()
    except PickleError:
        raise
    except (ValueError, IndexError, KeyError, TypeError, OverflowError) as error:
        raise PickleError(" ".join(str(error).split())[:200] or type(error).__name__) from None


class _Name(str):
    """A name that a pickle may call."""

    __slots__ = ()


class _Machine:
    def __init__(self, size: int) -> None:
        self.size = size
        self.stack: list[Any] = []
        self.memo: dict[int, Any] = {}
        self.encoded = 0  # letters

    def step(self, code: str, argument: Any) -> None:
        """Do one command."""
        stack = self.stack
        if code in VALUES:
            stack.append(_latin(code, argument))
        elif code in CONSTANTS:
            stack.append(CONSTANTS[code])
        elif code in MAKES:
            stack.append(MAKES[code]())
        elif code == "MARK":
            stack.append(MARK)
        elif code in TUPLES:
            stack[-TUPLES[code] :] = [tuple(self._several(TUPLES[code]))]
        elif code in ("TUPLE", "LIST", "DICT"):
            self._since_mark(code)
        elif code in ("APPEND", "APPENDS", "SETITEM", "SETITEMS"):
            self._fill(code)
        elif code in ("PUT", "BINPUT", "LONG_BINPUT"):
            self.memo[argument] = stack[-1]
        elif code == "MEMOIZE":
            self.memo[len(self.memo)] = stack[-1]
        elif code in ("GET", "BINGET", "LONG_BINGET"):
            stack.append(self.memo[argument])
        elif code == "GLOBAL":
            stack.append(_name(argument))
        elif code == "STACK_GLOBAL":
            stack[-2:] = [_name(" ".join(map(_word, self._several(2))))]
        elif code == "REDUCE":
            stack[-2:] = [self._called(*self._several(2))]
        elif code == "BUILD":
            state = stack.pop()
            if not isinstance(stack[-1], Call):
                raise PickleError("it sets the state of what is no array")
            stack[-1].state = state
        elif code not in PASSED:
            raise PickleError(f"it holds the command {code}, which is refused")

    def _several(self, count: int) -> list[Any]:
        found = self.stack[-count:]
        if len(found) < count or any(one is MARK for one in found):
            raise PickleError("a command lacks what it works on")
        return found

    def _since_mark(self, code: str) -> None:
        """Put one thing in place of those since the last mark."""
        items = self._marked()
        made: Any = items
        if code == "TUPLE":
            made = tuple(items)
        elif code == "DICT":
            made = _pairs(items)
        self.stack.append(made)

    def _marked(self) -> list[Any]:
        items: list[Any] = []
        while (one := self.stack.pop()) is not MARK:
            items.append(one)
        return items[::-1]

    def _fill(self, code: str) -> None:
        """Add to the list or dictionary below."""
        items = self._marked() if code.endswith("S") else self._several(1 + (code == "SETITEM"))
        if not code.endswith("S"):
            del self.stack[-len(items) :]
        container = self.stack[-1]
        if isinstance(container, list) and code.startswith("APPEND"):
            container.extend(items)
        elif isinstance(container, dict) and code.startswith("SETITEM"):
            container.update(_pairs(items))
        else:
            raise PickleError("it adds to what is no list or dictionary")

    def _called(self, name: Any, arguments: Any) -> Any:
        if not isinstance(name, _Name) or not isinstance(arguments, tuple):
            raise PickleError("it calls what is no name")
        if name != "_codecs encode":
            return Call(name, arguments)
        text, codec = map(_word, arguments)  # how Python 3 writes bytes at protocol 2
        if codec != "latin1":
            raise PickleError(f"codec {codec[:40]!r} is refused")
        self.encoded += len(text)
        if self.encoded > self.size:  # one long text, encoded again and again
            raise PickleError("it encodes more than it holds")
        return text.encode("latin-1")


def _word(value: Any) -> str:
    if not isinstance(value, str):
        raise PickleError("it names what is no word")
    return value


def _pairs(items: list[Any]) -> dict[Any, Any]:
    """Keys are plain: of tuples that hold each other, a hash may never end."""
    if not all(isinstance(key, str | bytes | int) for key in items[::2]):
        raise PickleError("a dictionary's keys are no words")
    return dict(zip(items[::2], items[1::2], strict=True))


def _latin(code: str, argument: Any) -> Any:
    """Strings of Python 2 are bytes; pickletools reads them as Latin-1."""
    return argument.encode("latin-1") if code.endswith("STRING") else argument


def _name(text: str) -> _Name:
    if text not in NAMES:
        raise PickleError(f"it asks for {text.replace(' ', '.')[:80]}, which is refused")
    return _Name(text)
