"""The gallery of claims: what each says, what is recorded, its figure where tables are there."""

import shutil
from collections import Counter
from pathlib import Path

from motsim.claims import claim_module, claim_names
from motsim.claims._recorded import rows
from motsim.claims._reproduced import reproduced
from motsim.figures import draw, figure_names
from motsim.results.tables import TablesError, load_tables, stored_names

__all__ = ["write"]

HERE = Path(__file__).parent
ANIMATIONS = ("images/animation.svg", "images/animation.gif")
STILL = "images/rates.png"
ALTERNATIVE = "Steps to expected loss, by model: each law on axes where it is a straight line"
HEAD = """# Gallery of claims

Every claim with its sentence, where it comes from, and the verdicts that are recorded for the quick
tier: {counts}. {figures} A *fresh block* is the same sweep on other seeds
([reproduction](../reproduction.md)).
"""
NO_FIGURES = """
**No figures.** The tables were not there when this page was built. `python -m motsim.verify` makes
them in 10 to 20 minutes, in `results/`; build the pages again after it."""


def write(folder: Path, results: Path) -> None:
    """Write the gallery and the picture of the first page."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    found = next((name for name in ANIMATIONS if (HERE / name).is_file()), STILL)
    (folder / "picture.md").write_text(f"![{ALTERNATIVE}]({found})\n", encoding="utf-8")
    sections = [_section(name, folder, results) for name in claim_names()]
    counts = Counter(row.verdict.value for row in rows() if row.tier == "quick")
    drawn = sum("![" in section for section in sections)
    text = HEAD.format(
        counts=", ".join(f"{count} *{word}*" for word, count in counts.most_common()),
        figures=f"{drawn} have a figure, made from stored tables." if drawn else NO_FIGURES,
    )
    (folder / "gallery.md").write_text("\n".join([text, *sections]), encoding="utf-8")


def _section(name: str, folder: Path, results: Path) -> str:
    claim = claim_module(name).CLAIM
    own = [row for row in rows() if row.claim == name and row.tier == "quick"]
    lines = [
        f"## {name}\n", f"{_plain(claim.statement)}\n",
        f"*{_plain(claim.source)}; {claim.origin}; {claim.kind}.*",
        f"Predicted: {_plain(claim.prediction)}\n",
        *_figures(name, folder, results),
        "| case | recorded | came out on fresh seeds | why |", "|---|---|---|---|",
        *(
            f"| {row.case} | *{row.verdict.value}* |"
            f" {reproduced(name, row.case, row.tier, row.verdict) or ''} | {_plain(row.why)} |"
            for row in own
        ),
    ]  # fmt: skip
    return "\n".join([*lines, ""])


def _figures(name: str, folder: Path, results: Path) -> list[str]:
    """Lines that show a claim's figures; none where its table is not there."""
    if name not in figure_names() or name not in stored_names(results):
        return []
    try:
        pictures = draw(name, load_tables(name, results), folder)
    except TablesError as error:
        return [f"No figure: {_plain(str(error))}\n"]
    return [f"![{name}: {path.stem}]({path.relative_to(folder).as_posix()})\n" for path in pictures]


def _plain(text: str) -> str:
    """Text as it stands, whatever Markdown would make of its signs."""
    for sign in "\\`*_$|<>[]{}^~":
        text = text.replace(sign, f"\\{sign}")
    return " ".join(text.split())
