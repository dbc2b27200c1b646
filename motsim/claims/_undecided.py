"""What a claim answers where there is too little to judge."""

from collections.abc import Callable
from functools import wraps

from motsim.claims import Claim, Finding, Verdict
from motsim.results.tables import Tables

__all__ = ["needs", "nothing", "undecided"]

Judge = Callable[[Tables], list[Finding]]


def undecided(case: str, predicted: str, measured: str, evidence: str) -> Finding:
    """Return an inconclusive finding without a number."""
    return Finding(case, predicted, measured, Verdict.INCONCLUSIVE, evidence)


def nothing(claim: Claim) -> list[Finding]:
    """Return one inconclusive finding of a case that is nowhere recorded."""
    why = "the table holds no finished run with the columns of this claim's sweep"
    return [undecided("all", claim.prediction, "no rows to judge", why)]


def needs(claim: Claim, columns: str = "", *, some: str = "") -> Callable[[Judge], Judge]:
    """Let a judge answer with one inconclusive finding, nowhere recorded, where it finds nothing.

    That is in a table without rows, without one of the `columns` (with blanks between; ``--set``
    takes an axis away), without any value of the column `some`, or if the judge returns nothing.
    """

    def decorated(judge: Judge) -> Judge:
        @wraps(judge)
        def checked(tables: Tables) -> list[Finding]:
            main = tables.main
            able = not main.empty and {*columns.split(), some} - {""} <= set(main)
            if not able or (some and main[some].isna().all()):
                return nothing(claim)
            return judge(tables) or nothing(claim)

        return checked

    return decorated
