"""A report explains itself: words, sentences, papers, commands, where it comes from."""

import csv
import subprocess
from dataclasses import replace
from fnmatch import fnmatchcase
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from motsim.claims import Claim, Finding, claim_module, claim_names
from motsim.claims._assumptions import assumptions
from motsim.claims._recorded import TABLE
from motsim.claims._sentence import sentence
from motsim.claims._words import words_of
from motsim.commands.glossary import glossary
from motsim.report.formulas import formulas
from motsim.report.page import marked, render
from motsim.report.papers import DERIVED, OWN, TITLES, grouped
from motsim.report.provenance import case_commands, code_of, machine, written
from motsim.report.sections import Section
from tests.report.report_pages import plain, section_of


def unnamed(recorded, words):
    """Cases of a claim that its words do not name, and patterns that name no case."""
    named = {case: [p for p in words if fnmatchcase(case, p)][:1] for case in recorded}
    used = {pattern for found in named.values() for pattern in found}
    return [case for case, found in named.items() if not found] + [
        p for p in words if p not in used
    ]


@pytest.mark.parametrize("name", claim_names())
def test_a_claim_has_words_for_every_case_and_says_what_it_assumes(name):
    with TABLE.open(newline="", encoding="utf-8") as file:
        recorded = [row["case"] for row in csv.DictReader(file) if row["claim"] == name]
    module = claim_module(name)
    words = words_of(module)
    assert recorded
    assert unnamed(recorded, words) == []
    assert len(assumptions(module.__doc__)) > 40
    # controls: one word less, one pattern too many, another head
    less = dict(list(words.items())[:-1])
    assert unnamed(recorded, less)
    assert unnamed(recorded, words | {"no such case": "x"}) == ["no such case"]
    assert assumptions(module.__doc__.replace("Assumptions", "Remarks")) == ""


def test_a_sentence_follows_the_verdicts():
    words = {"cubic": "cubic experts", "linear*": "linear experts"}
    found = [Finding(c, "", "", "holds", "") for c in ("cubic", "linear-1", "linear-2")]
    assert sentence(found, words) == "It holds for cubic experts and linear experts."
    found[2] = replace(found[2], verdict="fails")
    assert sentence(found, words) == (
        "It holds for cubic experts and linear experts (1 of 2); it fails for linear experts"
        " (1 of 2)."
    )
    found[0] = replace(found[0], verdict="inconclusive")
    assert sentence(found, words).endswith("it stays undecided for cubic experts.")


def test_the_page_explains_verdicts_and_words(monkeypatch):
    said = plain(render([]))
    for entry in glossary():
        assert plain(f"{entry.names[0]}") in said
        assert plain(str(marked(entry.means))) in said
    box = plain(section_of(render([]), "verdicts"))
    assert plain(str(marked(next(e for e in glossary() if "holds" in e.names).means))) in box
    entries = [replace(entry, means="something else") for entry in glossary()]
    monkeypatch.setattr("motsim.report.page.glossary", lambda: entries)  # control: no second copy
    assert plain(str(marked(glossary()[0].means))) not in plain(render([]))


def section(name, source):
    claim = Claim("A statement.", source, "quoted", "p", "tight") if source else None
    return Section(name, "", claim)


def test_sections_stand_by_paper():
    given = [
        section("mine", ""), section("a", "derived here"), section("b", "arXiv:2506.00205, x"),
        section("c", "after arXiv:2510.27004; arXiv:2506.00205"), section("d", "arXiv:1234.56789"),
        section("e", "arXiv:2510.27004"),
    ]  # fmt: skip
    found = [(group.title, [s.name for s in group.sections]) for group in grouped(given)]
    assert found == [
        (TITLES["2510.27004"], ["c", "e"]),
        (TITLES["2506.00205"], ["b"]),
        ("arXiv:1234.56789", ["d"]),
        (DERIVED, ["a"]),
        (OWN, ["mine"]),
    ]
    text = plain(render(given))
    places = [text.rindex(title) for title, _ in found]
    assert places == sorted(places)


def test_no_claim_is_lost_between_the_papers():
    every = [Section(name, "", claim_module(name).CLAIM) for name in claim_names()]
    names = [s.name for group in grouped(every) for s in group.sections]
    assert sorted(names) == claim_names()
    assert {group.number for group in grouped(every)} == {*TITLES, ""}


def test_the_command_of_a_finding_carries_case_settings_and_seeds():
    meta = {"changes": {"set": ["dim=8"], "seeds": 5}, "seed_start": 1000}
    found = ["a", "a-long one", "of all"]
    mine = case_commands("rates", "full", ["a", "a-long"], found, "", meta)
    ending = " --set dim=8 --seeds 5 --seed-start 1000 --tier full"
    call = "python -m motsim.sweep rates"
    assert mine == (
        f"{call} --case a{ending}", f"{call} --case a-long{ending}",
        f"{call}{ending}",
    )  # fmt: skip
    (plainly,) = case_commands("rates", "quick", ["a"], ["a"], "", {})  # control
    assert plainly == "python -m motsim.sweep rates --case a --tier quick"
    (own,) = case_commands("mine", "quick", [], ["x"], "my folder/mine.toml", {})
    assert own == "python -m motsim.sweep 'my folder/mine.toml' --tier quick"


def test_the_commit_is_that_of_the_code(tmp_path):
    def git(*words):
        name = ["-c", "user.name=n", "-c", "user.email=e@example.org"]
        subprocess.run(["git", "-C", tmp_path, *name, *words], check=True, capture_output=True)

    assert "commit" not in code_of(tmp_path)  # no checkout
    git("init")
    (tmp_path / "a.py").write_text("1")
    git("add", ".")
    git("commit", "-m", "one")
    clean = code_of(tmp_path)
    assert "commit" in clean
    assert "uncommitted" not in clean
    (tmp_path / "a.py").write_text("2")
    assert code_of(tmp_path) == f"{clean} with uncommitted changes"
    (tmp_path / "below").mkdir()
    assert "commit" not in code_of(tmp_path / "below")  # an environment in someone's checkout


def test_the_page_says_when_and_where(page, folder):
    said = plain(page.read_text())
    assert written(folder / "rates.json") in said
    assert machine() in said
    assert code_of() in said
    assert str(Path.home()) not in said


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("T ~ eps^-p", "T ~ ε−p"), ("eta_r^(-1/4)", "ηr−1/4"), ("sqrt(N-1)", "N−1"),
        ("1e-7 and beta", "10−7 and β"),
    ],
)  # fmt: skip
def test_symbols_become_mathematics(text, shown):
    assert plain(str(formulas(text))) == shown
    assert "<math>" in formulas(text)


@pytest.mark.parametrize("text", ["steps", "pipes", "a_word_of", "f(x)", "file1e-7x", "3 < 4"])
def test_words_stay_words(text):
    assert plain(str(formulas(text))) == plain(text.replace("<", "&lt;"))
    assert "<math>" not in formulas(text)


def test_every_formula_is_sound_and_hostile_words_stay_words():
    for name in claim_names():
        claim = claim_module(name).CLAIM
        for text in (claim.statement, claim.prediction, assumptions(claim_module(name).__doc__)):
            ET.fromstring(f"<p>{formulas(text)}</p>")
    assert "<script" not in formulas("<script>eps^2</script> x^(<b>)")
