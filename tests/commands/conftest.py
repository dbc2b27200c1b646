"""Sweeps that several commands are tried on."""

import pytest

from motsim.__main__ import main
from motsim.experiments.beside import forget
from tests.commands.levels import KIND, SWEEP
from tests.commands.tiny import TINY


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


@pytest.fixture
def tiny(tmp_path):
    path = tmp_path / "tiny.toml"
    path.write_text(TINY)
    return str(path)


@pytest.fixture
def out(tmp_path):
    return tmp_path / "out"
