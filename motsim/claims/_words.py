"""What is said of the cases of a claim: two tables of words beside the claims.

`words.csv` has a row a claim and pattern of its cases: what they are about, for the sentence of the
report (`_sentence.py`); of several patterns of a case the first one counts. `reasons.csv` has a row
a claim and case: why it comes out as it does, for the evidence. No verdict rests on either.
"""

import csv
from functools import cache
from pathlib import Path

__all__ = ["reasons", "rows_of", "words_of"]

ROOM = Path(__file__).parent


@cache
def rows_of(table: Path) -> tuple[list[str], ...]:
    """Every row of a table, without its head."""
    with table.open(newline="", encoding="utf-8") as file:
        return tuple(csv.reader(file))[1:]


def reasons(claim: str) -> dict[str, str]:
    """Case -> why, of one claim, in the order of the table."""
    return {case: why for name, case, why in rows_of(ROOM / "reasons.csv") if name == claim}


def words_of(module: object) -> dict[str, str]:
    """Pattern of cases -> words of a claim; a plugged in one has them as `WORDS` of its module."""
    room, _, name = getattr(module, "__name__", "").rpartition(".")
    if room != "motsim.claims":
        return dict(getattr(module, "WORDS", {}))
    own = name.replace("_", "-")
    return {cases: words for claim, cases, words in rows_of(ROOM / "words.csv") if claim == own}
