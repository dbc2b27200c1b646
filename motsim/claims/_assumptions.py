"""Under which assumptions a claim is checked: the first part of its module's docstring."""

import inspect
import re

__all__ = ["assumptions"]

NEXT = r"\n\s*\n|\n(?:Statements?|Kind|Source|Findings?|Found|What was)\b|\Z"
PART = re.compile(rf"^Assumptions:?\s+(.+?)(?={NEXT})", re.MULTILINE | re.DOTALL)


def assumptions(text: str | None) -> str:
    """Return the assumptions of a docstring in one line; empty where it names none.

    >>> assumptions("Assumptions: N = 4, no noise.")
    'N = 4, no noise.'
    """
    found = PART.search(inspect.cleandoc(text or ""))
    return " ".join(found[1].replace("``", "").split()) if found else ""
