"""The gallery of claims: what each says, what is recorded, and its figure where tables are there."""

import os
import shutil
from collections import Counter
from pathlib import Path

from motsim.claims import claim_names, load_claim
from motsim.claims._recorded import recorded
from motsim.figures import draw, figure_names
from motsim.results.folder import StoreError
from motsim.results.tables import TablesError, load_tables

__all__ = ["write"]

HERE = Path(__file__).parent
ANIMATIONS = ("images/animation.svg", "images/animation.gif")
STILL = "images/rates.png"
ALTERNATIVE = "Steps to expected loss, by model: each law on axes where it is a straight line"
HEAD = """# Gallery of claims

Every claim with its sentence, where it comes from, and the verdicts that are recorded for the quick tier.
{figures}

| verdicts | number |
|---|---|
{counts}
"""
NO_FIGURES = """
The tables were not there when this page was built, so it has no figures: `python -m motsim.verify` makes
them in 10 to 20 minutes, in `results/`; build the pages again after it."""


def write(folder: Path, results: Path) -> None:
    """Write the gallery and the picture of the first page."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    found = next((name for name in ANIMATIONS if (HERE / name).is_file()), STILL)
    (folder / "picture.md").write_text(f"![{ALTERNATIVE}]({found})\n", encoding="utf-8")
    sections = [_section(name, folder, results) for name in claim_names()]
    verdicts = Counter(
        row.verdict.value for name in claim_names() for row in recorded(name, "quick").values()
    )
    drawn = sum("![" in section for section in sections)
    text = HEAD.format(
        figures=f"{drawn} of them have a figure, made from stored tables." if drawn else NO_FIGURES,
        counts="\n".join(f"| *{word}* | {count} |" for word, count in verdicts.most_common()),
    )
    (folder / "gallery.md").write_text("\n".join([text, *sections]), encoding="utf-8")
