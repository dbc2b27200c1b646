"""The pages of the documentation show what the command and the plugin print."""

import re
import shlex
import subprocess
from pathlib import Path

import numpy as np

from motsim.rates.__main__ import main
from tests.testing.plugin_project import LOAD

PAGES = Path(__file__).parents[2] / "docs"
NUMBER = re.compile(r"-?\d[\d,]*(?:\.\d+)?(?:e[-+]?\d+)?")


def blocks(page, kind):
    return re.findall(rf"```{kind}\n(.*?)\n```", (PAGES / page).read_text("utf-8"), re.DOTALL)


def same(shown, printed):
    """Whether words agree, and numbers to what another machine's arithmetic may change."""
    words, more = NUMBER.sub("#", shown).split(), NUMBER.sub("#", printed).split()
    numbers = [
        [float(text.replace(",", "")) for text in NUMBER.findall(page)] for page in (shown, printed)
    ]
    return words == more and np.allclose(*numbers, rtol=0.05, atol=0.01)


def test_numbers_of_a_page_are_compared():
    assert same("p = 1.06 [1.04,\n 1.11]", "p = 1.07 [1.04, 1.11]")
    assert not same("p = 1.06 [1.04, 1.11]", "p = 1.26 [1.04, 1.11]")
    assert not same("p = 1.06 over", "p = 1.06 below")


def test_the_page_shows_what_the_command_prints(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")
    script = next(code for code in blocks("log-or-power.md", "python") if "to_csv" in code)
    exec(compile(script, "curves.py", "exec"), {})
    commands = 0
    for block in blocks("log-or-power.md", "console"):
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            line, _, shown = part.partition("\n")
            if not line.startswith("python -m motsim.rates "):
                subprocess.run(line, shell=True, check=True)
                continue
            main(shlex.split(line)[3:])
            printed = "".join(capsys.readouterr())
            assert same(shown, printed), f"docs/log-or-power.md is old: {line}\n{printed}"
            commands += 1
    assert commands == 4


def test_the_project_of_the_page_passes(pytester):
    """Its files stand under their names; the commands by hand are those of the workflow."""
    text = (PAGES / "rate-in-ci.md").read_text("utf-8")
    for name in ("pyproject.toml", "descent.py", "tests/test_rates.py"):
        (code,) = re.findall(rf"`{name}`:\n\n```\w+\n(.*?)\n```", text, re.DOTALL)
        path = pytester.path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(code + "\n")
    pytester.syspathinsert()
    (workflow,), (shown,) = blocks("rate-in-ci.md", "yaml"), blocks("rate-in-ci.md", "console")
    commands = re.findall(r"run: (.*)", workflow)
    assert commands == re.findall(r"^\$ (.*)", shown, re.MULTILINE)
    options = shlex.split(commands[-1])[3:]
    done = pytester.runpytest_inprocess(*LOAD, *options)
    done.assert_outcomes(passed=3, skipped=1)
    assert len(list((pytester.path / "rate-evidence").glob("*.png"))) == 4
    broken = pytester.path / "tests" / "test_rates.py"
    broken.write_text(broken.read_text().replace("at_most(1.25)", '"log"'))
    failed = pytester.runpytest_inprocess(*LOAD, "-k", "theorem")
    failed.assert_outcomes(failed=1, deselected=3)
    (message,) = blocks("rate-in-ci.md", "text")
    first = next(line for line in message.splitlines() if "AssertionError" in line)
    printed = next(line for line in failed.outlines if line.startswith("E       AssertionError"))
    assert same(first, printed), f"docs/rate-in-ci.md is old:\n{printed}"
