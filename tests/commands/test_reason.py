"""Why a verdict is inconclusive is said in one line of 80 columns, and of no other verdict."""

import contextlib
import io

import pytest

from motsim.claims import Claim, Finding, Interval, Verdict
from motsim.commands.reason import COLUMNS, reason
from motsim.commands.summary import print_verdicts

NONE = Interval()
LONG = "a sentence about many runs that goes on and on, as evidence does, " * 3

#: predicted, measured, evidence, interval -> reason.
REASONS = {
    "a limit inside": ("p > 0.5", "", LONG, Interval(0.6, 0.41, 0.8),
                       "the interval [0.41, 0.8] includes 0.5"),
    "at an end": ("<= 0.5", "", LONG, Interval(0.6, 0.5, 0.8),
                  "the interval [0.5, 0.8] includes 0.5"),
    "a negative limit": ("less that of three < -0.2", "", LONG, Interval(-0.1, -0.3, 0.2),
                         "the interval [-0.3, 0.2] includes -0.2"),
    "around": ("93 ± 3 %", "", LONG, Interval(97.4, 95.9, 98.8),
               "the interval [95.9, 98.8] includes 96"),
    "a factor": ("speed as derived, to a factor 1.2", "", LONG, Interval(1.0, 0.8, 1.3),
                 "the interval [0.8, 1.3] includes 0.8333 and 1.2"),
    "percent": ("as derived within 5 %", "", LONG, Interval(1.0, 0.94, 1.02),
                "the interval [0.94, 1.02] includes 0.95"),
    "a share": ("within a factor 1.5 in more than 50% of the runs", "", LONG,
                Interval(0.6, 0.2, 0.9), "the interval [0.2, 0.9] includes 0.5"),
    "no limit inside": ("p > 0.5", "", "gain at L = 8; the loss still falls in 5 of 5 pairs",
                        Interval(0.6, 0.55, 0.8), "the loss still falls in 5 of 5 pairs"),
    "nor a word": ("p > 0.5", "", "at L = 8; of 5", Interval(0.6, 0.55, 0.8), "at L = 8"),
    "runs that disagree": (
        "log", "p = 0", "46 of 48 runs specialize [86, 99] %: the runs disagree: 3 log, 2 floor; p",
        Interval(0.1, 0.0, 0.2), "the runs disagree: 3 log, 2 floor",
    ),
    "too few": ("p > 0", "too few runs", "3 of 24 runs finished; 5 are needed", NONE,
                "3 of 24 runs finished, 5 are needed"),
    "too few, in the measurement": (
        "ratio > 1.1", "ratio = >= 1.66, too few pairs (2) for an interval; 2/24 [0.01, 0.27]",
        LONG, NONE, "ratio = >= 1.66, too few pairs (2) for an interval",
    ),
    "too few counts more than a limit": (
        "p > 0.5", "", "4 trials a point; 20 are needed", Interval(0.6, 0.1, 0.9),
        "4 trials a point, 20 are needed",
    ),
    "no run differs": ("> 0 points", "+0.0 (the same in every run) points", "alike", NONE,
                       "+0.0 (the same in every run) points"),
    "a value alone": ("> 1", "", LONG, Interval(2.0, 2.0, 2.0),
                      "a value without an interval: too few runs, or none that differs"),
    "nothing but evidence": ("log", "no law", "steps stop at 5.6e-03. The rest is long.", NONE,
                             "steps stop at 5.6e-03"),
    "nothing at all": ("log", "", "", NONE, "nothing decides"),
}  # fmt: skip


def finding(predicted, measured, evidence, interval, verdict=Verdict.INCONCLUSIVE):
    return Finding("a case", predicted, measured, verdict, evidence, interval)


@pytest.mark.parametrize("name", REASONS)
def test_the_reason_is_what_the_finding_holds(name):
    *held, expected = REASONS[name]
    assert reason(finding(*held)) == f"why: {expected}"
    for verdict in (Verdict.HOLDS, Verdict.FAILS):  # control
        assert reason(finding(*held, verdict=verdict)) == ""


@pytest.mark.parametrize("indent", [0, 6])
@pytest.mark.parametrize("evidence", [LONG, "word" * 40, "many\nlines\n" * 20])
def test_a_long_reason_is_cut_to_one_line(indent, evidence):
    line = reason(finding("log", "", evidence, NONE), indent)
    assert len(line) <= COLUMNS - indent
    assert "\n" not in line
    assert line.endswith("...") or "word" in line
    assert len(evidence) > COLUMNS  # control


CLAIM = Claim("Loss eps takes O(log 1/eps) steps.", "a paper", "quoted", "T = a + b", "tight")


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.mark.parametrize("stream", [io.StringIO, Terminal])
def test_the_table_has_a_line_for_each_open_verdict(monkeypatch, stream):
    monkeypatch.setenv("COLUMNS", "80")
    held = REASONS["a limit inside"][:-1]
    found = [finding(*held), finding(*held, verdict=Verdict.HOLDS), finding("log", "", LONG, NONE)]
    with contextlib.redirect_stdout(stream()) as text:
        print_verdicts({"mine": found}, {"mine": CLAIM}, {})
    lines = [line for line in text.getvalue().splitlines() if "why:" in line]
    assert lines[0] == "      why: the interval [0.41, 0.8] includes 0.5"
    assert len(lines) == 2
    assert max(map(len, lines)) <= 80
