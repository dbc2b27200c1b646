"""Why a verdict is inconclusive, in one line: what its finding holds, and no more."""

import re
from math import isnan

from motsim.claims import Finding, Verdict

__all__ = ["reason"]

NUMBER = r"[-+−]?\d+(?:\.\d+)?(?:e[-+]?\d+)?"
LIMIT = re.compile(rf"(?:[<>]=?|[≤≥]|more than|less than|at (?:most|least)) *({NUMBER})( ?%)?")
AROUND = re.compile(rf"({NUMBER}) ± ({NUMBER})")
FACTOR = re.compile(rf"factor (?:of )?({NUMBER})")
PERCENT = re.compile(rf"within ({NUMBER}) ?%")
PART = re.compile(r"; |\. (?=[A-Z])")
#: Words of claims that say what is missing.
OPEN = re.compile(
    r"\b(too few|needed|no rows|no finished|the same in every run|disagree|still falls)\b"
)
COLUMNS = 80


def reason(finding: Finding, indent: int = 0) -> str:
    """Return why a finding decides nothing, in a line of `COLUMNS`; "" where it decides.

    What is missing, such as runs, where evidence or measurement says so; else the limit of the
    prediction that lies within the interval; else the first sentence of the evidence.

    >>> from motsim.claims import Interval
    >>> reason(Finding("a", "p > 0.5", "", Verdict.INCONCLUSIVE, "", Interval(0.6, 0.41, 0.8)))
    'why: the interval [0.41, 0.8] includes 0.5'
    """
    if finding.verdict is not Verdict.INCONCLUSIVE:
        return ""
    text = _missing(finding) or _limit(finding) or _sentence(finding.evidence)
    line = f"why: {' '.join(text.split())}"
    most = COLUMNS - indent
    if len(line) > most:
        line = line[: most - 3].rsplit(" ", 1)[0].rstrip(" ,;:(") + " ..."
    return line[:most]


def _missing(finding: Finding) -> str:
    """Clause that says what is missing, with what there is beside what it takes."""
    for text in (finding.evidence, finding.measured):
        parts = PART.split(text.rstrip("."))
        for i_part, part in enumerate(parts):
            if found := OPEN.search(part):
                clause = part[part.rfind(": ", 0, found.start()) + 1 :].strip()
                counts = (
                    i_part and clause[0].isdigit() and found[0] == "needed" and "," not in clause
                )
                return f"{parts[i_part - 1]}, {clause}" if counts else clause
    return ""


def _limit(finding: Finding) -> str:
    """Limits of the prediction that the interval includes."""
    interval = finding.interval
    if isnan(interval.low) and isnan(interval.high):
        alone = "a value without an interval: too few runs, or none that differs"
        return "" if isnan(interval.value) else alone
    ends = interval.ends(".3g")
    shares, others = _limits(finding.predicted)
    for limits in (shares, others):
        inside = [f"{x:.4g}" for x in limits if interval.contains(x)]
        if inside:
            return f"the interval {ends} includes {' and '.join(dict.fromkeys(inside))}"
    return ""  # then it is not the interval that leaves it open


def _limits(predicted: str) -> tuple[list[float], list[float]]:
    """Numbers in a prediction that what is measured is held against: shares of runs, and others.

    Where there is a share, the others say what its runs have.
    """
    shares, others = [], []
    for text, share in LIMIT.findall(predicted):
        others.append(_number(text))
        if share:
            shares.append(_number(text) / 100)
    for middle, half in AROUND.findall(predicted):
        others += [_number(middle) - _number(half), _number(middle) + _number(half)]
    for text in FACTOR.findall(predicted):
        others += [1.0 / _number(text), _number(text)] if _number(text) > 0 else []
    for text in PERCENT.findall(predicted):
        others += [1.0 - _number(text) / 100, 1.0 + _number(text) / 100]
    return shares, others


def _number(text: str) -> float:
    return float(text.replace("−", "-"))


def _sentence(text: str) -> str:
    return PART.split(text, maxsplit=1)[0].rstrip(".") or "nothing decides"
