"""Verdicts found before: a table of data beside the claims, joined by the judge only.

`recorded.csv` has a row a claim and case: the tier it was found on, the verdict, and why where that
is not plain from the claim. What is recorded for the quick tier stands for the full one as well,
unless that has a row of its own.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from motsim.claims import ClaimModule, Finding, Verdict, claim_module
from motsim.claims._reproduced import reproduced
from motsim.claims._words import rows_of
from motsim.results.tables import Tables, TablesError

__all__ = ["Recorded", "join", "judged", "recorded"]

TABLE = Path(__file__).with_name("recorded.csv")


@dataclass(frozen=True)
class Recorded:
    """A row of the table."""

    claim: str
    case: str
    tier: str
    verdict: Verdict
    why: str


@cache
def rows() -> tuple[Recorded, ...]:
    """Every row of the table."""
    return tuple(
        Recorded(claim, case, tier, Verdict(verdict), why)
        for claim, case, tier, verdict, why in rows_of(TABLE)
    )


def recorded(claim: str, tier: str) -> dict[str, Verdict]:
    """Recorded verdict of each case of a claim, in a tier."""
    known = {tier, "quick"}
    own = [row for row in rows() if row.claim == claim and row.tier in known]
    return {row.case: row.verdict for row in sorted(own, key=lambda row: row.tier == tier)}


def join(claim: str, tier: str, findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Findings with what is recorded beside each.

    Where the table has nothing, what the finding brings along stays: that of a user's own claim.
    """
    known = recorded(claim, tier)
    return tuple(_joined(claim, tier, finding, known.get(finding.case)) for finding in findings)


def _joined(claim: str, tier: str, finding: Finding, known: Verdict | None) -> Finding:
    if known is None:
        return finding
    fresh = reproduced(claim, finding.case, tier, known)
    return replace(finding, expected=known, reproduced=fresh)


def judged(claim: str, tables: Tables, module: ClaimModule | None = None) -> tuple[Finding, ...]:
    """Judge the tables of a claim, by its module, and join what is recorded.

    Raises
    ------
    TablesError
        If they hold no such columns or values as the claim is about.
    """
    tier = str(tables.meta.get("tier", "quick"))
    judge = (module or claim_module(claim)).judge
    try:
        return join(claim, tier, judge(tables))
    except (LookupError, ValueError, TypeError, ArithmeticError, AttributeError) as error:
        told = f"{type(error).__name__}: {' '.join(str(error).split())}"
        raise TablesError(f"{tables.name}: its tables cannot be judged ({told})") from error
