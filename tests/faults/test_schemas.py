"""Stores of other schemas: an older one is migrated, a newer one refused and left alone."""

import contextlib
import hashlib
import json
import shutil
import sqlite3
import zlib
from dataclasses import replace
from unittest import mock

import pytest

import motsim.plans.keys
from motsim.experiments.result import Result
from motsim.repair import main as repair_command
from motsim.results.content import decompressed
from motsim.results.safeguards import row_checksum
from motsim.results.store import SCHEMA, Store, StoreError, run_key
from tests.faults.harness import FIXTURES, sound

#: Rows of the frozen file, made by the code of schema 1.
OLD_STATUSES = [
    "reached", "max_steps", "diverged", "done", "error", "worker_died", "reached", "done",
]  # fmt: skip


def old_store(tmp_path):
    tmp_path.mkdir(exist_ok=True)
    shutil.copy(FIXTURES / "schema1.db", tmp_path / "results.db")
    return tmp_path


def old_keys(rule=1):
    """Keys of the frozen file's runs, by a rule of keys: the first, of a kind without sources."""
    settings = [{"seed": i, "rate": 0.1 * i, "name": "é"} for i in range(len(OLD_STATUSES))]
    no_source = hashlib.blake2b(digest_size=16).hexdigest()
    with mock.patch.object(motsim.plans.keys, "KEYS", rule):
        return [run_key("trial", found, "", no_source) for found in settings]


def test_f17_older_schema_is_migrated(tmp_path, record):
    folder = old_store(tmp_path)
    with contextlib.closing(sqlite3.connect(folder / "results.db")) as db:
        assert db.execute("PRAGMA user_version").fetchone() == (1,)
        before = db.execute("SELECT key, status, payload, seconds FROM runs").fetchall()
    with Store(folder) as store:
        settled = store.settled()
        found = list(store.read(old_keys()))
        assert store._db.version() == SCHEMA
        assert store._db.rows("SELECT tries FROM claims") == [(1,)]
    assert settled == {key: status for key, status, *_ in before}
    # A file that is migrated keeps its keys, whatever rule made them.
    assert [run.key for run in found] == old_keys()
    assert [run.status for run in found] == OLD_STATUSES
    assert [run.seconds for run in found] == [i / 8 for i in range(len(OLD_STATUSES))]
    bodies = {key: json.loads(zlib.decompress(payload)) for key, _, payload, _ in before}
    for run in found:
        body = {"metrics": run.result.metrics, "tables": run.result.tables}
        assert json.dumps(body) == json.dumps(bodies[run.key])
    assert sound(folder / "results.db")
    record("F17", f"schema 1 migrated to {SCHEMA}: {len(found)} of {len(before)} runs, same keys")


def second_schema(folder, bent=""):
    """A store as schema 2 had it: settings are text, and nothing is packed with words."""
    result = Result("done", {"value": 0.5}, {"hits": {"epsilon": [0.1], "step": [1]}})
    with Store(folder) as store:
        store.commit("k" * 32, "trial", {"seed": 3, "name": "é"}, result, 0.25)
        row = store._db.read("k" * 32)
    payload = zlib.compress(decompressed(row.payload))
    old = replace(row, payload=payload)
    mark = row_checksum(old.key, old.status, old.details)
    with contextlib.closing(sqlite3.connect(folder / "results.db")) as db, db:
        db.execute("UPDATE details SET settings = ?, payload = ?", (old.settings + bent, payload))
        db.execute("UPDATE runs SET details = ?, checksum = ?", (old.details, mark))
        db.execute("UPDATE ledger SET digest = ?", (mark,))
        db.execute("PRAGMA user_version=2")
    return result


@pytest.mark.parametrize("read_only", [True, False])
def test_f17_schema_2_is_read_as_it_is(tmp_path, read_only, record):
    result = second_schema(tmp_path)
    with Store(tmp_path, read_only=read_only) as store:
        (found,) = store.read(["k" * 32])
        assert store._db.read("k" * 32).settings == '{"seed": 3, "name": "\\u00e9"}'
    assert found.result == result
    with contextlib.closing(sqlite3.connect(tmp_path / "results.db")) as db:
        assert db.execute("PRAGMA user_version").fetchone() == (2 if read_only else SCHEMA,)
        assert db.execute("SELECT typeof(settings) FROM details").fetchone() == ("text",)
    with Store(tmp_path / "new") as new, Store(tmp_path) as store:  # taken over, it is packed
        assert new.merge(store) == 1
        assert new._db.rows("SELECT typeof(settings) FROM details") == [("blob",)]
        assert [run.result for run in new.read(["k" * 32])] == [result]
    record("F17", f"schema 2 read as it is by {SCHEMA}")


def test_f17_control_schema_2_with_other_settings_is_damaged(tmp_path):
    second_schema(tmp_path, " ")
    with Store(tmp_path) as store, pytest.raises(StoreError, match=r"is damaged \(checksum\)"):
        list(store.read(["k" * 32]))


def test_f17_older_schema_with_a_damaged_run_is_refused_and_left_alone(tmp_path, capsys):
    folder = old_store(tmp_path)
    with contextlib.closing(sqlite3.connect(folder / "results.db")) as db, db:
        db.execute("UPDATE runs SET status = 'done' WHERE key = ?", (old_keys()[0],))
    with pytest.raises(StoreError, match=r"is damaged \(checksum\); save what is sound"):
        Store(folder)
    with contextlib.closing(sqlite3.connect(folder / "results.db")) as db:
        assert db.execute("PRAGMA user_version").fetchone() == (1,)
        assert db.execute("SELECT count(*) FROM runs").fetchone() == (8,)
    assert repair_command([str(folder)]) == 0
    assert "7 runs saved" in capsys.readouterr().out
    with Store(folder) as store:
        assert set(store.settled()) == set(old_keys()[1:])


def test_f17_newer_schema_is_refused_and_left_alone(tmp_path, record):
    path = old_store(tmp_path) / "results.db"
    with contextlib.closing(sqlite3.connect(path)) as db:
        db.execute(f"PRAGMA user_version={SCHEMA + 1}")
        db.execute("PRAGMA journal_mode=DELETE")
    before = path.read_bytes()
    with pytest.raises(StoreError, match=f"schema {SCHEMA + 1}, this motsim reads {SCHEMA}"):
        Store(tmp_path)
    assert path.read_bytes() == before
    record("F17", f"schema {SCHEMA + 1} refused, file unchanged")


def test_f17_control_a_key_with_the_schema_would_lose_every_run(tmp_path):
    with Store(old_store(tmp_path)) as store:
        assert list(store.read(old_keys(SCHEMA))) == []
