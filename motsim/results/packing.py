"""Texts of the store, packed: zlib with the words that most of them hold, given beforehand.

A run is short, and half of its text is names of settings and targets that a thousand others hold
as well. ``words.txt`` has them once. It is frozen: what was packed with it is read with it only,
which zlib checks. What was packed without is read as before.
"""

import zlib
from functools import cache
from pathlib import Path

__all__ = ["PackingError", "pack", "unpack"]

WORDS = Path(__file__).with_name("words.txt")


class PackingError(ValueError):
    """Bytes are nothing that was packed, or too much."""


@cache
def _words() -> bytes:
    return WORDS.read_bytes()


def pack(text: bytes) -> bytes:
    """Return a text packed into one piece."""
    machine = zlib.compressobj(zdict=_words())
    return machine.compress(text) + machine.flush()


def unpack(packed: bytes, most: int) -> bytes:
    """Return what was packed, if it is one piece and at most so many bytes.

    Raises
    ------
    PackingError
    """
    machine = zlib.decompressobj(zdict=_words())
    try:
        text = machine.decompress(packed, most)
    except zlib.error as error:
        raise PackingError(f"{type(error).__name__}: {error}") from error
    if machine.unconsumed_tail:
        raise PackingError(f"it unpacks to more than {most:,} bytes")
    if not machine.eof or machine.unused_data:
        raise PackingError("it is cut off, or holds more than one run")
    return text
