"""Owners that no process table and no lock tells of: their signs of life, and a way out by hand."""

import contextlib
import re
import sqlite3
import subprocess

import pytest

from motsim.results.ownership import myself
from motsim.results.store import Store
from motsim.running.holders import tag
from motsim.sweep import main
from tests.faults.harness import Bench, recomputed
from tests.faults.places import HASTE, Told, leave_dead, started


def machine(name):
    return {"MOTSIM_FAULT_MACHINE": name, **HASTE}


@pytest.mark.parametrize("off", [None, "no_signs"])
def test_f33_two_machines_share_the_work(tmp_path, off, record):
    """The third run takes twice the silence after which an owner is taken for dead."""
    bench = Bench(tmp_path, runs=3, seconds=4.0)
    with (
        started(bench, jobs=1, off=off, env=machine("one")) as first,
        started(bench, jobs=1, off=off, env=machine("two")) as second,
    ):
        for process in (first, second):
            process.communicate(timeout=120)
    assert (first.returncode, second.returncode) == (0, 0)
    assert set(bench.stored().values()) == {"done"}
    if off:
        assert recomputed(bench) > 0
        record("F33", f"control, no signs of life: {recomputed(bench)} of {bench.runs} runs twice")
    else:
        assert recomputed(bench) == 0
        record("F33", "two machines, runs longer than the patience: none twice")


@pytest.mark.parametrize("off", [None, "no_looks"])
def test_f33_killed_on_one_machine_and_resumed_on_another(tmp_path, off, record):
    bench = Bench(tmp_path, runs=4, seconds=1.0)
    leave_dead(bench, env=machine("one"))
    with started(bench, env=machine("two"), off=off) as process:
        told = Told(process)
        begin, _ = told.wait("finished before")
        if off:
            _, line = told.wait("waiting: ")
            assert "--free" in line
            with pytest.raises(subprocess.TimeoutExpired):
                process.wait(timeout=5)
            record("F33", "control, nobody looks: still waiting after twice the patience")
            return
        seconds, _ = told.wait("freed 2 runs")
        assert process.wait(timeout=60) == 0, told.lines
    assert recomputed(bench) == 0
    assert seconds - begin > 2.0
    record("F33", f"killed on one machine: freed on another {seconds - begin:.1f} s later")


# --- what nothing tells ---------------------------------------------------------------------------


def test_f34_an_owner_of_which_nothing_tells_is_refused_and_freed_on_demand(
    tmp_path, record, capsys
):
    bench = Bench(tmp_path, runs=4)
    leave_dead(bench)
    with contextlib.closing(sqlite3.connect(bench.out / "results.db")) as db, db:
        db.execute("UPDATE claims SET owner = '77:1@old-host+some-boot'")  # of an older motsim
    _, errors, _ = bench.sweep(code=2, jobs=1)
    assert len(set(bench.notes("computed"))) == 2  # what is not held is done first
    line = errors.strip().splitlines()[-1]
    assert "process 77 on old-host (of an older motsim) holds 2 runs" in line
    command = re.search(r"python -m motsim\.sweep (--out \S+ --free [0-9a-f]{8})$", line)[1]
    assert main(["simple-data", "--status", "--out", str(bench.out)]) == 0
    assert command in capsys.readouterr().out
    assert main(command.split()) == 0
    assert "freed 2 runs of process 77 on old-host" in capsys.readouterr().out
    bench.sweep(jobs=1)
    assert bench.tables() == bench.clean_tables()
    assert main(command.split()) == 2
    assert "nobody called" in capsys.readouterr().err
    record("F34", "an owner of an older motsim: refused with the command that frees it")


def test_f34_a_live_owner_is_not_freed_on_demand(tmp_path, capsys):
    with Store(tmp_path) as store:
        assert store.lease("k")
        assert main(["--out", str(tmp_path), "--free", tag(myself())]) == 2
        assert "lives, and holds runs" in capsys.readouterr().err
        assert store.under_way() == set()  # of others
        assert not store.suspects()
        assert store.leases.by_owner() == {str(myself()): ["k"]}
