"""Verdicts fit in the terminal, in color; they keep their columns in files, without."""

import contextlib
import dataclasses
import io
import re

import pytest

from motsim.claims import Claim, Finding, Verdict
from motsim.commands import summary
from motsim.commands.summary import print_claims, print_findings, print_title, print_verdicts
from motsim.printing import printed as printable_only

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


#: As short as a claim of one's own: verdicts fit beside their cases, the evidence does not.
SHORT = [Finding("a", "log", "T = 1", Verdict("inconclusive"), EVIDENCE, expected=None)]
CODES = re.compile(r"\x1b\[\d+m")


def printed(monkeypatch, stream, width, **variables):
    for name in ("NO_COLOR", "TERM"):
        monkeypatch.delenv(name, raising=False)
    for name, value in {"COLUMNS": str(width), **variables}.items():
        monkeypatch.setenv(name, value)
    with contextlib.redirect_stdout(stream), printable_only():
        print_title("rates: Headline: steps T(eps) to expected loss eps, mixture against " * 2)
        for findings in (FINDINGS, SHORT):
            print_findings(findings)
            print_verdicts({"rates": findings}, {"rates": CLAIM}, {"rates": []})
        print_claims({"rates": CLAIM})
    return stream.getvalue()


def shown(*given, **variables):
    """What is seen of it: without the codes of colors."""
    return CODES.sub("", printed(*given, **variables))


@pytest.mark.parametrize("width", [80, 120])
def test_lines_fit_in_a_terminal_and_say_the_same(monkeypatch, width):
    text = shown(monkeypatch, Terminal(), width)
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
    assert shown(monkeypatch, Terminal(), 200) == printed(monkeypatch, io.StringIO(), 200)


@pytest.mark.parametrize("width", [80, 120, 200])
def test_a_terminal_colors_verdicts_and_nothing_else(monkeypatch, width):
    text = printed(monkeypatch, Terminal(), width)
    found = re.findall(r"\x1b\[(\d+)m(.*?)\x1b\[0m", text)
    assert found == [("32", "holds"), ("31", "fails")] * 2 + [("33", "inconclusive")] * 2
    assert text.count("\x1b") == 2 * len(found)


@pytest.mark.parametrize(
    ("stream", "variables"),
    [(io.StringIO, {}), (Terminal, {"NO_COLOR": "1"}), (Terminal, {"TERM": "dumb"})],
)
def test_no_color_in_a_pipe_or_where_none_is_wanted(monkeypatch, stream, variables):
    assert "\x1b" not in printed(monkeypatch, stream(), 120, **variables)
    assert "\x1b" in printed(monkeypatch, Terminal(), 120, NO_COLOR="")  # control: empty is unset


def test_words_of_strangers_have_no_color(monkeypatch):
    """The codes of verdicts go past the escaping of what is printed; those of names do not."""
    bad = [dataclasses.replace(FINDINGS[0], case="a\x1b[31m", measured="\x1b[8m1")]
    monkeypatch.setitem(globals(), "FINDINGS", bad)
    text = printed(monkeypatch, Terminal(), 120)
    assert r"a\x1b[31m" in text
    assert set(CODES.findall(text)) == {"\x1b[0m", "\x1b[32m", "\x1b[33m"}


@pytest.mark.parametrize("width", [80, 120])
def test_control_without_the_terminals_width_lines_run_over(monkeypatch, width):
    monkeypatch.setattr(summary, "_terminal", lambda: 0)
    assert max(map(len, shown(monkeypatch, Terminal(), width).splitlines())) > width
