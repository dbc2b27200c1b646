"""Tables as Parquet: the same numbers and types, whole files only."""

import sys

import pandas as pd
import pytest

from motsim.commands.table import main
from motsim.results.tables import load_tables
from motsim.sweep import main as sweep_main

SWEEP = """
title = "two cases"
kind = "mixture"
seeds = 2
[fixed]
preset = "single"
converge_steps = 3
[case.1e3]
[case.02]
num_tokens = 4
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("parquet")
    (place / "mine.toml").write_text(SWEEP)
    words = ["--jobs", "1", "--out", str(place / "out"), "--progress", "quiet", "--no-figure"]
    assert sweep_main([str(place / "mine.toml"), *words]) == 0
    return place / "out"


def test_parquet_holds_what_the_tables_hold(folder, capsys):
    pytest.importorskip("pyarrow")
    assert main(["mine", "--parquet", "--out", str(folder)]) == 0
    said = capsys.readouterr().out.split()
    tables = load_tables("mine", folder)
    names = {"mine": tables.main, **{f"mine.{name}": t for name, t in tables.others.items()}}
    assert said == [str(folder / f"{name}.parquet") for name in names]
    assert len(names) > 1
    for name, frame in names.items():
        again = pd.read_parquet(folder / f"{name}.parquet")
        pd.testing.assert_frame_equal(again, frame, check_exact=True)
    assert set(again["case"]) == {"1e3", "02"}  # names, no numbers
    assert not list(folder.glob(".*.part"))
    # control: pandas' guess of the CSV has other types
    guessed = pd.read_csv(folder / "mine.csv")
    assert [str(t) for t in guessed.dtypes] != [str(t) for t in tables.main.dtypes]


def test_an_export_takes_away_what_is_stale_and_says_so(tmp_path, capsys):
    pytest.importorskip("pyarrow")
    (tmp_path / "mine.toml").write_text(SWEEP)
    out = tmp_path / "out"
    call = [str(tmp_path / "mine.toml"), "--jobs", "1", "--out", str(out), "--no-figure"]
    assert sweep_main(call) == 0
    assert main(["mine", "--parquet", "--out", str(out)]) == 0
    (out / "other.parquet").write_bytes(b"of somebody else")
    capsys.readouterr()

    assert sweep_main(call) == 0  # control: the same tables again, so they are not stale
    assert "parquet" not in capsys.readouterr().err
    held = {path.name: path.read_bytes() for path in out.glob("*.parquet")}
    assert set(held) == {"mine.parquet", "mine.curve.parquet", "other.parquet"}

    (tmp_path / "mine.toml").write_text(SWEEP.replace("seeds = 2", "seeds = 3"))
    assert sweep_main(call) == 0
    assert [path.name for path in out.glob("*.parquet")] == ["other.parquet"]
    told = [line for line in capsys.readouterr().err.splitlines() if "parquet" in line]
    again = f"motsim table mine --parquet --out {out}"
    assert told == [
        "removed mine.parquet, mine.curve.parquet, which held the tables of before;"
        f" write anew with: {again}"
    ]
    assert main(again.split()[2:]) == 0
    assert set(pd.read_parquet(out / "mine.parquet")["seed"]) == {0, 1, 2}


def test_what_is_not_known_to_be_ours_stays(tmp_path):
    """Without a description nobody says whose a file is."""
    (tmp_path / "mine.toml").write_text(SWEEP)
    out = tmp_path / "out"
    out.mkdir()
    (out / "mine.parquet").write_bytes(b"mine alone")
    call = [str(tmp_path / "mine.toml"), "--jobs", "1", "--out", str(out), "--no-figure"]
    assert sweep_main(call) == 0
    assert (out / "mine.parquet").read_bytes() == b"mine alone"
    (out / "mine.json").write_text("damaged")  # control: with one, though nobody can read it
    assert sweep_main(call) == 0
    assert not (out / "mine.parquet").exists()


def test_a_write_that_fails_leaves_what_was_there(folder, capsys, monkeypatch):
    pytest.importorskip("pyarrow")
    assert main(["mine", "--parquet", "--out", str(folder)]) == 0
    before = (folder / "mine.parquet").read_bytes()

    def half(self, path, **options):
        path.write_bytes(b"PAR1")
        raise OSError("no room")

    monkeypatch.setattr(pd.DataFrame, "to_parquet", half)
    assert main(["mine", "--parquet", "--out", str(folder)]) == 2
    assert capsys.readouterr().err == "motsim table: no room\n"
    assert (folder / "mine.parquet").read_bytes() == before
    assert not list(folder.glob(".*.part"))


def test_without_pyarrow_it_says_what_to_install(folder, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    assert main(["mine", "--parquet", "--out", str(folder)]) == 2
    assert "formats" in capsys.readouterr().err


def test_numbers_that_parquet_has_not_and_two_forms_are_one_line(folder, capsys, monkeypatch):
    pytest.importorskip("pyarrow")

    def too_large(self, path, **options):
        raise OverflowError("Python int too large to convert to C long")

    monkeypatch.setattr(pd.DataFrame, "to_parquet", too_large)
    assert main(["mine", "--parquet", "--out", str(folder)]) == 2
    assert capsys.readouterr().err.startswith("motsim table: Python int too large")
    with pytest.raises(SystemExit) as stopped:
        main(["mine", "--parquet", "--latex", "--out", str(folder)])
    assert stopped.value.code == 2
    assert "give one of them" in capsys.readouterr().err
