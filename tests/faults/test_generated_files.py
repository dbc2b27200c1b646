"""Generated files of strangers: one line on standard error, exit code 2, no more.

Numbers come from `MOTSIM_FAULT_SEED`. The files hold nothing but nonsense: sizes that are not
there, words in place of numbers, bits that were turned.
"""

import gzip
import json
import os
import pickle
import random
import shutil
import sqlite3
import string
import zipfile
import zlib
from contextlib import closing
from dataclasses import replace

import numpy as np
import pytest

from motsim.commands.compare import main as compare
from motsim.commands.table import main as table
from motsim.experiments.result import Result
from motsim.plans.loading import load_sweep
from motsim.printing import CONTROL
from motsim.rates.__main__ import main as rates
from motsim.results.export import export
from motsim.results.store import Store
from motsim.sweep import main as sweep
from tests.faults.harness import SEED, word
from tests.refusals import refusal

pytestmark = pytest.mark.timeout(300)
FILES = 30  # of 200
slow = pytest.mark.slow


def numbered(bounded, whole):
    return [pytest.param(k, marks=[] if k < bounded else slow) for k in range(whole)]


MINE = 'title = "Mine"\nkind = "rehearsal"\nseeds = 2\n'
DATA = 'title = "D"\nkind = "realdata"\nseeds = 1\n[fixed]\n'
CURVE = "step,loss\n" + "".join(f"{k},{2.0**-k}\n" for k in range(1, 40))


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    """Sound files of every kind, which the generators spoil a copy of."""
    place = tmp_path_factory.mktemp("sound")
    (place / "mine.toml").write_text(MINE)
    plan = load_sweep(str(place / "mine.toml"))
    with Store(place / "out") as store:
        for cell in plan.cells():
            result = Result("done", {"loss": 0.5}, {"t": {"a": [1]}})
            store.commit(cell.key, cell.kind, {}, result, 0.0)
        export(store, plan, "quick", plan.cells(), place / "out")
    (place / "curve.csv").write_text(CURVE)
    draw = np.random.default_rng(0)
    np.savez_compressed(
        place / "data.npz", tokens=draw.normal(size=(60, 3, 4)),
        labels=draw.permutation([1, -1] * 30), classes=draw.permutation([0, 1] * 30),
    )  # fmt: skip
    (place / "cifar").mkdir()
    for name in (*(f"data_batch_{k}" for k in range(1, 6)), "test_batch"):
        batch = {"data": draw.integers(0, 256, (20, 3072), dtype=np.uint8), "labels": [0, 1] * 10}
        (place / "cifar" / name).write_bytes(pickle.dumps(batch, 2))
    for label in ("good", "bad"):
        (place / "news" / label).mkdir(parents=True)
        for k in range(30):
            (place / "news" / label / str(k)).write_text(f"{label} words {k} more of them")
    return place


def dry(place, data, path):
    text = DATA + f'data = "{data}"\npath = {json.dumps(str(path))}\n'
    text += 'scheme = "pairs"\nnum_tasks = 1\n' if data == "text" else ""
    (place / "data.toml").write_text(text)
    return sweep, [str(place / "data.toml"), "--dry-run", "--out", str(place / "new")]


def turned(rng, content, first=0):
    spot = rng.randrange(first, len(content))
    return content[:spot] + bytes([content[spot] ^ (1 << rng.randrange(8))]) + content[spot + 1 :]


def bad_pickle(rng, place):
    content = rng.choice([
        b"\x80\x02}r" + rng.randbytes(4) + b".",
        b"\x80\x04\x8d" + (2 ** rng.randrange(33, 60)).to_bytes(8, "little") + b"a.",
        pickle.dumps({"data": [1], "labels": [rng.random()]}, rng.randrange(2, 5)),
        pickle.dumps({"data": np.zeros((2, 3072), np.uint8), "labels": [0, rng.random()]}, 2),
        pickle.dumps([{}] * rng.randrange(9)),
        pickle.dumps(string.Template("x")),
        rng.randbytes(rng.randrange(100)),
        b"(" * 10_000,
        b"]" + b"}" * 10_000,
    ])  # fmt: skip
    (place / "cifar" / "test_batch").write_bytes(content)
    return dry(place, "cifar10", place / "cifar")


def bad_archive(rng, place):
    path = place / "data.npz"
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    name = rng.choice(list(parts))
    held = parts[name]
    way = rng.randrange(6)
    if way == 0:
        path.write_bytes(path.read_bytes()[: rng.randrange(1, path.stat().st_size - 30)])
        return dry(place, "npz", path)
    if way == 1:
        shape = rng.choice([b"(-60, 3, 4)", b"(99999, 99999, 99)", b"(60, 3, 5)", b"((((", b"'a'"])
        start = held.index(b"'shape': ") + 9
        parts[name] = held[:start] + shape + b"," + held[start + len(shape) + 1 :]
    elif way == 2:
        parts[name] = held + bytes(rng.randrange(1, 2**20))
    elif way == 3:
        del parts[name]
    elif way == 4:
        parts[name] = held[: rng.randrange(len(held))]
    else:
        parts[name] = rng.randbytes(8) + held[8:]
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for key, content in parts.items():
            archive.writestr(key, content)
    return dry(place, "npz", path)


def bad_corpus(rng, place):
    file = place / "news" / rng.choice(["good", "bad"]) / str(rng.randrange(30))
    file.unlink()
    way = rng.randrange(3)
    if way == 0:
        file.write_bytes(b"words\0" + rng.randbytes(9))
    elif way == 1:
        file.symlink_to(place / "mine.toml")
    else:
        shutil.rmtree(file.parent)
    return dry(place, "text", place / "news")


def bad_sweep(rng, place):
    text = rng.choice([
        "[" * rng.randrange(1, 5000), "x = " + "[" * 5000, MINE + "seeds = 3\n", '"' * 7, "\0",
        MINE + f"[grid]\n{word(rng)!r} = 1\n", MINE + '[case."\x1b[31m"]\n', "title = 1\n",
        MINE.replace("rehearsal", "no-such-kind"), MINE.replace("2", "9" * 5000),
        MINE + "[fixed]\npath = '/dev/zero'\n", "title = '" + "x" * 1000 + "'\nkind = 5",
    ])  # fmt: skip
    (place / "mine.toml").write_text(text)
    return sweep, [str(place / "mine.toml"), "--dry-run", "--out", str(place / "new")]


def odd_sweep(rng, place):
    (place / "mine.toml").unlink()
    os.mkfifo(place / "mine.toml")
    return sweep, [str(place / "mine.toml"), "--dry-run", "--out", str(place / "new")]


def packed(body):
    return zlib.compress(json.dumps(body).encode())


def bad_rows(rng, place):
    """Checksums are right, content is not."""
    value = rng.choice([[], {}, "\ud800", "\0", [[1]], {"a": {}}])
    name = rng.choice(["../x", "/", "", ".", "=1", "\x1b[1m", "a" * 200])
    change = rng.choice([
        {"payload": rng.randbytes(rng.randrange(40))},
        {"payload": packed(value)},
        {"payload": packed({"metrics": {"x": value}, "tables": {}})},
        {"payload": packed({"metrics": {}, "tables": {name: {"a": [1]}}})},
        {"payload": packed({"metrics": {}, "tables": {"hits": {"a": value}}})
         if value else packed({"metrics": {}, "tables": {"hits": {"": [1]}}})},
        {"payload": zlib.compress(b'{"metrics":' + b"[" * rng.randrange(2000, 99_999))},
        {"versions": rng.choice(["[]", "{", "1", '{"numpy": 1}', "[" * 5000])},
        {"status": rng.choice(["", "fine", "error", "\x1b[1m"])},
    ])  # fmt: skip
    with Store(place / "out") as store:
        keys = list(store.settled())
        row = store._db.read(keys[rng.randrange(2)])
        with store._db.transaction():
            store._db.insert(replace(row, **change))
        store._db.acknowledge()
    names = [str(place / "mine.toml"), "--jobs", "1", "--no-figure", "--progress", "quiet"]
    if rng.random() < 0.5 and "status" not in change:
        return sweep, [*names, "--out", str(place / "out")]
    return sweep, ["--out", str(place / "new"), "--collect", str(place / "out")]


def bad_store(rng, place):
    path = place / "out" / "results.db"
    way = rng.randrange(5)
    if way == 0:
        path.write_bytes(rng.randbytes(rng.randrange(1, 9000)))
    elif way == 1:
        path.write_bytes(path.read_bytes()[: rng.randrange(100, path.stat().st_size // 2)])
    elif way == 2:
        path.unlink()
        os.mkfifo(path)
    else:
        text = rng.choice([
            "CREATE VIEW v AS SELECT 1", "CREATE INDEX i ON runs (length(key))",
            "CREATE TRIGGER t AFTER INSERT ON runs BEGIN DELETE FROM runs; END",
        ])  # fmt: skip
        with closing(sqlite3.connect(path)) as db:
            db.execute(text)
            db.commit()
    if rng.random() < 0.5:
        return sweep, ["--out", str(place / "new"), "--collect", str(place / "out")]
    return sweep, ["--status", "--out", str(place / "out")]


def bad_table(rng, place):
    path = place / "out" / "mine.json"
    meta = json.loads(path.read_text())
    way = rng.randrange(6)
    if way == 0:
        path.write_text("[" * rng.randrange(2000, 99_999))
    elif way == 1:
        path.write_bytes(turned(rng, b"[]"))
    elif way == 2:
        del meta[rng.choice(["types", "schema", "digests", "tables"])]
    elif way == 3:
        meta["tables"] = [rng.choice(["../t", "/etc/passwd", "", "\x1b[1m", 5, None, ["t"]])]
    elif way == 4:
        meta["types"] = rng.choice([[], {}, {"": []}, {"": {"loss": "made"}, "t": {}}, "\x1b[1m"])
    else:
        csv = place / "out" / "mine.t.csv"
        csv.write_bytes(turned(rng, csv.read_bytes()))
    if way in (2, 3, 4):
        path.write_text(json.dumps(meta))
    out = str(place / "out")
    if rng.random() < 0.5:
        return compare, [out, out]
    return table, ["mine", "--columns", "loss", "--out", out]


def bad_curve(rng, place):
    path = place / rng.choice(["curve.csv", "c.jsonl", "c.gz", "events.tfevents.1", "c.parquet"])
    path.write_bytes(rng.choice([
        b"", b"\n" * 99, b"step,loss\n", b"step,loss\n1,\x1b[31m\n2,1\n", b"step,step\n1,1\n",
        b"step,loss\n1,2,3\n", b"[" * 10_000, b'{"a":' * 10_000, b"{}", b"[1, 2]", b'"x"',
        b"PAR1" + rng.randbytes(50), gzip.compress(CURVE.encode())[:-9], b"\x1f\x8b" + bytes(9),
        gzip.compress(bytes(10**6)), b"\x80\x04.", b"PK\3\4", b"step,loss\n" + b'"' * 999,
        b"step,loss\n3,1\n2,1\n1,1\n", b"step,loss\n1,1\r2,2\r\n3,\0\n", b"\xff\xfe1\0",
    ]))  # fmt: skip
    return rates, [str(path)]


KINDS = [
    bad_pickle, bad_archive, bad_corpus, bad_sweep, bad_rows, bad_store, bad_table, bad_curve,
    bad_pickle, bad_archive, bad_rows, bad_table, bad_curve, bad_store, odd_sweep,
]  # fmt: skip


@pytest.fixture(autouse=True)
def no_shipped_sweeps(monkeypatch):
    """Planning them all, for `--status`, takes ten seconds; nothing of a stranger is in it."""
    monkeypatch.setattr("motsim.running.status.sweep_names", list)


@pytest.mark.parametrize("number", numbered(FILES, 200))
def test_a_strangers_file_is_one_line(sound, tmp_path, number, capsys):
    rng = random.Random(f"{SEED} file {number}")
    place = tmp_path / "theirs"
    shutil.copytree(sound, place)
    main, words = KINDS[number % len(KINDS)](rng, place)
    capsys.readouterr()
    told = refusal(main, words, capsys, quiet=False)
    assert not CONTROL.search(told.removesuffix("\n")), told


@pytest.mark.parametrize("data", ["cifar10", "npz", "text", "sweep", "store", "table", "curve"])
def test_control_sound_files_pass(sound, tmp_path, data):
    place = tmp_path / "theirs"
    shutil.copytree(sound, place)
    out = str(place / "out")
    paths = {"cifar10": "cifar", "npz": "data.npz", "text": "news"}
    if data in paths:
        main, words = dry(place, data, place / paths[data])
    else:
        main, words = {
            "sweep": (sweep, [str(place / "mine.toml"), "--dry-run"]),
            "store": (sweep, ["--out", str(place / "new"), "--collect", out]),
            "table": (table, ["mine", "--columns", "loss", "--out", out]),
            "curve": (rates, [str(place / "curve.csv")]),
        }[data]
    assert main(words) == 0
