"""Which verdicts of a claim stand together: Holm's rule over its findings.

Each verdict is decided by its own interval at 95 %: of many, some may be false by chance. A verdict
stands together with the others if the chance that *any* of those that stand is false is at most
5 %: Holm's step-down rule (Scandinavian Journal of Statistics 6 (1979), 65), of K findings first at
level 1 - 0.05/K, then, where r stand, at 1 - 0.05/(K - r), until no other stands. What a level is
to a verdict, its judge says: the table is judged again at each of them. Findings without an
interval of that level (rehearsal's four standard errors, equalities) stand if they are decided.
"""

from collections.abc import Callable, Sequence

from motsim.claims import Finding, Verdict
from motsim.results.tables import Tables
from motsim.statistics.confidence import LEVEL, at_level

__all__ = ["stands_together"]


def stands_together(
    judge: Callable[[Tables], Sequence[Finding]], tables: Tables, findings: Sequence[Finding]
) -> tuple[str, ...]:
    """Return the cases whose verdict, holds or fails, stands together with the others'."""
    waiting = {f.case: f.verdict for f in findings if f.verdict != Verdict.INCONCLUSIVE}
    standing: set[str] = set()
    while waiting:
        with at_level(1.0 - (1.0 - LEVEL) / (len(findings) - len(standing))):
            again = judge(tables)
        found = {f.case for f in again if waiting.get(f.case) == f.verdict}
        if not found:
            break
        standing |= found
        waiting = {case: verdict for case, verdict in waiting.items() if case not in found}
    return tuple(f.case for f in findings if f.case in standing)
