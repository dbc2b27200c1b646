"""What a claim answers where there is too little to judge."""

from motsim.claims import Claim, Finding, Verdict

__all__ = ["nothing", "undecided"]


def undecided(case: str, predicted: str, measured: str, evidence: str) -> Finding:
    """Return an inconclusive finding without a number."""
    return Finding(case, predicted, measured, Verdict.INCONCLUSIVE, evidence)


def nothing(claim: Claim) -> list[Finding]:
    """Return one inconclusive finding of a case that is nowhere recorded.

    A table without rows, or without the columns of the sweep (an axis set by ``--set``).
    """
    why = "the table holds no finished run with the columns of this claim's sweep"
    return [undecided("all", claim.prediction, "no rows to judge", why)]
