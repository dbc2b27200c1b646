"""Made-up findings of blocks of seeds, and the command called in this process."""

from motsim.claims import Finding, Verdict
from motsim.verify import main

#: Claims of the standing check, about ten seconds of one core a block each: the commit chooses one.
CHEAP = ["fair-baselines", "label-noise", "last-stage", "rehearsal-memory", "simple-data"]


def finding(case, verdict, expected):
    verdict, expected = Verdict(verdict), Verdict(expected)
    return Finding(case, "predicted", "measured", verdict, "made up", expected=expected)


def call(*words, out, capsys):
    code = main([*words, "--out", str(out), "--progress", "quiet"])
    return code, capsys.readouterr().out
