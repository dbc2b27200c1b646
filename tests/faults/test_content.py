"""Rows whose checksums are right and whose content is none: one line names file and run."""

import json
import tracemalloc
import zlib
from dataclasses import replace

import pytest

from motsim.experiments.result import Result, plain_result
from motsim.repair import main as repair
from motsim.results.content import MAX_BYTES, ContentError
from motsim.results.content import packed as stored
from motsim.results.row import Row
from motsim.results.store import Store, StoreError
from motsim.sweep import main

GOOD = Result("done", {"value": 0.5}, {"hits": {"epsilon": [0.1, 0.2], "step": [1, 2]}})
KEYS = ("0" * 32, "1" * 32)


def packed(body):
    return zlib.compress(json.dumps(body).encode())


def of_table(name, columns):
    return packed({"metrics": {}, "tables": {name: columns}})


SOUND = packed({"metrics": {}, "tables": {}})

#: What a program that failed, or memory that did, may have stored with a checksum of its own.
SPOILT = {
    "not compressed": {"payload": b"junk"},
    "not JSON": {"payload": zlib.compress(b"{")},
    "not UTF-8": {"payload": zlib.compress(b'{"metrics": "\xff"}')},
    "a list": {"payload": packed([])},
    "no tables": {"payload": packed({"metrics": {}})},
    "metrics are none": {"payload": packed({"metrics": None, "tables": {}})},
    "columns of two lengths": {
        "payload": packed({"metrics": {}, "tables": {"hits": {"a": [1], "b": []}}})
    },
    "a column is a number": {"payload": packed({"metrics": {}, "tables": {"hits": {"a": 1}}})},
    "too deep": {"payload": zlib.compress(b"[" * 10**6)},
    "versions": {"versions": "numpy"},
    "versions are a list": {"versions": "[]"},
    "a version is a number": {"versions": '{"numpy": 2}'},
    "a version is half a character": {"versions": '{"numpy": "\\ud800"}'},
    "another status": {"status": "splendid"},
    "failed without a word": {"status": "error"},
    "two runs in one": {"payload": SOUND + SOUND},
    "cut off": {"payload": SOUND[:-1]},
    "a table leads elsewhere": {"payload": of_table("../../elsewhere", {"a": [1]})},
    "a table without a name": {"payload": of_table("", {"a": [1]})},
    "a column without a name": {"payload": of_table("hits", {"": [1]})},
    "a column is a formula": {"payload": of_table("hits", {"=1+1": [1]})},
    "a column with an escape": {"payload": of_table("hits", {"a\x1b[31m": [1]})},
    "a column that is ours": {"payload": of_table("hits", {"status": ["done"]})},
    "a list in a column": {"payload": of_table("hits", {"a": [[1]]})},
    "half a character in a column": {"payload": of_table("hits", {"a": ["\ud800"]})},
    "a zero in a word": {"payload": of_table("hits", {"a": ["x\0y"]})},
    "a metric is a table": {"payload": packed({"metrics": {"x": {}}, "tables": {}})},
    "a metric that is ours": {"payload": packed({"metrics": {"run": "1"}, "tables": {}})},
    "too many digits": {"payload": zlib.compress(b'{"metrics": {"x": ' + b"1" * 5000 + b"}}")},
    "it inflates": {"payload": zlib.compress(b" " * (MAX_BYTES + 1))},
    "lists without end": {"payload": zlib.compress(b"[" + b"[]," * 200_000 + b"[]]")},
    "control": {},
}


def fill(folder, change):
    """Two runs, the second with what is to be changed; all checksums are right."""
    with Store(folder) as store:
        for key in KEYS:
            store.commit(key, "trial", {"seed": 0}, GOOD, 0.5)
        row = store._db.read(KEYS[1])
        assert isinstance(row, Row)
        with store._db.transaction():
            store._db.insert(replace(row, **change))
        store._db.acknowledge()


@pytest.mark.parametrize("name", SPOILT)
def test_what_cannot_be_read_is_refused_by_reading_and_by_merging(tmp_path, name, capsys):
    theirs, ours = tmp_path / "theirs", tmp_path / "ours"
    fill(theirs, SPOILT[name])
    call = ["--out", str(ours), "--collect", str(theirs)]
    if name == "control":
        with Store(theirs) as store:
            assert len(list(store.read(KEYS))) == 2
        assert main(call) == 0
        return
    line = f"{theirs / 'results.db'}: run {KEYS[1]} cannot be read, though its checksum is right"
    with Store(theirs) as store, pytest.raises(StoreError) as no:
        list(store.read(KEYS))
    assert str(no.value).startswith(line)
    assert "\n" not in str(no.value)
    assert main(call) == 2
    told = capsys.readouterr().err
    assert line in told
    assert len(told.splitlines()) == 1
    with Store(ours) as store:
        assert store.settled() == {}  # all or nothing
    assert f"python -m motsim.repair {theirs}" in told
    if list(SPOILT).index(name) % 3:  # half a second each
        return
    # The way out that the line names leads out: the run is computed again.
    assert repair([str(theirs)]) == 0
    with Store(theirs) as store:
        assert store.settled() == {KEYS[0]: "done"}
    assert main(call) == 0


def test_another_result_of_which_one_cannot_be_read_is_no_disagreement(tmp_path):
    fill(tmp_path / "a", {})
    fill(tmp_path / "b", SPOILT["not compressed"])
    for ours, theirs in ("ab", "ba"):
        with (
            Store(tmp_path / ours) as one,
            Store(tmp_path / theirs) as other,
            pytest.raises(StoreError, match=r"b/results\.db: run 1+ cannot be read"),
        ):
            one.merge(other)


def test_a_small_row_that_inflates_takes_no_more_than_a_run_may_hold(tmp_path):
    fill(tmp_path / "a", {"payload": zlib.compress(b" " * 6 * MAX_BYTES)})
    assert (tmp_path / "a" / "results.db").stat().st_size < 2_000_000
    tracemalloc.start()
    try:
        with Store(tmp_path / "a") as store, pytest.raises(StoreError, match="unpacks to more"):
            list(store.read(KEYS))
        assert tracemalloc.get_traced_memory()[1] < 4 * MAX_BYTES
        zlib.decompress(zlib.compress(b" " * 6 * MAX_BYTES))  # control
        assert tracemalloc.get_traced_memory()[1] > 6 * MAX_BYTES
    finally:
        tracemalloc.stop()


def test_a_result_larger_than_is_read_again_is_stored_as_an_error(tmp_path):
    huge = Result("done", {"word": "x" * MAX_BYTES})
    with pytest.raises(ContentError, match=r"at most 33,554,432"):
        stored(huge)
    with Store(tmp_path) as store:
        store.commit(KEYS[0], "trial", {}, huge, 0.0)
        store.commit(KEYS[1], "trial", {}, Result("done", {"word": "x"}), 0.0)  # control
        assert store.settled() == {KEYS[0]: "error", KEYS[1]: "done"}
        assert "at most" in next(store.read(KEYS)).result.metrics["error"]


NAMES = {
    "table": (Result("done", {}, {"a/b": {}}), "a table is named by letters"),
    "parent": (Result("done", {}, {"..": {}}), "a table is named by letters"),
    "hidden": (Result("done", {}, {".a": {}}), "a table is named by letters"),
    "formula": (Result("done", {"=1": 1.0}), "cannot be the name of a column"),
    "ours": (Result("done", {"run": 1.0}), "cannot be the name of a column"),
    "half a character": (Result("done", {"a": "\ud800"}), "no text"),
    "control": (Result("done", {"a.b": 1.0}, {"a-b.c": {"run": ["é"]}}), ""),
}


@pytest.mark.parametrize("name", NAMES)
def test_a_kind_of_ones_own_cannot_write_what_is_not_read(name):
    result, words = NAMES[name]
    if not words:
        assert plain_result(result) == result
        return
    with pytest.raises(ValueError, match=words):
        plain_result(result)
