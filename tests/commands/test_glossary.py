"""Words that are explained: one entry each, found by its names."""

from pathlib import Path

import pytest

import motsim
import motsim.sweep
from motsim.__main__ import main
from motsim.claims import claim_names
from motsim.commands.glossary import FILE, find, glossary

ROOT = Path(motsim.__file__).parents[1]


def test_every_word_has_one_entry_and_every_entry_a_meaning():
    names = [name for entry in glossary() for name in entry.names]
    assert len(names) == len(set(names)) > 80
    assert all(len(entry.means) > 15 and entry.topic for entry in glossary())
    retired = {word for entry in glossary() for word in entry.retired}
    assert "cell" in retired
    assert (ROOT / "docs" / "glossary.md").read_text() == FILE.read_text()


@pytest.mark.parametrize(
    ("word", "first"),
    [
        ("ε", "ε"), ("eps", "ε"), ("Epsilon", "ε"), ("T(eps)", "T(ε)"), ("claims", "claim"),
        ("cell", "run"), ("N", "N"), ("n*", "n*"), ("phase", "stage"), ("rho", "ρ"),
        ("steps-per-decade", "steps per decade"), ("max_steps", None), ("n", None), ("D", None),
    ],
)  # fmt: skip
def test_a_word_is_found_by_its_names(word, first):
    assert [entry.names[0] for entry in find(word)] == ([first] if first else [])


def test_explain_says_words_and_claims(capsys):
    assert main(["explain", "steps", "per", "decade"]) == 0
    assert "Slope of a logarithm" in capsys.readouterr().out
    assert main(["explain", "lease", "rate-mot"]) == 0
    printed = capsys.readouterr().out
    assert "A live process has taken a run" in printed
    assert "arXiv:2510.27004, abstract (quoted; upper)" in printed
    assert main(["explain"]) == 0
    assert "negative control" in capsys.readouterr().out
    assert "rate-mot" in claim_names()
