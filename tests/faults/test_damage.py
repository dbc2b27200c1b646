"""Damaged files: everything is given back right, or one line names the file and the way out."""

import contextlib
import shutil
import zlib
from collections import Counter

import pytest

from motsim.experiments.result import Result
from motsim.repair import main as repair_command
from motsim.results.database import Database
from motsim.results.row import Row
from motsim.results.safeguards import Tally
from motsim.results.store import Store, StoreError, run_key
from tests.faults.harness import choices, sound

RUNS = 60
MODULE = "motsim.experiments.rehearsal.run"  # of any kind: it is part of each key
FILES = ("results.db", "results.db-wal", "results.db-tally")
#: What reading a file whose checksums are not looked at may raise besides.
LOOSE = (StoreError, zlib.error, ValueError, TypeError, AttributeError, KeyError)


def result_of(number):
    rows = [number * 0.1 + place / 7 for place in range(20 + 13 * (number % 30))]
    status = ("done", "reached", "max_steps", "error")[number % 4]
    why = {"error": "it failed"} if status == "error" else {}  # a run that failed says why
    return Result(status, {"x": number / 3, "n": number, **why}, {"hits": {"step": rows}})


def keys():
    return [run_key("trial", {"seed": number}, MODULE) for number in range(RUNS)]


def fill(folder, names=FILES):
    """Two stores of the same runs: one closed, one as a killed process leaves it (with its log)."""
    for closed in (True, False):
        place = folder / ("closed" if closed else "open")
        live = Store(folder / "live")
        for number, key in enumerate(keys()):
            live.commit(key, "trial", {"seed": number}, result_of(number), number / 8)
        if closed:
            live._db.close()
        place.mkdir()
        for name in names:
            with contextlib.suppress(FileNotFoundError):
                shutil.copy(folder / "live" / name, place / name)
        live._db.close()
        shutil.rmtree(folder / "live")
    return [folder / "closed", folder / "open"]


def everything(folder):
    """All that a store gives back, comparable."""
    with Store(folder) as store:
        settled = store.settled()
        runs = list(store.read(keys()))
    found = {
        run.key: (run.status, run.seconds, run.result.metrics, run.result.tables) for run in runs
    }
    return settled, found


@pytest.fixture(scope="module")
def stores(tmp_path_factory):
    """(folders, what they hold)."""
    folders = fill(tmp_path_factory.mktemp("stores"))
    assert not (folders[0] / "results.db-wal").exists()
    assert (folders[1] / "results.db-wal").stat().st_size > 10_000
    copies = [shutil.copytree(folder, folder.with_name("copy")) for folder in folders[:1]]
    truth = everything(copies[0])
    assert len(truth[0]) == len(truth[1]) == RUNS
    return folders, truth


def outcome(folder, truth):
    """`whole`, `refused` (with the right line), or `wrong`."""
    try:
        found = everything(folder)
    except StoreError as error:
        line = str(error)
        ways_out = ("python -m motsim.repair", "the motsim that wrote it")
        named = str(folder / "results.db") in line and "\n" not in line
        return "refused" if named and any(way in line for way in ways_out) else "wrong"
    return "whole" if found == truth else "wrong"


def repaired(folder, truth, capsys):
    """Runs that the repair command saved: all right, and none twice."""
    assert repair_command([str(folder)]) == 0
    assert "runs saved; the damaged file is kept as" in capsys.readouterr().out
    settled, found = everything(folder)
    assert found.items() <= truth[1].items() or found == {}
    assert settled == {key: truth[0][key] for key in settled}
    assert sound(folder / "results.db")
    assert list(folder.glob("results.damaged-*.db"))
    return len(found)


def damaged(stores, tmp_path, spoil, times, rng):
    """Yield copies of the stores, each with one of its files spoilt."""
    folders, _ = stores
    places = [(folders[0], "results.db"), (folders[1], "results.db-wal"), (folders[1], FILES[0])]
    for number in range(times):
        folder, name = places[number % (3 if number % 2 else 2)]
        copy = shutil.copytree(folder, tmp_path / f"copy{number}")
        spoil(copy / name, rng)
        yield copy
        shutil.rmtree(copy)


def cut(path, rng):
    path.write_bytes(path.read_bytes()[: rng.randrange(path.stat().st_size)])


def flip(path, rng):
    content = bytearray(path.read_bytes())
    content[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
    path.write_bytes(content)


def many(stores, tmp_path, spoil, times, name, capsys, few):
    """Spoil copies; return the outcomes, counted, and what repair saved of some refused ones."""
    count = Counter(whole=0, refused=0, wrong=0)
    saved = []
    for copy in damaged(stores, tmp_path, spoil, times, choices(f"{name} {times}")):
        found = outcome(copy, stores[1])
        count[found] += 1
        if found == "refused" and len(saved) < few:
            saved.append(repaired(copy, stores[1], capsys))
    return count, f"repair saved {sum(saved)} of {len(saved) * RUNS} runs"


@pytest.mark.parametrize("times", [50, pytest.param(500, marks=pytest.mark.slow)])
def test_f15_store_or_its_log_cut(stores, tmp_path, times, record, capsys):
    count, saved = many(stores, tmp_path, cut, times, "F15", capsys, few=times // 10)
    assert count["wrong"] == 0, count
    assert count["refused"] > times // 2
    record(
        "F15",
        f"cut at {times} places: {count['whole']} whole, {count['refused']} refused, 0 with fewer"
        f" or other runs; {saved}",
    )


def test_f15_control_without_ledger_and_tally_runs_go_missing(
    stores, tmp_path, monkeypatch, record
):
    monkeypatch.setattr(Tally, "commits", lambda self: 0)
    found = [
        outcome(copy, stores[1]) for copy in damaged(stores, tmp_path, cut, 50, choices("F15 0"))
    ]
    assert "wrong" in found
    record("F15", f"control, no tally: {found.count('wrong')} of 50 with fewer runs in silence")


def test_f15_empty_file_is_not_a_new_store(stores, tmp_path):
    folders, truth = stores
    copy = shutil.copytree(folders[0], tmp_path / "copy")
    (copy / "results.db").write_bytes(b"")
    assert outcome(copy, truth) == "refused"
    (copy / "results.db-tally").unlink()  # control: nothing says that there was anything
    assert everything(copy) == ({}, {})


@pytest.mark.parametrize("step", [29, pytest.param(1, marks=pytest.mark.slow)])
def test_f16_any_bit_of_the_schema(stores, tmp_path, step, record):
    """The first page says what the tables are: names, columns, and what computes in them."""
    folders, truth = stores
    content = (folders[0] / "results.db").read_bytes()
    page = int.from_bytes(content[16:18], "big")
    start = content[:page].index(b"CREATE TABLE") - 400  # header, list of cells; zeros between
    bits = [bit for at in (*range(200), *range(start, page)) for bit in range(8 * at, 8 * at + 8)]
    count = Counter(whole=0, refused=0, wrong=0)
    for bit in bits[::step]:
        copy = shutil.copytree(folders[0], tmp_path / f"bit{bit}")
        spoilt = bytearray(content)
        spoilt[bit // 8] ^= 1 << bit % 8
        (copy / "results.db").write_bytes(spoilt)
        count[outcome(copy, truth)] += 1
        shutil.rmtree(copy)
    assert count["wrong"] == 0, count
    assert count["refused"] > len(bits) // step // 3
    record(
        "F16",
        f"{len(bits[::step])} bits of the schema, one at a time: {count['refused']} refused,"
        " 0 wrong",
    )


@pytest.mark.parametrize("times", [200, pytest.param(2000, marks=pytest.mark.slow)])
def test_f16_one_bit_flipped(stores, tmp_path, times, record, capsys):
    count, saved = many(stores, tmp_path, flip, times, "F16", capsys, few=times // 50)
    assert count["wrong"] == 0, count
    assert count["refused"] > times // 3
    record(
        "F16",
        f"{times} single bits flipped: {count['whole']} whole, {count['refused']} refused, 0 wrong"
        f" values; {saved}",
    )


@pytest.mark.parametrize(
    ("old", "new"), [(b"PRIMARY KEY", b"PRIMARY K\xc5Y"), (b"payload BLOB", b'"ayload BLOB')]
)
def test_f16_damaged_schema_text_is_one_line(stores, tmp_path, old, new):
    """Found by the long form: SQLite's message quotes the text, with its line ends and all."""
    copy = shutil.copytree(stores[0][0], tmp_path / "copy")
    content = (copy / "results.db").read_bytes()
    assert old in content
    (copy / "results.db").write_bytes(content.replace(old, new))
    assert outcome(copy, stores[1]) == "refused"


def test_f16_control_without_checksums_values_are_wrong(stores, tmp_path, monkeypatch, record):
    def row_of(self, key):
        """Database.read without its comparison."""
        found = self.rows(
            "SELECT key, status, kind, settings, seconds, versions, payload"
            " FROM runs LEFT JOIN details USING (key) WHERE key = ?", (key,)
        )  # fmt: skip
        return Row(*found[0]) if found else None

    def statuses(self):
        return dict(self.rows("SELECT key, status FROM runs"))

    monkeypatch.setattr(Database, "read", row_of)
    monkeypatch.setattr(Database, "statuses", statuses)
    wrong = 0
    for copy in damaged(stores, tmp_path, flip, 200, choices("F16 200")):
        with contextlib.suppress(*LOOSE):
            wrong += everything(copy) != stores[1]
    assert wrong > 0
    record("F16", f"control, no checksums: {wrong} of 200 wrong in silence")


def test_repair_of_nothing_is_one_line(tmp_path, capsys):
    assert repair_command([str(tmp_path)]) == 2
    assert "no such file; nothing to repair" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_repair_of_a_sound_store_loses_nothing(stores, tmp_path, capsys):
    for number, folder in enumerate(stores[0]):
        copy = shutil.copytree(folder, tmp_path / str(number))
        assert repaired(copy, stores[1], capsys) == RUNS
