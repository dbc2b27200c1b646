"""Which runs go together, on which backend; a wrong address is one line."""

import socket
import time

import pytest

from motsim.commands.parser import add_run_options
from motsim.plans.loading import load_sweep
from motsim.running.backends import BACKENDS, BackendError, open_backend
from motsim.running.runner import grouped, run_cells
from motsim.sweep import main, parser
from tests.running.dask_runs import needs_dask

pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning")


# --- tasks ----------------------------------------------------------------------------------------


class Cheap:
    def __init__(self, cost):
        self.cost = cost


@pytest.mark.parametrize(("cost", "most"), [(1.0, 1), (0.1, 2), (0.04, 5), (0.0, 100)])
def test_cheap_runs_go_together_and_dear_ones_alone(cost, most):
    cells = [Cheap(cost) for _ in range(1000)]
    groups = list(grouped(cells, jobs=2))
    assert [cell for group in groups for cell in group] == cells
    assert max(map(len, groups)) == most


def test_the_longest_runs_go_first(kinds, tmp_path):
    """So that no core waits at the end for a long one; with one job, in the order of ending."""
    sweep = tmp_path / "probe.toml"
    grid = "seconds = [0.01, 0.0, 0.04, 0.02]"
    sweep.write_text(f'title = "P"\nkind = "probe"\nseeds = 1\n[grid]\n{grid}\n')
    cells, ended = load_sweep(str(sweep)).cells(), []
    run_cells(cells, tmp_path / "out", 1, lambda cell, *_: ended.append(cell.cost))
    assert [cell.cost for cell in cells] != ended
    assert ended == [0.04, 0.02, 0.01, 0.0]


def test_few_runs_are_shared_out():
    groups = list(grouped([Cheap(0.0)] * 16, jobs=4))
    assert [len(group) for group in groups] == [1] * 16


def test_the_command_offers_every_backend():
    actions = {a.dest: a for a in parser()._actions}
    assert set(actions["backend"].choices) == set(BACKENDS)
    assert add_run_options.__doc__


# --- addresses ------------------------------------------------------------------------------------


def refusal(*words, capsys):
    begin = time.monotonic()
    assert main(list(words)) == 2
    printed = capsys.readouterr()
    assert len(printed.err.splitlines()) == 1, printed.err
    assert not printed.out
    return printed.err, time.monotonic() - begin


def test_an_address_needs_a_cluster(tmp_path, capsys):
    words = ("--scheduler", "tcp://a:1", "--out", str(tmp_path / "out"))
    assert "needs --backend dask or ray" in refusal(*words, capsys=capsys)[0]
    assert not (tmp_path / "out").exists()


@needs_dask
def test_dask_needs_an_address(tmp_path, capsys):
    line, _ = refusal("--backend", "dask", "--out", str(tmp_path / "out"), capsys=capsys)
    assert "needs --scheduler ADDRESS" in line


@needs_dask
@pytest.mark.parametrize("address", ["nonsense", "tcp://", "foo://127.0.0.1:1", "FREE", "SILENT"])
def test_no_scheduler_is_one_line_within_seconds(address, tmp_path, capsys):
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        if address == "SILENT":
            listener.listen()
        if address in ("SILENT", "FREE"):
            address = f"tcp://127.0.0.1:{listener.getsockname()[1]}"
        words = ("--backend", "dask", "--scheduler", address, "--out", str(tmp_path / "out"))
        line, seconds = refusal(*words, capsys=capsys)
    assert f"no dask scheduler answers at {address!r}" in line
    assert seconds < 30
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(("name", "extra"), [("dask", "distributed"), ("ray", "ray")])
def test_a_missing_extra_is_one_line(name, extra, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("motsim.extras.find_spec", lambda module: None)
    words = ("--backend", name, "--scheduler", "tcp://a:1", "--out", str(tmp_path / "out"))
    line, _ = refusal(*words, capsys=capsys)
    assert f"extra '{extra}' needs {extra}, not installed here" in line
    assert "pip install" in line


def test_local_backends():
    with open_backend("loky", 3) as backend:
        assert (backend.jobs, backend.remote) == (3, False)
    with open_backend("sequential", 3) as backend:
        assert backend.jobs == 1
    with pytest.raises(BackendError, match="needs --backend"), open_backend(scheduler="tcp://a:1"):
        pass


@needs_dask
def test_a_patience_that_is_no_time_is_one_line(tmp_path, monkeypatch, capsys):
    config = pytest.importorskip("dask").config
    words = ("--backend", "dask", "--scheduler", "tcp://a:1", "--out", str(tmp_path / "out"))
    with config.set({"motsim.no-worker-timeout": "soon"}):
        line, _ = refusal(*words, capsys=capsys)
    assert "motsim.no-worker-timeout must be a time, such as 30s; got 'soon'" in line
