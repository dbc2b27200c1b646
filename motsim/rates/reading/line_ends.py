"""Line ends of old Macs: a carriage return alone, read as a newline."""

import io
from typing import BinaryIO

__all__ = ["NewlineStream", "returns_only"]


def returns_only(head: bytes) -> bool:
    r"""Tell whether lines end in a carriage return alone.

    >>> returns_only(b"step,loss\r1,2\r"), returns_only(b"step,loss\r\n1,2\r\n")
    (True, False)
    """
    return b"\r" in head and b"\n" not in head


class NewlineStream(io.RawIOBase):
    """A stream of bytes in which each carriage return is a newline."""

    def __init__(self, stream: BinaryIO):
        self._stream = stream

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        """Fill a buffer."""
        some = self._stream.read(len(buffer)).replace(b"\r", b"\n")
        buffer[: len(some)] = some
        return len(some)

    def close(self) -> None:
        """Close the stream below, too."""
        self._stream.close()
        super().close()
