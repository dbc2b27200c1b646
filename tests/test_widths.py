"""Verdicts fit in the terminal, and keep their columns in files."""

import contextlib
import io

import pytest

from motsim.claims import Claim, Finding, Verdict
from motsim.commands.summary import print_findings, print_title, print_verdicts

MEASURED = "inverse: p = 0.98 [0.98, 1.00], 6e-03 to 1e-12"
EVIDENCE = "8 of 8 runs stay finite [63, 100] %; the power law beats every rival by 1.31e+03 " * 3
FINDINGS = [
    Finding("mot-linear-squared-untrained-attention", "T = a + b log(1/eps)", MEASURED,
            Verdict("holds"), EVIDENCE, expected=Verdict("holds")),
    Finding("single-1", "T = a + b eps^-p, p > 0", MEASURED, Verdict("fails"), EVIDENCE,
            expected=Verdict("holds")),
]  # fmt: skip
CLAIM = Claim("Loss eps takes O(log 1/eps) steps.", "a paper", "quoted", "T = a + b " * 12, "tight")


class Terminal(io.StringIO):
    def isatty(self):
        return True


def printed(monkeypatch, stream, width):
    monkeypatch.setenv("COLUMNS", str(width))
    with contextlib.redirect_stdout(stream):
        print_title("rates: Headline: steps T(eps) to expected loss eps, mixture against " * 2)
        print_findings(FINDINGS)
        print_verdicts({"rates": FINDINGS}, {"rates": CLAIM}, {})
    return stream.getvalue()


@pytest.mark.parametrize("width", [80, 120])
def test_lines_fit_in_a_terminal_and_say_the_same(monkeypatch, width):
    text = printed(monkeypatch, Terminal(), width)
    assert max(map(len, text.splitlines())) <= width
    for part in (MEASURED, "(as expected)", "(EXPECTED holds)", "<- RECORDED: holds", "rival by"):
        assert part in text
    # Nothing is lost, and no word is broken.
    words = sorted(text.split())
    assert words == sorted(printed(monkeypatch, io.StringIO(), width).split())


def test_control_a_file_keeps_its_columns(monkeypatch):
    text = printed(monkeypatch, io.StringIO(), 80)
    assert max(map(len, text.splitlines())) > 100
    first, second = (text.index(f.measured, text.index(f.case)) for f in FINDINGS)
    rows = text.splitlines()
    places = {row.index("inverse:") for row in rows if row.startswith(("mot-", "single-"))}
    assert len(places) == 1
    assert first < second


def test_a_wide_terminal_keeps_its_columns(monkeypatch):
    assert printed(monkeypatch, Terminal(), 200) == printed(monkeypatch, io.StringIO(), 200)
