"""ReadingError: one line that names the place, the rule and the nearest valid choice."""

from collections.abc import Iterable
from difflib import get_close_matches

__all__ = ["ReadingError", "listed", "nearest", "short"]

SHOWN = 8


class ReadingError(ValueError):
    """A file or table that holds no curves as asked; its one line says what to do."""

    def __init__(self, message: str):
        super().__init__(" ".join(message.split()))


def short(value: object, length: int = 40) -> str:
    """Return a value as one quoted piece of text that fits into a line.

    >>> short("abc" * 40)
    "'abcabcabcabcabcabcabcabcabcabcabcabcabc...'"
    """
    text = str(value)
    return repr(text if len(text) <= length else text[: length - 1] + "...")


def listed(names: Iterable[object], limit: int = SHOWN) -> str:
    """Return names separated by commas, at most `limit` of them.

    >>> listed("abcd", 2)
    'a, b and 2 more'
    """
    texts = [str(name) for name in names]
    head = ", ".join(text if len(text) <= 60 else text[:59] + "..." for text in texts[:limit])
    return head + (f" and {len(texts) - limit:,} more" if len(texts) > limit else "")


def nearest(name: object, choices: Iterable[object]) -> str:
    """Return "; did you mean X?" or, if nothing is near, the choices.

    >>> nearest("los", ["loss", "step"])
    "; did you mean 'loss'?"
    """
    texts = [str(choice) for choice in choices]
    lower = {text.lower(): text for text in reversed(texts)}
    close = get_close_matches(str(name).lower(), list(lower), n=1)
    if close:
        return f"; did you mean {lower[close[0]]!r}?"
    return f"; there are: {listed(texts)}" if texts else ""
