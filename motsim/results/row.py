"""One stored run, and the tables that hold it."""

import hashlib
from dataclasses import dataclass
from typing import Any, Self

from motsim.results.packing import pack, unpack

__all__ = ["TABLES", "Row"]

MAX_SETTINGS = 2**25  # bytes of the settings of one run, as JSON
TABLES = (
    # Rows of 100 bytes, so that a scan of every run reads little; what they measured is beside.
    """CREATE TABLE IF NOT EXISTS runs (
    key TEXT PRIMARY KEY, status TEXT NOT NULL, details TEXT NOT NULL, checksum TEXT NOT NULL
) WITHOUT ROWID""",
    # Settings are packed, a blob whatever their column is called; text in rows of schema 2.
    """CREATE TABLE IF NOT EXISTS details (
    key TEXT PRIMARY KEY, kind TEXT NOT NULL, settings TEXT NOT NULL, seconds REAL NOT NULL,
    versions TEXT NOT NULL, payload BLOB NOT NULL
)""",
    """CREATE TABLE IF NOT EXISTS claims (
    key TEXT PRIMARY KEY, owner TEXT NOT NULL, tries INTEGER NOT NULL
) WITHOUT ROWID""",
    "CREATE TABLE IF NOT EXISTS ledger (commits INTEGER NOT NULL, digest TEXT NOT NULL)",
)


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

    @classmethod
    def stored(cls, *values: Any) -> Self:
        """Return a row of the columns in a file, where settings are packed from schema 3 on.

        Raises
        ------
        TypeError, ValueError
            If they are no settings.
        """
        key, status, kind, settings, *rest = values
        if isinstance(settings, bytes):
            settings = unpack(settings, MAX_SETTINGS).decode("utf-8", "surrogatepass")
        return cls(key, status, kind, settings, *rest)

    @property
    def packed_settings(self) -> bytes:
        """Settings as they are stored."""
        return pack(self.settings.encode("utf-8", "surrogatepass"))

    @property
    def details(self) -> str:
        """Digest of everything but the status: 32 hexadecimal digits."""
        texts = (self.key, self.kind, self.settings, self.seconds.hex(), self.versions)
        head = "\0".join(texts).encode("utf-8", "surrogatepass")
        return hashlib.blake2b(head + b"\0" + self.payload, digest_size=16).hexdigest()
