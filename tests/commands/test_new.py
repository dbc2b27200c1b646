"""The folder that `motsim new` writes works: its own tests pass, its commands run."""

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import motsim
from motsim.commands import origin
from motsim.commands.new import MOVED, TEMPLATE, main
from motsim.experiments.beside import forget
from tests.refusals import refusal

ENVIRONMENT = {
    **os.environ, "PYTHONPATH": str(Path(motsim.__file__).parents[1]), "MPLBACKEND": "Agg",
}  # fmt: skip


@pytest.fixture
def paper(tmp_path, capsys):
    folder = tmp_path / "my-paper"
    assert main([str(folder)]) == 0
    yield folder
    forget()


def call(folder, *words, code=0, seconds=240):
    done = subprocess.run(
        [sys.executable, "-m", *words], cwd=folder, env=ENVIRONMENT, capture_output=True,
        text=True, timeout=seconds,
    )  # fmt: skip
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout


@pytest.mark.timeout(300)
def test_its_own_tests_pass_and_can_fail(paper):
    words = ("pytest", "-q", "-p", "no:cacheprovider", "-W", "error::DeprecationWarning")
    assert "4 passed" in call(paper, *words)
    code = paper / "descent.py"  # control: descent that stalls
    code.write_text(code.read_text().replace("x -= rate", "x -= 0.0 * rate"))
    assert "failed" in call(paper, *words, "-x", code=1)


def test_its_commands_run(paper):
    text = call(paper, "motsim", "verify", "descent.toml", "--jobs", "2")
    assert "2 verdicts: 1 hold, 1 fail" in text
    assert "0 not as recorded" in text
    table = call(paper, "motsim", "table", "descent", "--latex")
    assert "bounded & " in table
    assert r"\toprule" in table
    again = subprocess.run(
        [sys.executable, "-m", "motsim", "sweep", "descent.toml", "--no-figure"], cwd=paper,
        env=ENVIRONMENT, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert "12 runs, 12 finished before" in again.stderr


def test_it_is_whole_and_carries_its_name(paper):
    there = {path.relative_to(paper).as_posix() for path in paper.rglob("*") if path.is_file()}
    assert there == {
        ".gitignore", ".github/workflows/tests.yml", "README.md", "descent.py", "descent.toml",
        "figure.py", "pyproject.toml", "tests/test_descent.py",
    }  # fmt: skip
    assert tomllib.loads((paper / "pyproject.toml").read_text())["project"]["name"] == "my-paper"
    assert (paper / "README.md").read_text().startswith("# my-paper\n")
    for path in paper.rglob("*"):
        assert path.is_dir() or "PAPER" not in path.read_text()
    assert all((TEMPLATE / name).is_file() for name in MOVED)


class Installed:
    """What pip leaves of an installed motsim."""

    version = "0.1.0"

    def __init__(self, direct_url=None, place=""):
        self.direct_url, self.place = direct_url, place or Path(motsim.__file__).parents[1]

    def read_text(self, name):
        assert name == "direct_url.json"
        return self.direct_url

    def locate_file(self, name):
        return Path(self.place) / name


VCS = '{"url": "https://me:secret@example.org/lab/motsim.git", "vcs_info": {"commit_id": "abc1"}}'
FOLDER = '{"url": "file:///home/me/motsim", "dir_info": {}}'
REMOTE = {"remote": "git@example.org:lab/motsim.git", "rev-parse": "abc2"}


@pytest.mark.parametrize(
    ("found", "git", "said"),
    [
        (Installed(VCS), {}, "git+https://example.org/lab/motsim.git@abc1"),
        (Installed(), {}, "motsim==0.1.0"),
        (Installed(FOLDER), REMOTE, "git+https://example.org/lab/motsim.git@abc2"),
        (Installed(None, "/elsewhere"), REMOTE, "git+https://example.org/lab/motsim.git@abc2"),
        (Installed(FOLDER), {"rev-parse": "abc3"}, "git+https://github.com/OWNER/motsim@abc3"),
        (Installed(FOLDER), {}, "git+https://github.com/OWNER/motsim@COMMIT"),
    ],
)
def test_the_workflow_installs_what_is_installed_here(
    found, git, said, tmp_path, capsys, monkeypatch
):
    monkeypatch.setattr(origin, "distribution", lambda name: found)
    monkeypatch.setattr(origin, "_git", lambda *words: git.get(words[0], ""))
    assert main([str(tmp_path / "my-paper")]) == 0
    told = capsys.readouterr().out
    workflow = tmp_path / "my-paper" / ".github" / "workflows" / "tests.yml"
    assert f"MOTSIM: {said}\n" in workflow.read_text()
    missing = [word for word in ("OWNER", "COMMIT") if word in said]
    assert [line for line in told.splitlines() if line.startswith("put in: ")] == [
        f"put in: {' and '.join(missing)} in .github/workflows/tests.yml: where you install"
        " motsim from"
    ] * bool(missing)


def test_what_is_there_is_left_alone(tmp_path, capsys):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.tex").write_text("years of work")
    assert "not empty" in refusal(main, [str(tmp_path / "full")], capsys)
    assert "not empty" in refusal(main, [str(tmp_path / "full" / "thesis.tex")], capsys)
    (tmp_path / "empty").mkdir()
    assert main([str(tmp_path / "empty")]) == 0  # control


def test_the_template_is_installed_with_the_package():
    text = (Path(motsim.__file__).parents[1] / "pyproject.toml").read_text()
    data = tomllib.loads(text)["tool"]["setuptools"]["package-data"]["motsim"]
    package = Path(motsim.__file__).parent
    held = {path for pattern in data for path in package.glob(pattern) if path.is_file()}
    wanted = {path for path in TEMPLATE.rglob("*") if path.is_file() and path.suffix != ".pyc"}
    assert wanted | {package / "commands" / "glossary.md"} <= held
