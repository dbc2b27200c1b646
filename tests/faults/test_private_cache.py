"""Compiled kernels are unpickled, so they lie where nobody else can put files."""

import os
import pwd
import stat
import subprocess
import sys
import tempfile

import pytest

from motsim.vectors import compiling
from tests.faults.harness import ROOT

STRANGER = 54321  # a number that no user of the machine has
NAME = f"motsim-{os.getuid()}"
as_root = pytest.mark.skipif(os.getuid() != 0, reason="only root gives files away")


@pytest.fixture
def homeless(tmp_path, monkeypatch):
    """No folder for caches but the temporary one."""
    (tmp_path / "file").touch()
    monkeypatch.setenv("MOTSIM_CACHE_DIR", str(tmp_path / "file"))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def chosen():
    return compiling.cache_folder.__wrapped__()


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


def test_a_temporary_folder_is_made_private_named_and_used_again(homeless, caplog, monkeypatch):
    folder = chosen()
    assert folder.parent == homeless / NAME
    assert (mode(folder), mode(folder.parent)) == (0o700, 0o700)
    assert f"kept in {folder.parent} (" in caplog.text
    assert "MOTSIM_CACHE_DIR" in caplog.text
    assert len(caplog.messages) == 1
    assert chosen() == folder  # as a worker of this process does, without a word
    assert len(caplog.messages) == 1
    monkeypatch.setenv("MOTSIM_CACHE_DIR", str(homeless / "file"))
    assert chosen() == folder  # control: one that is ours is taken again


def shared(place):
    place.mkdir()
    place.chmod(0o777)


def linked(place):
    aside = place.with_name("aside")
    aside.mkdir(mode=0o700)
    place.symlink_to(aside)


def given(place):
    place.mkdir(mode=0o700)
    os.chown(place, STRANGER, -1)


@pytest.mark.parametrize("first", [shared, linked, pytest.param(given, marks=as_root)])
def test_a_temporary_folder_that_a_stranger_made_first_is_left_alone(homeless, first):
    first(homeless / NAME)
    folder = chosen()
    assert folder.parent != homeless / NAME
    assert folder.parent.parent == homeless
    assert (mode(folder), folder.stat().st_uid) == (0o700, os.getuid())
    assert not list((homeless / NAME).iterdir())


@pytest.mark.parametrize("open_to_all", [False, True])
def test_a_folder_of_ones_own_that_others_can_write_is_not_used(homeless, open_to_all, caplog):
    os.environ["MOTSIM_CACHE_DIR"] = str(homeless / "mine")
    folder = chosen()
    assert folder.parent == homeless / "mine"  # the control
    if open_to_all:
        folder.chmod(0o777)
        assert chosen().parent == homeless / NAME
        assert "may be written by others" in caplog.text


def test_neither_home_nor_a_name(homeless, monkeypatch):
    monkeypatch.delenv("MOTSIM_CACHE_DIR")
    monkeypatch.delenv("HOME")

    def unknown(number):
        raise KeyError(f"getpwuid(): uid not found: {number}")

    monkeypatch.setattr(pwd, "getpwuid", unknown)
    assert chosen().parent == homeless / NAME


NOBODY = """
import pwd, runpy, sys

def unknown(number):
    raise KeyError(f"getpwuid(): uid not found: {number}")

pwd.getpwuid = unknown
sys.argv = ["motsim.sweep", *sys.argv[1:]]
runpy.run_module("motsim.sweep", run_name="__main__")
"""


KIND = """
from motsim import KindSettings, Result
from motsim.vectors.compiling import kernel


class Settings(KindSettings):
    seed: int = 0


@kernel
def double(x):
    return 2.0 * x


def compile_kernels():
    double(1.0)


def run(settings):
    return Result("done", {"value": double(float(settings.seed))})
"""


def test_a_sweep_without_home_or_name_warns_once_and_runs(tmp_path):
    sweep = tmp_path / "tiny.toml"
    sweep.write_text('title = "T"\nkind = "small"\nseeds = 2\n')
    (tmp_path / "small.py").write_text(KIND)
    call = [sys.executable, "-c", NOBODY, str(sweep), "--out", str(tmp_path / "out")]
    done = subprocess.run(
        [*call, "--jobs", "2", "--no-figure", "--progress", "plain"], cwd=tmp_path, timeout=200,
        env={"PATH": os.environ["PATH"], "TMPDIR": str(tmp_path), "PYTHONPATH": str(ROOT)},
        capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    assert done.stderr.count("MOTSIM_CACHE_DIR") == 1, done.stderr
    assert mode(tmp_path / NAME) == 0o700
    assert len(list((tmp_path / NAME).rglob("*.nbc"))) == 1  # the workers compiled nothing
