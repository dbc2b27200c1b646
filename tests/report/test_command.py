"""The command that writes the report."""

import os
import subprocess
import sys

import pytest

from motsim.experiments.result import Result
from motsim.report.__main__ import main
from motsim.report.page import render
from motsim.report.sections import collect
from tests.refusals import refusal
from tests.report.report_pages import headline, plain, section_of, store_mine, store_tables


def test_same_tables_same_bytes(page, folder, tmp_path):
    command = [sys.executable, "-m", "motsim.report", "rates", "mine", "coverage"]
    done = subprocess.run(
        [*command, "--out", str(folder), "--to", str(folder / "again.html")],
        env={**os.environ, "PYTHONHASHSEED": "7"}, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 1, done.stderr
    assert (folder / "again.html").read_bytes() == page.read_bytes()
    pages = []  # control: one other number, other bytes
    for value in (0.5, 0.25):
        store_mine(tmp_path, name=f"mine{value}", result=Result("done", {"x": value}))
        assert main([f"mine{value}", "--out", str(tmp_path)]) == 0
        pages.append((tmp_path / "report.html").read_text().replace(f"mine{value}", "mine"))
    assert pages[0] != pages[1]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["coverag"], "unknown name 'coverag'; did you mean 'coverage'?"),
        (["coverage"], "no table of coverage in"),
        ([], "no table in"),
        (["--to"], "--to: expected one argument"),
        (["--too", "x"], "did you mean --to?"),
    ],
)
def test_a_wrong_call_is_one_line(tmp_path, capsys, arguments, words):
    if "--to" not in arguments:
        arguments = [*arguments, "--out", str(tmp_path)]
    assert words in refusal(main, arguments, capsys)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("target", ["", "nowhere/page.html"])
def test_a_page_that_cannot_be_written_is_one_line(folder, tmp_path, capsys, target):
    assert main(["mine", "--out", str(folder), "--to", str(tmp_path / target)]) == 2
    message = capsys.readouterr().err
    assert "choose another with --to" in message
    assert message.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (b"{", "cannot be read"),
        (b"[]", "cannot be read"),
        (b'{"schema": 1}', "has schema 1"),
        (b"\xff", "cannot be read"),
    ],
)
def test_a_damaged_table_is_said_and_the_others_are_shown(
    no_figures, tmp_path, capsys, damage, words
):
    store_tables(tmp_path, "rates", headline, seeds=6)
    store_mine(tmp_path)
    (tmp_path / "mine.json").write_bytes(damage)
    assert main(["rates", "mine", "--out", str(tmp_path)]) == 1
    text = (tmp_path / "report.html").read_text()
    assert words in plain(section_of(text, "table-2"))
    assert "8 hold" in plain(section_of(text, "rates"))
    assert capsys.readouterr().err.startswith("mine: ")


def test_tables_of_another_sweep_under_a_claims_name_are_a_line(tmp_path):
    store_mine(tmp_path, name="rate-mot")
    section = collect("rate-mot", tmp_path, tmp_path)
    assert section.alarm
    assert section.problems
    assert not any(finding.as_expected for finding in section.findings)
    render([section])


def test_a_folder_of_ones_own_is_reported_alone(tmp_path, no_figures, capsys):
    """Control: with a table of a shipped claim, the others are listed as well."""
    store_mine(tmp_path)
    main(["--out", str(tmp_path)])
    assert "(1 sections; " in capsys.readouterr().out
    store_tables(tmp_path, "rates", headline, seeds=1)
    main(["--out", str(tmp_path)])
    assert "without a table" in capsys.readouterr().out
