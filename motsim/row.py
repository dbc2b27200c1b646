"""One stored run, and its checksums."""

import hashlib
from dataclasses import dataclass

__all__ = ["Row", "row_checksum"]


@dataclass(frozen=True)
class Row:
    """One run as it is stored: settings and versions as JSON, payload as compressed JSON."""

    key: str
    status: str
    kind: str
    settings: str
    seconds: float
    versions: str
    payload: bytes

    @property
    def details(self) -> str:
        """Digest of everything but the status: 32 hexadecimal digits."""
        texts = (self.key, self.kind, self.settings, self.seconds.hex(), self.versions)
        head = "\0".join(texts).encode("utf-8", "surrogatepass")
        return hashlib.blake2b(head + b"\0" + self.payload, digest_size=16).hexdigest()


def row_checksum(key: str, status: str, details: str) -> str:
    """Checksum of a row of `runs`."""
    text = f"{key}\0{status}\0{details}".encode("utf-8", "surrogatepass")
    return hashlib.blake2b(text, digest_size=16).hexdigest()
