"""Large tables are packed, read back the same, and stand beside no stale form of themselves."""

import gzip
import io

import numpy as np
import pandas as pd
import pytest

import motsim.results.export
import motsim.results.tables
from motsim.commands.compare import main as compare
from motsim.commands.table import main as table_command
from motsim.experiments.result import Result
from motsim.plans.loading import load_sweep
from motsim.results.export import export
from motsim.results.leftovers import description_before, leftovers
from motsim.results.store import Store
from motsim.results.tables import TablesError, load_tables, stored_names

ROWS = 40


@pytest.fixture
def sweep(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text('title = "Two runs"\nseeds = 2\n[fixed]\nnum_classes = 2\n')
    return load_sweep(str(path))


def result_of(place, tables=("t", "u")):
    values = np.random.default_rng(place).normal(size=ROWS).tolist()
    columns = {"step": list(range(ROWS)), "value": values}
    return Result("done", {"x": place / 3}, dict.fromkeys(tables, columns))


def fill(folder, sweep, results=result_of, tell=lambda line: None):
    cells = sweep.cells()
    with Store(folder) as store:
        for place, cell in enumerate(cells):
            store.commit(cell.key, cell.kind, {}, results(place), 0.0)
        return export(store, sweep, "quick", cells, folder, tell)


def names(folder):
    hidden = (".", "results.db")
    return sorted(path.name for path in folder.iterdir() if not path.name.startswith(hidden))


def packing(monkeypatch, fields):
    monkeypatch.setattr(motsim.results.export, "PLAIN_FIELDS", fields)


def test_a_packed_table_holds_the_same_text(tmp_path, sweep, monkeypatch):
    plain, packed = tmp_path / "plain", tmp_path / "packed"
    before = fill(plain, sweep)
    assert names(plain) == ["mine.csv", "mine.json", "mine.t.csv", "mine.u.csv"]
    packing(monkeypatch, 3 * 2 * ROWS - 1)  # seed, step and value of two runs: one field too many
    after = fill(packed, sweep)
    assert names(packed) == ["mine.csv", "mine.json", "mine.t.csv.gz", "mine.u.csv.gz"]
    assert after.meta["packed"] == ["t", "u"]
    for name, frame in before.others.items():
        text = gzip.decompress((packed / f"mine.{name}.csv.gz").read_bytes())
        assert text == (plain / f"mine.{name}.csv").read_bytes()
        pd.testing.assert_frame_equal(after.others[name], frame, check_exact=True)
    assert after.meta["digests"] == before.meta["digests"]  # of the text: whatever zlib packs
    again = (packed / "mine.t.csv.gz").read_bytes()
    fill(packed, sweep)
    assert (packed / "mine.t.csv.gz").read_bytes() == again  # no time in it
    packing(monkeypatch, 3 * 2 * ROWS)  # control: at the limit it is plain
    fill(packed, sweep)
    assert names(packed) == names(plain)


def test_a_packed_main_table_is_found_by_every_command(tmp_path, sweep, monkeypatch, capsys):
    packing(monkeypatch, 0)
    out = tmp_path / "out"
    fill(out, sweep)
    assert names(out) == ["mine.csv.gz", "mine.json", "mine.t.csv.gz", "mine.u.csv.gz"]
    (out / "other.json").write_text("{}")  # control: a description without tables
    assert stored_names(out) == ["mine"]
    for name in ("mine", "mine.csv", "mine.csv.gz"):
        assert table_command([name, "--columns", "x", "--out", str(out)]) == 0
    assert compare([str(out), str(out)]) == 0
    assert compare([str(out / "mine.csv.gz"), str(out / "mine.csv")]) == 0
    assert table_command(["other", "--columns", "x", "--out", str(out)]) == 2


DAMAGES = {
    "cut off": lambda content: content[:-9],
    "a bit": lambda content: content[:60] + bytes([content[60] ^ 4]) + content[61:],
    "no gzip": lambda content: b"seed,x\n0,1\n",
    "empty": lambda content: b"",
    "another text": lambda content: gzip.compress(b"seed,step,value\n0,0,0\n"),
    "a bomb": lambda content: gzip.compress(bytes(10**6)),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_packed_table_that_is_damaged_is_one_line(tmp_path, sweep, monkeypatch, damage):
    packing(monkeypatch, 0)
    monkeypatch.setattr(motsim.results.tables, "PATIENCE", 0.05)
    monkeypatch.setattr(motsim.results.tables, "UNPACKED", 10**5)
    fill(tmp_path / "out", sweep)
    load_tables("mine", tmp_path / "out")  # control: sound before
    place = tmp_path / "out" / "mine.t.csv.gz"
    place.write_bytes(DAMAGES[damage](place.read_bytes()))
    with pytest.raises(TablesError, match=r"rebuild.*motsim\.sweep mine") as caught:
        load_tables("mine", tmp_path / "out")
    assert "\n" not in str(caught.value)
    assert ("unpacks to more" in str(caught.value)) == (damage == "a bomb")


def test_no_other_form_and_no_table_of_before_stays(tmp_path, sweep, monkeypatch):
    out = tmp_path / "out"
    fill(out, sweep)
    for name in ("mine.v.csv", "mine2.csv", "mine.notes.txt"):  # not of these tables
        (out / name).write_text("kept")
    (out / "mine.u.json").write_text("{}")  # "mine.u" is a sweep, too, as far as one sees
    kept = {"mine.v.csv", "mine2.csv", "mine.notes.txt", "mine.u.json"}
    packing(monkeypatch, 0)
    fill(out, sweep, lambda place: result_of(place, ("u",)))
    assert set(names(out)) - kept == {"mine.csv.gz", "mine.json", "mine.u.csv", "mine.u.csv.gz"}
    assert kept <= set(names(out))
    (out / "mine.u.json").unlink()
    fill(out, sweep, lambda place: result_of(place, ("u",)))  # control: without that sweep
    assert "mine.u.csv" not in names(out)


def test_an_export_that_fails_removes_nothing(tmp_path, sweep, monkeypatch):
    out = tmp_path / "out"
    fill(out, sweep)
    before = {name: (out / name).read_bytes() for name in names(out)}
    packing(monkeypatch, 0)

    def full(self, content):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(motsim.results.files.TableFile, "write_bytes", full)
        with pytest.raises(OSError, match="No space left"):
            fill(out, sweep)
    assert {name: (out / name).read_bytes() for name in names(out)} == before
    fill(out, sweep)  # control: with room
    assert "mine.csv" not in names(out)


def test_a_description_that_leads_elsewhere_names_nothing_to_remove(tmp_path):
    (tmp_path / "away.csv").write_text("kept")
    folder = tmp_path / "out"
    folder.mkdir()
    after = {"tables": [], "packed": [], "digests": {"": "1"}, "types": {}}
    for content, known in (
        ('{"tables": ["../../away"]}', {}), ("[", {}), ("[]", {}), (None, None),
        ('{"tables": ["t"]}', {"tables": ["t"]}),
    ):  # fmt: skip
        (folder / "mine.json").unlink(missing_ok=True)
        if content is not None:
            (folder / "mine.json").write_text(content)
        assert description_before(folder, "mine") == known
        (folder / "mine.t.csv").write_text("")
        found = leftovers(folder, "mine", known, after)
        assert [path.name for path in found] == ["mine.t.csv"] * bool(known)  # the last: control


def test_pandas_reads_a_packed_table_by_its_name(tmp_path, sweep, monkeypatch):
    packing(monkeypatch, 0)
    tables = fill(tmp_path / "out", sweep)
    place = tmp_path / "out" / "mine.t.csv.gz"
    frame = pd.read_csv(place)
    pd.testing.assert_frame_equal(frame, tables.others["t"], check_exact=True)
    with pytest.raises(UnicodeDecodeError):  # control: it is no text
        pd.read_csv(io.BytesIO(place.read_bytes()))
