"""Claims judged from a store: the same whatever judges them, and what failed is counted."""

import json

import pytest

from motsim.experiments.result import Result
from motsim.plans.loading import load_sweep
from motsim.results.store import Store
from motsim.running.backends import Backend
from motsim.running.judging import judge_claims
from motsim.running.runner import run_cells
from motsim.verify import main

NAMES = ["label-noise", "simple-data"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("judging")
    for name in NAMES:
        run_cells(load_sweep(name).cells(), folder, 1)
    return folder


def test_two_at_a_time_find_what_one_finds(folder):
    alone = judge_claims(NAMES, "quick", folder, Backend(jobs=1))
    tables = {path.name: path.read_bytes() for path in folder.glob("*.csv")}
    together = judge_claims(NAMES, "quick", folder, Backend(jobs=2))
    assert list(together) == NAMES
    assert repr(together) == repr(alone)  # an end of an interval may be NaN
    assert all(found.findings and not found.failed for found in alone.values())
    assert tables == {path.name: path.read_bytes() for path in folder.glob("*.csv")}


def test_verify_runs_its_claims_as_one_queue(folder, capsys):
    """Two claims, two messages of what is there, and one answer; nothing is run twice."""
    assert main([*NAMES, "--out", str(folder), "--jobs", "2", "--json"]) == 0
    printed = capsys.readouterr()
    counts = [len({cell.key for cell in load_sweep(name).cells()}) for name in NAMES]
    for name, count in zip(NAMES, counts, strict=True):
        assert f"{name} (quick tier): {count} runs, {count} finished before" in printed.err
    assert list(json.loads(printed.out)) == NAMES


def test_failed_runs_are_counted(folder, tmp_path):
    """Control: a run that is recorded as failed."""
    name = NAMES[1]
    broken = tmp_path / "broken"
    cells = load_sweep(name).cells()
    run_cells(cells[1:], broken, 1)
    with Store(broken) as store:
        failed = Result("error", {"error": "made here", "traceback": ""})
        store.commit(cells[0].key, cells[0].kind, dict(cells[0].values), failed, 0.0)
    assert judge_claims([name], "quick", broken, Backend(jobs=1))[name].failed == 1
