"""Two folders of results compared."""

import shutil

import pytest

from motsim.__main__ import main
from tests.commands.levels import judged
from tests.refusals import refusal


def test_compare_tells_which_settings_and_verdicts_differ(results, capsys):
    one, same, other = results("one", 1.0), results("same", 1.0), results("other", 2.5, code=1)
    assert main(["compare", str(one), str(same)]) == 0
    assert "1 tables, no difference" in capsys.readouterr().out
    assert main(["compare", str(one), str(other)]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines == [
        "levels: runs: 24 and 24, 12 of them the same",
        f"levels: verdict of a_1: holds ({judged(one)}) -> fails ({judged(other)})",
    ]
    assert main(["compare", str(one / "levels.csv"), str(other / "levels")]) == 1
    capsys.readouterr()
    shutil.copy(one / "levels.json", one / "mine.json")
    shutil.copy(one / "levels.csv", one / "mine.csv")
    assert main(["compare", str(one), str(same)]) == 1
    assert f"mine: only in {one}" in capsys.readouterr().out


def test_settings_that_all_runs_share_are_compared(results, capsys, tmp_path):
    one = results("one", 1.0)
    words = ["--out", str(one), "--jobs", "1", "--progress", "quiet", "--no-figure"]
    assert main(["sweep", str(one / "levels.toml"), "--set", "level=1.5", *words]) == 0
    assert main(["sweep", str(one / "levels.toml"), "--set", "level=2.5", *words]) == 0
    capsys.readouterr()
    pair = [str(one / "levels@level=1.5.csv"), str(one / "levels@level=2.5.csv")]
    assert main(["compare", *pair]) == 1
    assert "level: 1.5 -> 2.5" in capsys.readouterr().out


@pytest.mark.parametrize("words", [("nowhere", "one"), ("one", "one/levels.csv")])
def test_compare_refuses_what_is_no_pair(results, words, capsys, tmp_path, monkeypatch):
    results("one", 1.0)
    monkeypatch.chdir(tmp_path)
    assert "motsim compare: " in refusal(main, ["compare", *words], capsys)
