"""Which paper a section belongs to: by the first arXiv number in its claim's source."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

from motsim.claims import Claim
from motsim.report.sections import Section

__all__ = ["Group", "grouped", "linked", "number_of"]

NUMBER = re.compile(r"arXiv:(\d{4}\.\d{4,5})")
#: Papers with a title here, in the order of the page; any other one goes by its number.
TITLES = {
    "2510.27004": "Mixture-of-Transformers Learn Faster: A Theoretical Study on Classification"
    " Problems",
    "2506.00205": "Unlocking the Power of Rehearsal in Continual Learning: A Theoretical"
    " Perspective",
    "2208.02813": "Towards Understanding Mixture of Experts in Deep Learning",
}
DERIVED, OWN = "Derived here, or of your own", "Sweeps without a claim"


@dataclass(frozen=True)
class Group:
    """Sections of one paper."""

    title: str
    number: str
    sections: tuple[Section, ...]


def number_of(claim: Claim) -> str:
    """Return the arXiv number of the paper that a claim is of; empty where its source has none."""
    found = NUMBER.search(claim.source)
    return found[1] if found else ""


def grouped(sections: Sequence[Section]) -> list[Group]:
    """Sections by paper, each in its given order; then claims of no paper, then mere sweeps."""
    claims = [(number_of(s.claim), s) for s in sections if s.claim]
    known = [n for n in TITLES if n in dict(claims)]
    others = [n for n in dict.fromkeys(n for n, _ in claims) if n and n not in TITLES]
    parts = [(TITLES.get(n, f"arXiv:{n}"), n) for n in (*known, *others)] + [(DERIVED, "")]
    found = [Group(t, n, tuple(s for mine, s in claims if mine == n)) for t, n in parts]
    found.append(Group(OWN, "", tuple(s for s in sections if not s.claim)))
    return [group for group in found if group.sections]


def linked(source: str) -> Markup:
    """Return a source with a link for each arXiv number."""
    link = r'<a href="https://arxiv.org/abs/\1">arXiv:\1</a>'
    return Markup(NUMBER.sub(link, str(escape(source))))
