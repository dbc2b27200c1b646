"""What came out for a claim, in one sentence that is made from its findings."""

from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase

from motsim.claims import Finding
from motsim.statistics.interval import Verdict

__all__ = ["sentence", "topic"]
NAMED = 3  # cases named of each verdict, where a claim has no words for them
VERBS = {Verdict.HOLDS: "holds", Verdict.FAILS: "fails", Verdict.INCONCLUSIVE: "stays undecided"}


def sentence(findings: Sequence[Finding], words: Mapping[str, str] | None = None) -> str:
    """Say what the claim holds for and what it does not: in the claim's words, or by cases.

    `words` are the claim's (motsim/claims/_words.py): pattern of cases -> what they are about.

    Examples
    --------
    >>> cases = [("a", "holds"), ("b", "fails"), ("b2", "holds")]
    >>> findings = [Finding(case, "", "", verdict, "") for case, verdict in cases]
    >>> sentence(findings)
    'It holds in 2 of 3 cases and fails in 1 (b).'
    >>> sentence(findings, {"a": "cubic experts", "b*": "linear experts"})
    'It holds for cubic experts and linear experts (1 of 2); it fails for linear experts (1 of 2).'
    """
    if not findings:
        return ""
    if words:
        return _by_topic(findings, words)
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
        if word != Verdict.HOLDS:
            more = len(cases) - NAMED
            last = f"; and {more} more" if more > 0 else ""
            named = f" ({'; '.join(cases[:NAMED])}{last})"
        parts.append(f"{verb} in {len(cases)}{of}{named}")
    return f"It {', '.join(parts[:-1])} and {parts[-1]}." if len(parts) > 1 else f"It {parts[0]}."


def topic(case: str, words: Mapping[str, str]) -> str:
    """Return what a case is about; its own name where no pattern is of it."""
    return next((said for pattern, said in words.items() if fnmatchcase(case, pattern)), case)


def _by_topic(findings: Sequence[Finding], words: Mapping[str, str]) -> str:
    topics = [topic(finding.case, words) for finding in findings]
    clauses = []
    for verdict, verb in VERBS.items():
        mine = [t for t, f in zip(topics, findings, strict=True) if f.verdict == verdict]
        named = []
        for each in dict.fromkeys(mine):
            of = topics.count(each)
            part = "" if mine.count(each) == of else f" ({mine.count(each)} of {of})"
            named.append(f"{each}{part}")
        if named:
            listed = f"{', '.join(named[:-1])} and {named[-1]}" if len(named) > 1 else named[0]
            clauses.append(f"it {verb} for {listed}")
    text = "; ".join(clauses)
    return f"{text[0].upper()}{text[1:]}."
