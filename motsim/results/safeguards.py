"""What finds the losses in a store that SQLite itself does not notice.

Every row carries checksums. The ledger, changed in the same transaction as the rows, holds the XOR
of all of them, so that a row which a damaged page hides is missed. The tally, a file beside the
database, grows by one byte after each commit: it shows that commits are missing when the
write-ahead log was cut.
"""

import contextlib
import hashlib
from pathlib import Path

__all__ = ["Tally", "fold", "row_checksum"]


def row_checksum(key: str, status: str, details: str) -> str:
    """Checksum of a row of `runs`."""
    text = f"{key}\0{status}\0{details}".encode("utf-8", "surrogatepass")
    return hashlib.blake2b(text, digest_size=16).hexdigest()


def fold(digest: str, *checksums: str) -> str:
    """XOR of hexadecimal digests: what is folded in twice is gone.

    >>> fold("00ff", "000f")
    '000000000000000000000000000000f0'
    """
    total = int(digest, 16)
    for checksum in checksums:
        total ^= int(checksum, 16)
    return f"{total:032x}"


class Tally:
    """A file that grows by one byte for each commit that a process has seen to be on disk."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def commits(self) -> int:
        """Commits that were acknowledged."""
        try:
            return self.path.stat().st_size
        except OSError:
            return 0

    def add(self, commits: int) -> None:
        """Note commits; a note that cannot be made is one check less, not an error."""
        with contextlib.suppress(OSError), self.path.open("ab", buffering=0) as stream:
            stream.write(b"." * commits)
