"""The pages: a README of one screen, findings as recorded, a gallery, HTML without network."""

import importlib.util
import os
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

import motsim
from motsim.claims import claim_names
from motsim.claims._recorded import rows

ROOT = Path(motsim.__file__).parents[1]
DOCS = ROOT / "docs"
LONGEST = 100  # lines of the README


def test_the_readme_is_short_and_says_the_test_command():
    text = (ROOT / "README.md").read_text("utf-8")
    assert len(text.splitlines()) <= LONGEST
    assert "reproduced on\nfresh seeds" in text
    commands = text.partition("<!-- test command -->")[2].splitlines()
    assert commands[1] == "```bash"
    assert commands[2].startswith("python3 -m venv .venv && .venv/bin/pip install -e '.[test]' && ")
    assert len(re.findall(r"^\d\. \*\*", text, re.MULTILINE)) == 6


def counted(text):
    """Claims, verdicts, and how many hold, fail and stay inconclusive, as a page says."""
    found = re.search(
        r"(\d+) claims, (\d+) verdicts: (\d+) hold, (\d+) fail, (\d+) inconclusive", text
    )
    return tuple(int(number) for number in found.groups())


def test_the_table_of_verdicts_counts_what_is_recorded():
    own = [row for row in rows() if row.tier == "quick"]
    by = Counter(row.verdict.value for row in own)
    told = counted((DOCS / "verdicts.txt").read_text("utf-8"))
    assert told == (len(claim_names()), len(own), by["holds"], by["fails"], by["inconclusive"])


def test_findings_and_verdicts_name_every_claim():
    table = (DOCS / "findings.md").read_text("utf-8")
    firsts = " ".join(re.findall(r"^\| (`.*?) \|", table, re.MULTILINE))
    found = re.findall(r"`([\w-]+)`", firsts)
    heads = [name for name in found if not name.startswith("-")]
    named = {*heads, *(short for name in found if name.startswith("-") for short in _whole(name))}
    assert set(claim_names()) == named  # neither a claim without a row nor a row without a claim
    printed = (DOCS / "verdicts.txt").read_text("utf-8")
    assert set(claim_names()) == set(re.findall(r"^([a-z][\w-]*)  \(", printed, re.MULTILINE))


NUMBER = re.compile(r"\d[\d.,]*(?:e-?\d+)?(?<![.,])|10[⁰¹²³⁴⁵⁶⁷⁸⁹]+")


def test_numbers_of_the_six_findings_are_in_the_table():
    text = (ROOT / "README.md").read_text("utf-8")
    text = text[text.index("1. **") : text.index("[All claims]")]
    told = set(NUMBER.findall(re.sub(r"^\d\. ", "", text, flags=re.MULTILINE)))
    table = (DOCS / "findings.md").read_text("utf-8")
    known = {*NUMBER.findall(table), *NUMBER.findall(table.replace(" and ", " to "))}
    assert told - known == set()
    assert len(told) > 10
    assert "0.9026" not in known  # control


def _whole(ending):
    """`-schedule` after `rehearsal-hybrid` is `rehearsal-schedule`."""
    return [name for name in claim_names() if name.endswith(ending)]


@pytest.fixture(scope="module")
def gallery():
    spec = importlib.util.spec_from_file_location("gallery", DOCS / "gallery.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_gallery_says_where_figures_are_not_there(gallery, tmp_path):
    gallery.write(tmp_path / "pages", tmp_path / "nothing")
    text = (tmp_path / "pages" / "gallery.md").read_text("utf-8")
    assert "**No figures.**" in text
    assert re.findall(r"^## (\S+)", text, re.MULTILINE) == claim_names()
    assert text.count("\n| ") == len(claim_names()) + sum(r.tier == "quick" for r in rows())


def test_the_gallery_shows_figures_of_tables(gallery, tmp_path, monkeypatch):
    def drawn(name, tables, folder):
        path = folder / "figures" / f"{name}.png"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"")
        return [path]

    def load(name, folder):
        if name != "rates":
            raise gallery.TablesError("older than *this*")

    (tmp_path / "results").mkdir()
    for name, ending in (("rates", "csv.gz"), ("coverage", "csv")):
        (tmp_path / "results" / f"{name}.{ending}").touch()
        (tmp_path / "results" / f"{name}.json").touch()
    monkeypatch.setattr(gallery, "draw", drawn)
    monkeypatch.setattr(gallery, "load_tables", load)
    gallery.write(tmp_path / "pages", tmp_path / "results")
    text = (tmp_path / "pages" / "gallery.md").read_text("utf-8")
    assert "**No figures.**" not in text
    assert re.findall(r"!\[.*\]\((.*)\)", text) == ["figures/rates.png"]
    assert text.count("No figure: older than \\*this\\*") == 1


@pytest.mark.slow
@pytest.mark.parametrize("broken", [False, True])
def test_pages_become_html_without_a_warning(broken, tmp_path):
    """As CI builds them; a link that leads nowhere stops it."""
    pytest.importorskip("sphinx")
    import shutil

    shutil.copytree(DOCS, tmp_path / "docs", ignore=shutil.ignore_patterns("generated"))
    if broken:
        with (tmp_path / "docs" / "why.md").open("a") as page:
            page.write("\n[nowhere](nowhere.md)\n")
    done = subprocess.run(
        [sys.executable, "-m", "sphinx", "-W", "-q", "docs", "html"], cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT), "MOTSIM_DOCS_RESULTS": "none"},
        capture_output=True, text=True, timeout=400,
    )  # fmt: skip
    assert (done.returncode != 0) == broken, done.stderr
    assert ("nowhere" in done.stderr) == broken
    if not broken:
        assert "Return the claim" in (tmp_path / "html" / "api.html").read_text("utf-8")
