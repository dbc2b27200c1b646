"""The glossary: words and symbols, each with its one meaning."""

import re
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Entry", "find", "glossary"]

FILE = Path(__file__).with_name("glossary.md")
LATIN = str.maketrans({
    "ε": "eps", "η": "eta", "ρ": "rho", "σ": "sigma", "γ": "gamma", "*": "*",
})  # fmt: skip


@dataclass(frozen=True)
class Entry:
    """A row of the glossary: its names, what they mean, and what is no longer said for it."""

    names: tuple[str, ...]
    means: str
    retired: tuple[str, ...]
    topic: str


def glossary() -> list[Entry]:
    """Return every entry, in the order of the page."""
    found, topic = [], ""
    for line in FILE.read_text(encoding="utf-8").splitlines():
        if line.startswith("## "):
            topic = line.removeprefix("## ")
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if line.startswith("| ") and len(cells) == 3 and cells[0] != "word":
            names, means, retired = cells
            found.append(Entry(_split(names), means, _split(retired), topic))
    return found


def find(word: str) -> list[Entry]:
    """Return the entries of a word: by its name, else by what it is no longer called."""
    asked = _plain(word)
    every = glossary()
    named = [entry for entry in every if asked in map(_plain, entry.names)]
    return named or [entry for entry in every if asked in map(_plain, entry.retired)]


def _split(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


def _plain(word: str) -> str:
    """Return a word as it is compared: small letters, Latin, singular; symbols keep their case."""
    word = " ".join(word.replace("-", " ").replace("_", " ").split()).translate(LATIN)
    if len(word) <= 2:  # d and D, n and N are not the same
        return word
    return re.sub(r"(?<=[a-z]{3})s$", "", word.lower())
