"""Strangers' words on a terminal and in a spreadsheet are words, and nothing else."""

import csv
import json
import re

import pytest

import motsim.results.files
from motsim.experiments.result import Result
from motsim.plans.loading import load_sweep
from motsim.printing import CONTROL
from motsim.rates.__main__ import main as rates
from motsim.results.columns import guarded
from motsim.results.export import export
from motsim.results.store import Store
from motsim.results.tables import load_tables
from motsim.sweep import main

ESCAPE = "\x1b[8mhidden\x1b[0m\x9b2J\x07\x08\u202egpj"
TEXT = """
title = "T \\u001b[8mhidden\\u001b[0m\\u009b2J\\u0007\\b\\u202egpj"
kind = "probe"
seeds = 2
[case."C \\u001b[31m"]
mood = "raises"
"""


@pytest.fixture
def hostile(kinds, tmp_path):
    path = tmp_path / "hostile.toml"
    path.write_text(TEXT)
    return str(path)


@pytest.fixture
def stored(hostile, tmp_path):
    """A store whose runs failed with an error that holds escapes."""
    sweep = load_sweep(hostile)
    with Store(tmp_path / "out") as store:
        for cell in sweep.cells():
            error = Result("error", {"error": f"Error: {ESCAPE}"})
            store.commit(cell.key, cell.kind, {}, error, 0.0)
    return [hostile, "--out", str(tmp_path / "out"), "--jobs", "1"]


MODES = ("plain", "json", "quiet", "bar")


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("words", [[], ["--dry-run"], ["--status"]])
def test_no_control_character_of_a_file_or_store_is_printed(stored, capsys, words, mode):
    code = 0 if words else 1
    assert main([*stored, *words, "--progress", mode]) == code
    told = "".join(capsys.readouterr())
    assert not CONTROL.search(told.replace("\r", ""))
    if not words:
        assert r"T \x1b[8mhidden\x1b[0m\x9b2J\x07\x08\u202egpj" in told
        assert re.search(r"failed: Error: \\+(x|u00)1b\[8mhidden", told)
    if words == ["--dry-run"]:
        assert r"C \x1b[31m" in told


def test_control_without_it_they_are(stored, capsys, monkeypatch):
    monkeypatch.setattr("motsim.printing.printable", lambda text: text)
    monkeypatch.setattr("motsim.running.progress.printable", lambda text: text)
    assert main([*stored, "--progress", "plain"]) == 1
    said = capsys.readouterr()
    assert "\x1b[8m" in said.out
    assert "\x1b[8m" in said.err


def exit_code(words):
    try:
        return main(words)
    except SystemExit as stop:
        return stop.code


def test_a_wrong_call_is_printable(capsys, tmp_path):
    for words in ([f"--{ESCAPE}"], [ESCAPE], ["--out", str(tmp_path / ESCAPE), ESCAPE]):
        assert exit_code(words) == 2
        told = capsys.readouterr().err
        assert not CONTROL.search(told)
        assert len(told.splitlines()) == 1
        assert r"\x1b[8mhidden" in told


def test_groups_of_a_strangers_curves_are_printable(tmp_path, capsys):
    path = tmp_path / "curves.csv"
    rows = [f"a\x1b[31m,{step},{10 ** (-step / 20)}" for step in range(200)]
    path.write_text("\n".join(["name,step,loss", *rows, *(r.replace("a", "b", 1) for r in rows)]))
    assert rates([str(path), "--by", "name"]) == 0
    said = "".join(capsys.readouterr())
    assert r"a\x1b[31m" in said
    assert not CONTROL.search(said)


# --- spreadsheets ---------------------------------------------------------------------------------

WORDS = ["=1+1", "+1", "-1", "@SUM(A1)", "\tx", "'=1", "''+1", "'quoted'", "a=1", "-inf"]


def fill(folder, tmp_path):
    path = tmp_path / "words.toml"
    cases = [f"[case.{json.dumps(word)}]\nlevel = {i}" for i, word in enumerate(WORDS)]
    path.write_text("\n".join(['title = "W"', 'kind = "probe"', "seeds = 1", *cases]))
    sweep = load_sweep(str(path))
    with Store(folder) as store:
        for cell, word in zip(sweep.cells(), WORDS, strict=True):
            tables = {"t": {"said": [word, None], "number": [-1.5, -2]}}
            result = Result("done", {"word": word, "x": -1.5, "n": -1}, tables)
            store.commit(cell.key, cell.kind, {}, result, 0.0)
        return export(store, sweep, "quick", sweep.cells(), folder)


def formulas(path):
    """Cells that a spreadsheet computes: not numbers."""
    with path.open(newline="") as stream:
        cells = [cell for row in csv.reader(stream) for cell in row]
    return [c for c in cells if c[:1] in tuple("=+-@\t\r") and c not in ("-1.5", "-2", "-1")]


def test_a_word_that_looks_like_a_formula_is_none_and_reads_back(kinds, tmp_path, monkeypatch):
    tables = fill(tmp_path / "out", tmp_path)
    assert tables.main["case"].tolist() == tables.main["word"].tolist() == WORDS
    assert tables.others["t"]["said"].dropna().tolist() == WORDS
    assert tables.main["x"].tolist() == [-1.5] * len(WORDS)  # numbers stay as they are
    for name in ("words.csv", "words.t.csv"):
        assert formulas(tmp_path / "out" / name) == []
    assert (tmp_path / "out" / "words.csv").read_text().count("-1.5") == len(WORDS)
    again = load_tables("words", tmp_path / "out")
    assert again.main["case"].tolist() == WORDS
    monkeypatch.setattr(motsim.results.files, "guarded", lambda text: text)  # control
    fill(tmp_path / "bare", tmp_path)
    assert len(formulas(tmp_path / "bare" / "words.csv")) > 5
    assert len({guarded(word) for word in WORDS}) == len(WORDS)
