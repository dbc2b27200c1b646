"""A run is stored with the versions of the libraries where it was computed."""

import json

import pytest

from motsim.plans.loading import load_sweep
from motsim.results.store import Store, versions_here
from motsim.running import runner
from motsim.running.backends import Backend
from motsim.running.worker import execute_away
from motsim.sweep import main


@pytest.fixture
def sweep(kinds, tmp_path):
    path = tmp_path / "mixed.toml"
    path.write_text('title = "t"\nkind = "probe"\nseeds = 4\n')
    return path


def away(monkeypatch, numpy):
    """A cluster in this process, whose workers have another numpy."""
    there = versions_here() | ({"numpy": numpy} if numpy else {})
    monkeypatch.setattr("motsim.running.worker.versions_here", lambda: there)

    def answers(tasks, backend):
        for _, (group,), _ in tasks:
            yield execute_away(group)

    monkeypatch.setattr(runner, "_answers", answers)
    return there


def stored(folder, cells):
    with Store(folder) as store:
        return [run.versions for run in store.read([cell.key for cell in cells])]


@pytest.mark.parametrize("numpy", ["1.0-elsewhere", None])
def test_versions_are_those_of_the_worker(sweep, tmp_path, monkeypatch, numpy):
    cells = load_sweep(str(sweep)).cells()
    there = away(monkeypatch, numpy)
    runner.run_cells(cells, tmp_path, Backend("dask", 2, 4))
    assert stored(tmp_path, cells) == [there] * 4
    assert (there == versions_here()) == (numpy is None)  # the control: the caller's are others


@pytest.mark.parametrize("numpy", ["1.0-elsewhere", None])
def test_a_mixture_is_said(sweep, tmp_path, monkeypatch, capsys, numpy):
    folder = tmp_path / "results"
    cells = load_sweep(str(sweep)).cells()
    with monkeypatch.context() as patch:
        away(patch, numpy)
        runner.run_cells(cells[:2], folder, Backend("dask", 2, 4))
    assert main([str(sweep), "--out", str(folder), "--jobs", "1", "--progress", "plain"]) == 0
    said = capsys.readouterr().err
    assert ("several versions of numpy" in said) == bool(numpy)
    versions = json.loads((folder / "mixed.json").read_text())["versions"]
    assert len(versions) == (2 if numpy else 1)
    assert main(["simple-data", "--status", "--out", str(folder)]) == 0
    assert ("numpy 1.0-elsewhere" in capsys.readouterr().out) == bool(numpy)
