"""ReadingError: one line that names the place, the rule and the nearest valid choice."""

__all__ = ["ReadingError", "short"]


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
