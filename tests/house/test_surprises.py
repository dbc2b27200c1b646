"""The table of findings/README.md against the scripts beside it: a row each, with versions."""

import re
from pathlib import Path

import pytest

import motsim

FOLDER = Path(motsim.__file__).parents[1] / "findings"
SCRIPTS = {path.stem: path.read_text("utf-8") for path in sorted(FOLDER.glob("*.sh"))}
ROW = re.compile(r"^\| `(\w+)` \|.*\| ([^|]+) \|$", re.MULTILINE)
PARTS = ["Guess", "Seen", "Why", "Instead"]


def versions(text):
    """Packages and versions of a row of the table: `numpy 2.4.6, scs 3.3.1`."""
    return dict(one.split() for one in text.split(", "))


def pinned(script):
    return dict(re.findall(r"([\w-]+)==([\d.]+)", script))


def differences(table, scripts):
    """Rows without a script, scripts without a row, and versions that a script does not pin."""
    rows = {name: versions(text) for name, text in ROW.findall(table)}
    yield from (f"no script: {name}" for name in sorted(rows.keys() - scripts.keys()))
    yield from (f"no row: {name}" for name in sorted(scripts.keys() - rows.keys()))
    for name in sorted(rows.keys() & scripts.keys()):
        own = pinned(scripts[name])
        for package, version in rows[name].items():
            if own.get(package) != version:
                yield f"{name}: {package} {version}, not {own.get(package)}"


def test_the_table_is_that_of_the_folder():
    assert SCRIPTS
    table = (FOLDER / "README.md").read_text("utf-8")
    assert list(differences(table, SCRIPTS)) == []
    assert len(ROW.findall(table)) == len(SCRIPTS)  # none twice


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_script_says_what_the_readme_promises(name):
    text = SCRIPTS[name]
    head = [line for line in text.splitlines()[1:] if line.startswith("#")]
    assert text.startswith("#!/usr/bin/env bash\n")
    assert [re.match(r"# (\w+):", line)[1] for line in head if re.match(r"# \w+:", line)] == PARTS
    assert "mktemp -d" in text
    assert "import motsim" not in text


def test_what_differs_is_seen():
    """The controls."""
    table = "| `first` | a | b | numpy 2.4.6, scs 3.3.1 |\n| `third` | a | b | numpy 2.4.6 |\n"
    scripts = {"first": "pip install numpy==2.4.6 scs==3.3.2", "second": ""}
    assert list(differences(table, scripts)) == [
        "no script: third", "no row: second", "first: scs 3.3.1, not 3.3.2",
    ]  # fmt: skip
