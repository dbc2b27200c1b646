"""A stranger's results folder: nothing in it computes, waits for ever, or leads elsewhere."""

import json
import os
import shutil
import sqlite3
from contextlib import closing

import pytest

from motsim.commands.compare import main as compare
from motsim.commands.table import main as table
from motsim.experiments.result import Result
from motsim.plans.loading import load_sweep
from motsim.realdata.source import _hashed, fingerprint
from motsim.repair import main as repair
from motsim.report.__main__ import main as report
from motsim.results.export import export
from motsim.results.store import Store
from motsim.results.tables import TablesError, load_tables
from motsim.sweep import main as sweep
from motsim.verify import main as verify
from tests.refusals import refusal

pytestmark = pytest.mark.timeout(60)
SWEEP = """
title = "Mine"
kind = "rehearsal"
seeds = 2
"""


@pytest.fixture(autouse=True)
def no_shipped_sweeps(monkeypatch):
    """Planning them all takes ten seconds, and nothing of a stranger is in it."""
    monkeypatch.setattr("motsim.running.status.sweep_names", list)


@pytest.fixture
def theirs(tmp_path):
    """A sound folder: a store, and tables of two runs."""
    (tmp_path / "mine.toml").write_text(SWEEP)
    plan = load_sweep(str(tmp_path / "mine.toml"))
    folder = tmp_path / "theirs"
    with Store(folder) as store:
        for cell in plan.cells():
            result = Result("done", {"loss": 0.5}, {"t": {"a": [1]}})
            store.commit(cell.key, cell.kind, {}, result, 0.0)
        export(store, plan, "quick", plan.cells(), folder)
    return folder


def executed(*commands):
    def change(path):
        with closing(sqlite3.connect(path)) as db:
            for command in commands:
                db.execute(command)
            db.commit()

    return change


ENDLESS = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x FROM n)"
THINGS = {
    "a view": executed(
        "DROP TABLE runs",
        f"CREATE VIEW runs AS {ENDLESS} SELECT 'k' || x AS key, 'done' AS status,"
        " 'd' AS details, 'c' AS checksum FROM n",
    ),
    "a trigger beside letters that are none": executed(
        "CREATE TRIGGER t AFTER INSERT ON runs BEGIN DELETE FROM details; END",
        "PRAGMA writable_schema=ON",
        "UPDATE sqlite_master SET sql = sql || CAST(x'2f2aff2a2f' AS TEXT) WHERE name = 'ledger'",
    ),
    "a trigger": executed("CREATE TRIGGER t AFTER INSERT ON runs BEGIN DELETE FROM details; END"),
    "a computed column": executed(
        "ALTER TABLE claims ADD COLUMN more BLOB GENERATED ALWAYS AS (zeroblob(tries)) VIRTUAL"
    ),
    "an index": executed("CREATE INDEX i ON runs (length(status))"),
    "a virtual table": executed("CREATE VIRTUAL TABLE v USING fts5(x)"),
    "control": executed("VACUUM"),
}


@pytest.mark.parametrize("name", THINGS)
def test_what_computes_in_a_store_is_refused_before_it_does(theirs, tmp_path, name, capsys):
    THINGS[name](theirs / "results.db")
    ours = str(tmp_path / "ours")
    calls = [
        (sweep, ["--status", "--out", str(theirs)]),
        (sweep, ["--out", ours, "--collect", str(theirs)]),
        (sweep, [str(tmp_path / "mine.toml"), "--out", str(theirs), "--jobs", "1", "--no-figure"]),
        (repair, [str(theirs)]),
    ]
    for main, words in calls:
        if name == "control":
            assert main(words) == 0
        else:
            told = refusal(main, words, capsys, quiet=False)
            assert f"{theirs / 'results.db'}: holds {'a ' if name[:2] == 'a ' else ''}" in told
            assert "which no store of motsim has" in told


def pipe(path):
    path.unlink(missing_ok=True)
    os.mkfifo(path)


def device(path):
    path.unlink(missing_ok=True)
    path.symlink_to("/dev/zero")


@pytest.mark.parametrize("odd", [pipe, device])
@pytest.mark.parametrize("name", ["results.db", "results.db-wal", "results.db-tally"])
def test_a_pipe_or_device_in_place_of_a_store_is_refused(theirs, tmp_path, odd, name, capsys):
    odd(theirs / name)
    for words in (["--status", "--out", str(theirs)], ["--collect", str(theirs)]):
        told = refusal(sweep, [*words, "--out", str(theirs)], capsys, quiet=False)
        assert "results.db" in told
    mine = [str(tmp_path / "mine.toml"), "--out", str(theirs), "--jobs", "1", "--no-figure"]
    told = refusal(sweep, mine, capsys, quiet=False)
    assert f"{name}: not a regular file" in told


def test_a_pipe_where_signs_of_life_are_left_keeps_nobody_waiting(theirs, tmp_path):
    pipe(theirs / ".motsim-alive")
    mine = [str(tmp_path / "mine.toml"), "--out", str(theirs), "--jobs", "1", "--no-figure"]
    assert sweep(mine) == 0


@pytest.mark.parametrize("odd", [pipe, device])
@pytest.mark.parametrize("name", ["mine.csv", "mine.t.csv", "mine.json", "other.json"])
def test_a_pipe_or_device_in_place_of_a_table_is_no_table(theirs, odd, name, capsys):
    (theirs / "other.csv").touch()
    odd(theirs / name)
    assert sweep(["--status", "--out", str(theirs)]) == 0
    code = report(["mine", "--out", str(theirs)])
    assert code == {"mine.json": 0, "other.json": 0}.get(name, 1)  # 0: it is called missing
    capsys.readouterr()
    if name != "other.json":
        for main, words in ((table, ["mine", "--columns", "loss"]), (compare, [str(theirs)])):
            place = ["--out", str(theirs)] if main is table else [str(theirs)]
            refusal(main, [*words, *place], capsys)


def described(theirs, change):
    meta = json.loads((theirs / "mine.json").read_text())
    change(meta)
    (theirs / "mine.json").write_text(json.dumps(meta))


ELSEWHERE = ["../mine.t", "/etc/x", "..", "", "a/b", "t\n", 5, ["t"]]


@pytest.mark.parametrize("name", ELSEWHERE, ids=repr)
def test_a_table_that_leads_elsewhere_is_not_read(theirs, name):
    assert list(load_tables("mine", theirs).others) == ["t"]  # control
    shutil.copy(theirs / "mine.t.csv", theirs.parent / "mine.t.csv")
    described(theirs, lambda meta: meta.update(tables=[name]))
    with pytest.raises(TablesError, match="cannot be read"):
        load_tables("mine", theirs)


@pytest.mark.parametrize("deep", [False, True])
def test_a_deep_description_is_said_in_one_line(theirs, tmp_path, deep, capsys):
    if deep:
        (theirs / "mine.json").write_text("[" * 100_000)
    words = ["mine", "--columns", "loss", "--out", str(theirs)]
    if deep:
        assert "nested too deeply" in refusal(table, words, capsys)
        assert "nested too deeply" in refusal(compare, [str(theirs), str(theirs)], capsys)
        assert report(["mine", "--out", str(theirs)]) == 1
        assert "nested too deeply" in capsys.readouterr().err
    else:
        assert table(words) == 0
    assert sweep(["--status", "--out", str(theirs)]) == 0


DATA = """
title = "D"
kind = "realdata"
seeds = 1
[fixed]
data = "npz"
path = {path!r}
"""


@pytest.mark.parametrize("where", ["fixed", "a case's grid"])
def test_reading_commands_open_no_data(theirs, tmp_path, where, monkeypatch, capsys):
    """Also of the file that tables name; a command that is given the file does."""
    place = tmp_path / "data.npz"
    place.write_bytes(b"no archive")
    text = DATA.format(path=str(place))
    if where != "fixed":
        text = text.partition("path")[0] + f"[case.a.grid]\npath = [{str(place)!r}]\n"
    (tmp_path / "mine.toml").write_text(text)
    opened = []
    monkeypatch.setattr(
        "motsim.experiments.realdata.settings.fingerprint",
        lambda path: opened.append(path) or fingerprint(path),
    )
    assert sweep(["--status", "--out", str(theirs)]) == 0
    report(["mine", "--out", str(theirs)])
    table(["mine", "--columns", "loss", "--out", str(theirs)])
    assert opened == []
    capsys.readouterr()
    _hashed.cache_clear()
    told = refusal(sweep, [str(tmp_path / "mine.toml"), "--dry-run"], capsys)  # control
    assert "not an .npz file" in told
    assert opened


@pytest.mark.parametrize("spoilt", [False, True])
def test_tables_that_a_claim_cannot_judge_are_one_line(tmp_path, spoilt, capsys):
    """Sound to read, and not what the claim is about: no column that it looks at."""
    plan = load_sweep("rate-single")
    folder = tmp_path / "theirs"
    results = {"loss": 0.5} if spoilt else {"loss": 0.5, "stage_length": 1000}
    with Store(folder) as store, store.together():
        for cell in plan.cells():
            hits = {"epsilon": [0.1, 0.01], "step": [10, 20], "stage_step": [10, 20]}
            found = Result("reached", results, {"hits": hits})
            store.commit(cell.key, cell.kind, {}, found, 0.0)
    words = ["rate-single", "--out", str(folder), "--jobs", "1", "--no-figure"]
    if spoilt:
        told = refusal(sweep, [*words, "--progress", "quiet"], capsys, quiet=False)
        assert "rate-single: its tables cannot be judged (KeyError" in told
        words = ["rate-single", "--out", str(folder), "--jobs", "1", "--progress", "quiet"]
        assert "cannot be judged" in refusal(verify, words, capsys, quiet=False)
    else:
        assert sweep(words) in (0, 1)
        assert "cannot be judged" not in capsys.readouterr().err


def test_a_table_named_like_a_file_runs_no_code_of_it(theirs, tmp_path, monkeypatch):
    """`report` in a stranger's folder, whose table is called as a sweep file beside it."""
    monkeypatch.chdir(theirs)
    mark = tmp_path / "ran"
    (theirs / "marked_kind.py").write_text(f"import pathlib\npathlib.Path({str(mark)!r}).touch()\n")
    (theirs / "x.toml").write_text('title = "X"\nkind = "marked_kind:run"\n')
    for end in ("json", "csv"):
        shutil.copy(theirs / f"mine.{end}", theirs / f"x.toml.{end}")
    report(["x.toml", "--out", "."])
    assert not mark.exists()
    sweep([str(theirs / "x.toml"), "--dry-run"])  # control: who names the file runs it
    assert mark.exists()
