"""A table for a paper."""

import re

from motsim.__main__ import main
from motsim.commands import table
from tests.refusals import refusal


def test_a_table_for_a_paper(results, capsys):
    folder = str(results("one", 1.0))
    assert main(["table", "levels", "--latex", "--out", folder]) == 0
    printed = capsys.readouterr().out
    assert printed.count(r"\\") == 3
    assert r"a\_1 & share of runs that have value $<$ 2: above 0.3 & " in printed
    assert [line for line in printed.splitlines() if line.startswith("\\")][:2] == [
        r"\begin{tabular}{llll}", r"\toprule",
    ]  # fmt: skip
    assert main(["table", "levels", "--columns", "value", "--out", folder]) == 0
    assert re.search(r"^a_1 +1.055 +12$", capsys.readouterr().out, re.MULTILINE)
    assert "no result 'valu'" in refusal(
        main, ["table", "levels", "--columns", "valu", "--out", folder], capsys
    )
    assert "did you mean 'levels'?" in refusal(main, ["table", "level", "--out", folder], capsys)
    assert "no T(eps)" in refusal(main, ["table", "levels", "--steps", "--out", folder], capsys)


def test_what_tex_reads_as_a_command_is_escaped():
    line = table.latex([["a"], ["5 % & $x_1$ {~^\\} ε ≤ 1 × 10"]]).splitlines()[4]
    assert line.endswith(r"$\varepsilon$ $\le$ 1 $\times$ 10 \\")
    assert r"5 \% \& \$x\_1\$ \{\textasciitilde{}\textasciicircum{}\textbackslash{}\}" in line
