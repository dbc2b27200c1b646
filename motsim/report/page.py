"""Sections become one HTML page that needs no network."""

import base64
import hashlib
import math
import re
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from motsim import __version__
from motsim.claims import Finding, claim_names
from motsim.commands.glossary import Entry, find, glossary
from motsim.figures.dark import rules
from motsim.report.formulas import formulas
from motsim.report.papers import grouped, linked
from motsim.report.provenance import code_of, machine
from motsim.report.sections import Section
from motsim.statistics.interval import Verdict

__all__ = ["interval", "render"]

FOLDER = Path(__file__).parent
#: Kind of claim -> what is asserted.
KINDS = {
    "tight": "tight: equality, tested on both sides",
    "upper": "upper bound: tested on one side",
    "lower": "lower bound: tested on one side",
    "existence": "existence: one case suffices",
}
#: Origin of a statement -> in words.
ORIGINS = {
    "quoted": "quoted from the paper",
    "reconstructed": "reconstructed from what is public about the paper",
    "derived": "derived in this project",
    "measured": "measured in this project",
}
#: Words of the glossary that the box explains.
BOX = ("interval", "holds", "inconclusive", "recorded", "negative control")
DRAWN_BY = ("numpy", "scipy", "pandas", "matplotlib")


def render(sections: Sequence[Section]) -> str:
    """Return the page. The same sections give the same text."""
    style = (FOLDER / "page.css").read_text(encoding="utf-8")
    script = (FOLDER / "page.js").read_text(encoding="utf-8")
    colors = rules(picture.svg for section in sections for picture in section.pictures)
    dark = f"@media screen and (prefers-color-scheme: dark) {{ .picture {{ {colors} }} }}\n"
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    environment = Environment(
        loader=FileSystemLoader(FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    filters = (formulas, interval, linked, marked, sortable)
    environment.filters |= {each.__name__: each for each in filters}
    claims = [section for section in sections if section.claim]
    counts = {verdict: sum(section.counts[verdict] for section in sections) for verdict in Verdict}
    return environment.get_template("page.html").render(
        groups=grouped(sections),
        topics=_glossary(),
        means={word: find(word)[0].means for word in BOX},
        provenance=(code_of(), machine()),
        anchors=_anchors(sections),
        judged=[section for section in claims if section.findings],
        counts=counts,
        total=sum(counts.values()),
        changed=sum(section.changed for section in sections),
        tiers=sorted({s.facts["tier"] for s in sections if "tier" in s.facts}),
        kinds=KINDS,
        origins=ORIGINS,
        versions=[f"motsim {__version__}", *(f"{name} {version(name)}" for name in DRAWN_BY)],
        style=Markup(f"{style}{dark}"),
        script=Markup(script),
        policy=f"default-src 'none'; script-src 'sha256-{digest}'; style-src 'unsafe-inline';"
        " img-src data:; base-uri 'none'; form-action 'none'",
    )


def _anchors(sections: Sequence[Section]) -> dict[str, str]:
    """Id of each section: a claim's own name; a user's name may hold anything."""
    known = set(claim_names())
    return {s.name: s.name if s.name in known else f"table-{n}" for n, s in enumerate(sections, 1)}


def _glossary() -> dict[str, list[Entry]]:
    """Entries by topic."""
    found: dict[str, list[Entry]] = {}
    for entry in glossary():
        found.setdefault(entry.topic, []).append(entry)
    return found


def marked(text: str) -> Markup:
    """Return words of the glossary with their emphasis and code."""
    said = re.sub(r"\*([^*]+)\*", r"<em>\1</em>", str(escape(text)))
    return Markup(re.sub(r"`([^`]+)`", r"<code>\1</code>", said))


def interval(finding: Finding) -> Markup:
    """Value and interval in three digits; empty where the verdict rests on no single number."""
    found = finding.interval
    if math.isnan(found.value):
        return Markup("")
    numbers = (found.value, found.low, found.high)
    value, low, high = (f"{n:.3g}".replace("inf", "∞").replace("-", "−") for n in numbers)
    if math.isnan(found.low) or math.isnan(found.high):
        return Markup(value)
    return Markup(f'{value} <span class="within">[{low}, {high}]</span>')


def sortable(number: float) -> str:
    """Return a number as the sorting script reads it; empty for NaN, which goes last."""
    return "" if math.isnan(number) else repr(number).replace("inf", "Infinity")
