"""What came out for a claim, in one sentence that is made from its findings."""

from collections.abc import Sequence

from motsim.claims import Finding

__all__ = ["sentence"]

NAMED = 3  # cases named of each verdict
VERBS = {"holds": "holds", "fails": "fails", "inconclusive": "stays undecided"}


def sentence(findings: Sequence[Finding]) -> str:
    """Say in how many cases the claim holds, and where it does not.

    Examples
    --------
    >>> cases = [("a", "holds"), ("b", "fails")]
    >>> sentence([Finding(case, "", "", verdict, "") for case, verdict in cases])
    'It holds in 1 of 2 cases and fails in 1 (b).'
    """
    if not findings:
        return ""
    by = {word: [f.case for f in findings if f.verdict == word] for word in VERBS}
    total = len(findings)
    for word, verb in VERBS.items():
        if len(by[word]) == total:
            which = {1: "the one case", 2: "both cases"}.get(total, f"all {total} cases")
            return f"It {verb} in {which}."
    parts: list[str] = []
    for word, verb in VERBS.items():
        cases = by[word]
        if not cases:
            continue
        of = f" of {total} cases" if not parts else ""
        named = ""
        if word != "holds":
            more = len(cases) - NAMED
            last = f"; and {more} more" if more > 0 else ""
            named = f" ({'; '.join(cases[:NAMED])}{last})"
        parts.append(f"{verb} in {len(cases)}{of}{named}")
    return f"It {', '.join(parts[:-1])} and {parts[-1]}." if len(parts) > 1 else f"It {parts[0]}."
