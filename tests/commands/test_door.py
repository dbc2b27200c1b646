"""The command `motsim`: light, the same as the modules, with hints where a word is close."""

import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pandas as pd
import pytest

import motsim
import motsim.sweep
from motsim.__main__ import main
from motsim.commands.door import front_door, spoken
from motsim.commands.names import COMMANDS
from tests.commands.levels import SWEEP
from tests.refusals import refusal

ROOT = Path(motsim.__file__).parents[1]


HEAVY = {"numpy", "numba", "scipy", "pandas", "joblib", "pydantic", "matplotlib"}


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
    assert said in refusal(main, words, capsys)


@pytest.mark.parametrize(
    "words", [["sweep", "--tier", "x"], ["sweep", "--zzzzzz"], ["sweep", "--jobs", "0"]]
)
def test_no_hint_where_nothing_is_close(words, capsys):
    assert "did you mean" not in refusal(main, words, capsys)


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
    assert "did you mean mine.toml" not in refusal(main, [command, "mine"], capsys)  # control
    (tmp_path / "mine.toml").write_text(SWEEP)
    assert "'mine'; did you mean mine.toml?" in refusal(main, [command, "mine"], capsys)
