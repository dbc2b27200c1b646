"""The examples come out as they claim, and each can fail."""

import json
import re
from pathlib import Path

import pytest

from motsim.experiments.beside import forget
from motsim.verify import main
from tests.house.code_lines import code_lines

EXAMPLES = Path(__file__).parents[2] / "examples"
SWEEPS = sorted(EXAMPLES.glob("*/*.toml"))


@pytest.fixture(autouse=True)
def alone():
    yield
    forget()


def verify(path, out, capsys, code=0):
    words = [str(path), "--out", str(out), "--json", "--jobs", "1", "--progress", "quiet"]
    assert main(words) == code
    (found,) = json.loads(capsys.readouterr().out).values()
    return {finding["case"]: finding for finding in found["findings"]}


@pytest.mark.parametrize("path", SWEEPS, ids=lambda path: path.stem)
def test_examples_are_short_and_their_claims_come_out(path, tmp_path, capsys):
    modules = list(path.parent.glob("*.py"))
    assert modules
    assert all(len(module.read_text().splitlines()) < 150 for module in modules)
    verify(path, tmp_path, capsys)


#: Example -> what makes a method do as the other one does, and the case that then fails.
BROKEN = {
    "logistic": ("slope / np.linalg.norm(slope)", "slope", "normalized"),
    "least_squares": ("(k if s.decay else 1)", "(2 if s.decay else 1)", "decaying"),
    "accelerated": ("(k - 1) / (k + 2)", "0.0", "nesterov"),
    "even_pairs": (" if normalized else 1.0", " if False else 1.0", "normalized"),
}
#: Cases that take long and that no broken method concerns: in the long form alone.
DEAR = {"even_pairs": ("starts", "descent", "not-normalized")}


@pytest.mark.parametrize("whole", [False, pytest.param(True, marks=pytest.mark.slow)])
@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_method_turns_its_verdict(name, whole, tmp_path, capsys):
    (path,) = (path for path in SWEEPS if path.stem == name)
    right, wrong, case = BROKEN[name]
    text = (path.parent / f"{name}.py").read_text()
    assert right in text
    (tmp_path / f"{name}.py").write_text(text.replace(right, wrong))
    sweep = path.read_text()
    for dear in () if whole else DEAR.get(name, ()):
        sweep = re.sub(rf"(?m)^\[(claim\.)?case\.{dear}\]\n((?!\[).*\n)*", "", sweep)
    (tmp_path / path.name).write_text(sweep)
    found = verify(tmp_path / path.name, tmp_path / "out", capsys, code=1)
    turned = {case for case, finding in found.items() if finding["verdict"] != finding["expected"]}
    assert turned
    assert all(one.startswith(case) for one in turned)


def test_every_example_is_listed():
    listed = (EXAMPLES / "README.md").read_text()
    for path in SWEEPS:
        assert f"({path.parent.name})" in listed
    assert len(SWEEPS) >= 2


COUNTED = """\
# a comment
def double(x):
    \'\'\'Return twice
    a number.\'\'\'

    return (x  # a comment
            + x)
"""


def test_the_lines_that_the_docs_count_are_those_of_the_example(tmp_path):
    folder = EXAMPLES / "least_squares"
    count = sum(code_lines(folder / f"least_squares.{ending}") for ending in ("py", "toml"))
    text = (EXAMPLES.parent / "docs" / "own-claims.md").read_text()
    theirs, ours = (int(row.split("|")[-2]) for row in text.splitlines() if "| benchopt," in row
                    or "| motsim:" in row)  # fmt: skip
    assert ours == count < theirs
    (tmp_path / "a.py").write_text(COUNTED)  # control: counted by hand
    assert code_lines(tmp_path / "a.py") == 3
