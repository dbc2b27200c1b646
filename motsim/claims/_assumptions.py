"""Under which assumptions a claim is checked: the first part of its module's docstring."""

import inspect
import re

__all__ = ["assumptions"]

PART = re.compile(
    r"^Assumptions:?\s+(.+?)(?=\n\s*\n|\n(?:Statements?|Kind|Source|Findings?|Found|What was)\b|\Z)",
    re.MULTILINE | re.DOTALL,
)


def assumptions(text: str | None) -> str:
    """Return the assumptions of a docstring in one line; empty where it names none.

    >>> assumptions("A claim.\\n\\nAssumptions: N = 4,\\nno noise.\\nKind: tight.")
    'N = 4, no noise.'
    """
    found = PART.search(inspect.cleandoc(text or ""))
    return " ".join(found[1].replace("``", "").split()) if found else ""
