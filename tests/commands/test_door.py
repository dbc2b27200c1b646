"""The command `motsim`: light, the same as the modules, with hints where a word is close."""

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pandas as pd
import pytest

import motsim
import motsim.sweep
from motsim.__main__ import main
from motsim.claims import claim_names
from motsim.commands import compare, table
from motsim.commands.door import front_door, spoken
from motsim.commands.glossary import FILE, find, glossary
from motsim.commands.names import COMMANDS
from motsim.experiments.beside import forget

ROOT = Path(motsim.__file__).parents[1]
HEAVY = {"numpy", "numba", "scipy", "pandas", "joblib", "pydantic", "matplotlib"}


def refused(words, capsys):
    try:
        code = main(words)
    except SystemExit as stop:
        code = stop.code
    printed = capsys.readouterr()
    assert code == 2
    assert not printed.out
    assert len(printed.err.splitlines()) == 1
    return printed.err


# --- the door -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "words",
    [["--help"], ["--version"], ["swep"],
     *([name, "--help"] for name in sorted(COMMANDS))],
    ids=" ".join,
)  # fmt: skip
def test_a_start_is_light(words):
    code = (
        f"import sys; from motsim.__main__ import main\n"
        f"try: main({words!r})\nexcept SystemExit: pass\n"
        "print('LOADED', *{name.split('.')[0] for name in sys.modules})"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    loaded = set(done.stdout.rpartition("LOADED ")[2].split())
    # modules in packages that load NumPy: figures, motsim.rates
    known = HEAVY - {"numba", "joblib", "matplotlib"} if words[0] in ("figures", "rates") else set()
    assert not loaded & (HEAVY - known), loaded & HEAVY


def test_the_check_of_a_light_start_can_fail():
    code = "import sys; from motsim.__main__ import main; main(['explain', 'rate-mot'])"
    code += "; print('LOADED', *{name.split('.')[0] for name in sys.modules})"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert "numpy" in done.stdout.rpartition("LOADED ")[2].split()


def test_the_version_is_the_one_of_the_package(capsys):
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"motsim {motsim.__version__}\n"
    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]
    assert scripts == {"motsim": "motsim.__main__:start"}


def test_help_names_every_command(capsys):
    assert main([]) == 0
    printed = capsys.readouterr().out
    assert re.findall(r"^  (\w+) ", printed, re.MULTILINE) == list(COMMANDS)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["swep"], "motsim: unknown command 'swep'; did you mean 'sweep'?"),
        (["frobnicate"], "unknown command 'frobnicate'; there are: sweep, verify"),
        (["--versoin"], "unknown option '--versoin'; did you mean '--version'?"),
        (["sweep", "--tier", "fulll"], "did you mean 'full'?"),
        (["sweep", "--teir", "full"], "did you mean --tier?"),
        (["sweep", "--teir=full"], "did you mean --tier?"),
        (["verify", "covrage"], "motsim verify: unknown claim 'covrage'; did you mean 'coverage'?"),
        (["figures", "covrage"], "motsim figures: unknown figure"),
        (["repair", "nowhere"], "motsim repair: "),
        (["explain", "epsilom"], "no word 'epsilom'; did you mean 'epsilon'?"),
        (["completion", "bsh"], "did you mean 'bash'?"),
    ],
)
def test_a_wrong_word_is_one_line_with_the_near_one(words, said, capsys):
    assert said in refused(words, capsys)


@pytest.mark.parametrize(
    "words", [["sweep", "--tier", "x"], ["sweep", "--zzzzzz"], ["sweep", "--jobs", "0"]]
)
def test_no_hint_where_nothing_is_close(words, capsys):
    assert "did you mean" not in refused(words, capsys)


def test_modules_and_the_door_are_the_same_command(capsys):
    with pytest.raises(SystemExit):
        motsim.sweep.main(["--help"])
    module = capsys.readouterr().out
    with pytest.raises(SystemExit):
        main(["sweep", "--help"])
    door = capsys.readouterr().out
    assert "python -m motsim.sweep rates --tier full" in module
    assert "motsim sweep rates --tier full" in door
    assert "python -m" not in door
    assert sorted(re.findall(r"--\w+", module)) == sorted(re.findall(r"--\w+", door))
    with front_door("python -m motsim"):
        assert spoken("motsim new x; python -m motsim.sweep") == (
            "python -m motsim new x; python -m motsim sweep"
        )


# --- completion -----------------------------------------------------------------------------------


def completed(script, *words):
    """What bash offers after these words."""
    line = " ".join(f"'{word}'" for word in words)
    asked = f"COMP_WORDS=({line}); COMP_CWORD={len(words) - 1}; _motsim; echo ${{COMPREPLY[@]}}"
    done = subprocess.run(
        ["bash", "-c", f"{script}\n{asked}"], capture_output=True, text=True, timeout=20, check=True
    )
    return done.stdout.split()


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash")
def test_bash_completes_commands_options_values_and_names(capsys):
    assert main(["completion", "bash"]) == 0
    script = capsys.readouterr().out
    assert completed(script, "motsim", "swe") == ["sweep"]
    assert completed(script, "motsim", "sweep", "--tie") == ["--tier"]
    assert completed(script, "motsim", "sweep", "--tier", "f") == ["full"]
    assert completed(script, "motsim", "verify", "cover") == ["coverage"]
    assert completed(script, "motsim", "table", "--la") == ["--latex"]
    assert completed(script, "motsim", "sweep", "--out", "x") == []  # a file
    assert completed(script, "motsim", "new", "zz") == []
    assert main(["completion", "zsh"]) == 0
    assert capsys.readouterr().out == "autoload -U +X bashcompinit && bashcompinit\n" + script


# --- words ----------------------------------------------------------------------------------------


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


# --- compare and table ----------------------------------------------------------------------------

KIND = """
from motsim import KindSettings, Result


class Settings(KindSettings):
    seed: int = 0
    level: float = 1.0


def run(settings):
    return Result("done", {"value": settings.level + 0.01 * settings.seed, "per_cent": 5.0})
"""
SWEEP = """
title = "Levels"
kind = "levels"
seeds = 12
[fixed]
level = LEVEL
[case.a_1]
[case.b]
level = 3.0
[claim]
share = { of = "value < 2", above = 0.3 }
[claim.case.b]
expected = "fails"
"""


@pytest.fixture
def results(tmp_path, capsys):
    """results(name, level) -> a results folder."""

    def make(name, level, code=0):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "levels.py").write_text(KIND)
        (folder / "levels.toml").write_text(SWEEP.replace("LEVEL", str(level)))
        words = ["--out", str(folder), "--jobs", "1", "--progress", "quiet"]
        assert main(["sweep", str(folder / "levels.toml"), *words]) == code
        capsys.readouterr()
        return folder

    yield make
    forget()


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


def judged(folder):
    found = compare._tables(folder)
    from motsim.claims._stored import claim_of_tables
    from motsim.results.tables import load_tables

    tables = load_tables("levels", folder)
    assert list(found) == ["levels"]
    return claim_of_tables("levels", tables.meta, folder).judge(tables)[0].measured


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
    assert "motsim compare: " in refused(["compare", *words], capsys)


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
    assert "no result 'valu'" in refused(
        ["table", "levels", "--columns", "valu", "--out", folder], capsys
    )
    assert "did you mean 'levels'?" in refused(["table", "level", "--out", folder], capsys)
    assert "no T(eps)" in refused(["table", "levels", "--steps", "--out", folder], capsys)


def test_what_tex_reads_as_a_command_is_escaped():
    line = table.latex([["a"], ["5 % & $x_1$ {~^\\} ε ≤ 1 × 10"]]).splitlines()[4]
    assert line.endswith(r"$\varepsilon$ $\le$ 1 $\times$ 10 \\")
    assert r"5 \% \& \$x\_1\$ \{\textasciitilde{}\textasciicircum{}\textbackslash{}\}" in line


def test_the_whole_door_in_a_process_of_its_own(tmp_path):
    """`python -m motsim` and the modules, from a folder of the user's."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    (tmp_path / "curves.csv").write_text(
        pd.DataFrame({f"run{k}": [0.9 ** (n * (1 + k / 50)) for n in range(200)] for k in range(4)})
        .rename_axis("step").to_csv()
    )  # fmt: skip
    answers = []
    for program in (["motsim", "rates"], ["motsim.rates"]):
        done = subprocess.run(
            [sys.executable, "-m", *program, "curves.csv", "--json"], cwd=tmp_path,
            env=environment, capture_output=True, text=True, timeout=120, check=True,
        )  # fmt: skip
        answers.append(json.loads(done.stdout))
    assert answers[0] == answers[1]
    assert answers[0]["law"] == "log"


@pytest.mark.parametrize("command", ["sweep", "verify"])
def test_a_name_without_its_ending_is_the_file_that_is_there(
    command, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    assert "did you mean mine.toml" not in refused([command, "mine"], capsys)  # control
    (tmp_path / "mine.toml").write_text(SWEEP)
    assert "'mine'; did you mean mine.toml?" in refused([command, "mine"], capsys)
