"""Whatever a test of rates reads or decides: each note of it is a sentence."""

import re

import pytest

from motsim.rates import Rate, RateDecision
from motsim.rates.reading import Curves

SENTENCE = re.compile(r"[A-Z0-9].*\.", re.DOTALL)


@pytest.fixture(autouse=True)
def notes_are_sentences(monkeypatch):
    """Look at all notes and warnings that were made during the test."""
    seen = []

    def watch(kind, name):
        before = kind.__init__

        def init(self, *values, **named):
            before(self, *values, **named)
            seen.extend(getattr(self, name))

        monkeypatch.setattr(kind, "__init__", init)

    watch(Curves, "notes")
    watch(Rate, "notes")
    watch(RateDecision, "warnings")
    yield
    assert [note for note in seen if not SENTENCE.fullmatch(note)] == []
