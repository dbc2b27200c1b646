"""Checks of arguments, each in one place: the value, the rule and the nearest valid choice."""

from collections.abc import Iterable
from operator import index
from typing import Any

__all__ = [
    "check_choice", "check_integer", "check_number", "close_to", "did_you_mean", "listed",
    "nearest",
]  # fmt: skip

NEAR = 0.6  # of `difflib`: how alike a word and a choice are, from 0 to 1


def close_to(word: object, choices: Iterable[object]) -> str:
    """Return the choice that a word is close to, whatever its case; "" if there is none.

    >>> close_to("Cubik", ["linear", "cubic"])
    'cubic'
    """
    from difflib import get_close_matches

    lowered = {str(choice).lower(): str(choice) for choice in reversed(list(choices))}
    close = get_close_matches(str(word).lower(), list(lowered), n=1, cutoff=NEAR)
    return lowered[close[0]] if close else ""


def did_you_mean(word: object, choices: Iterable[object], quoted: bool = True) -> str:
    """Return "; did you mean X?" of the choice that a word is close to; "" if there is none.

    >>> did_you_mean("--teir", ["--tier", "--set"], quoted=False)
    '; did you mean --tier?'
    """
    close = close_to(word, choices)
    return f"; did you mean {repr(close) if quoted else close}?" if close else ""


def nearest(word: object, choices: Iterable[object]) -> str:
    """Return "; did you mean X?", or the first few choices if nothing is near.

    >>> nearest("los", ["loss", "step"])
    "; did you mean 'loss'?"
    """
    texts = [str(choice) for choice in choices]
    return did_you_mean(word, texts) or (f"; there are: {listed(texts)}" if texts else "")


def listed(texts: Iterable[object], limit: int = 8) -> str:
    """Join texts by commas, at most `limit` of them and none too long.

    >>> listed("abcd", 2)
    'a, b and 2 more'
    """
    words = [str(text) for text in texts]
    head = ", ".join(word if len(word) <= 60 else word[:59] + "..." for word in words[:limit])
    return head + (f" and {len(words) - limit:,} more" if len(words) > limit else "")


def check_choice(name: str, value: object, choices: Iterable[str]) -> None:
    """ValueError naming the parameter, its choices and the nearest, unless `value` is one."""
    choices = list(choices)
    if not isinstance(value, str) or value not in choices:
        hint = did_you_mean(value, choices) if isinstance(value, str) else ""
        raise ValueError(f"{name} must be one of {', '.join(choices)}; got {value!r}{hint}")


def check_integer(name: str, value: Any, lowest: int, rule: str | None = None) -> None:
    """TypeError or ValueError naming the parameter unless `value` is an integer >= `lowest`."""
    if isinstance(value, bool) or type(value).__name__ == "bool":  # NumPy's, without its import
        raise TypeError(f"{name} must be an integer; got {value!r}")
    try:
        number = index(value)
    except TypeError:
        raise TypeError(f"{name} must be an integer; got {value!r}") from None
    if number < lowest:
        bound = f"{lowest} ({rule})" if rule else f"{lowest}"
        raise ValueError(f"{name} must be >= {bound}; got {value}")


def check_number(name: str, value: object) -> None:
    """TypeError naming the parameter unless `value` is a real number."""
    import numpy as np

    if isinstance(value, bool) or not isinstance(value, (int, float, np.integer, np.floating)):
        raise TypeError(f"{name} must be a number; got {value!r}")
