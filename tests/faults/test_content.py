"""Rows whose checksums are right and whose content is none: one line names file and run."""

import json
import zlib
from dataclasses import replace

import pytest

from motsim.experiments.result import Result
from motsim.repair import main as repair
from motsim.results.row import Row
from motsim.results.store import Store, StoreError
from motsim.sweep import main

GOOD = Result("done", {"value": 0.5}, {"hits": {"epsilon": [0.1, 0.2], "step": [1, 2]}})
KEYS = ("0" * 32, "1" * 32)


def packed(body):
    return zlib.compress(json.dumps(body).encode())


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
    # The way out that the line names leads out: the run is computed again.
    assert f"python -m motsim.repair {theirs}" in told
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
