"""Tables: what is exported is what was stored, byte for byte, and reads back the same."""

import itertools
import json
import math
from dataclasses import dataclass, replace
from urllib.parse import quote

import numpy as np
import pandas as pd
import pytest

import motsim.results.tables
from motsim.experiments.result import Result
from motsim.plans.loading import load_sweep
from motsim.results.export import export
from motsim.results.ownership import myself
from motsim.results.store import SCHEMA, Store
from motsim.results.tables import Tables, TablesError, load_tables

TEXT = """
title = "Two cases"
seeds = 2
[fixed]
num_classes = 2
dim = 6
[case.a]
[case.b]
[case.b.grid]
num_experts = [2, 3]
"""


@pytest.fixture
def sweep(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(TEXT)
    return load_sweep(str(path))


def result_of(place):
    loss = [1 / 3, math.nan, math.inf, 1e-300, -0.0, 5e-324][place]
    status = ["reached", "diverged", "diverged", "max_steps", "reached", "reached"][place]
    return Result(
        status,
        {"final_loss": loss, "num_steps": place, "traceback": "not for the table"},
        {
            "hits": {"epsilon": [0.1, 1e-5 / 3], "step": [10 * place, -1]},
            "curve": {"step": [0, place + 1], "loss": [0.5, loss], "stage": ["one", "two"]},
        },
    )


def fill(folder, sweep, order=None, results=result_of):
    cells = sweep.cells()
    folder.mkdir(exist_ok=True)
    with Store(folder) as store:
        for place in order if order is not None else range(len(cells)):
            cell = cells[place]
            store.commit(cell.key, cell.kind, cell.settings.model_dump(), results(place), place)
        return export(store, sweep, "quick", cells, folder)


def files(folder):
    return {p.name: p.read_bytes() for p in folder.iterdir() if not p.name.startswith("results.db")}


def test_main_table_has_one_row_a_run_and_epsilon(tmp_path, sweep):
    tables = fill(tmp_path / "out", sweep)
    main = tables.main
    assert list(main) == [
        "case", "seed", "num_experts", "run", "status", "final_loss", "num_steps", "epsilon",
        "step",
    ]  # fmt: skip
    assert main["case"].tolist() == ["a"] * 4 + ["b"] * 8
    assert main["num_experts"].fillna(0).tolist() == [0] * 4 + [2] * 4 + [3] * 4
    assert main["step"].tolist() == [0, -1, 10, -1, 20, -1, 30, -1, 40, -1, 50, -1]
    assert main["run"].nunique() == len(tables.runs) == 6
    assert "epsilon" not in tables.runs
    assert tables.labels == ["case", "seed", "num_experts"]
    assert tables.meta["runs"] == tables.meta["planned"] == 6
    curve = tables.others["curve"]
    assert list(curve) == ["case", "seed", "num_experts", "step", "loss", "stage"]
    assert curve["step"].tolist() == [0, 1, 0, 2, 0, 3, 0, 4, 0, 5, 0, 6]


def assert_same(one: Tables, other: Tables):
    assert (one.name, one.meta) == (other.name, other.meta)
    pd.testing.assert_frame_equal(one.main, other.main, check_exact=True)
    assert one.others.keys() == other.others.keys()
    for name in one.others:
        pd.testing.assert_frame_equal(one.others[name], other.others[name], check_exact=True)


def test_tables_read_back_exactly(tmp_path, sweep):
    written = fill(tmp_path / "out", sweep)
    read = load_tables("mine", tmp_path / "out")
    assert_same(read, written)
    bits = read.main["final_loss"].to_numpy()[::2]
    want = np.array([result_of(i).metrics["final_loss"] for i in range(6)])
    np.testing.assert_array_equal(bits, want)
    assert np.signbit(bits[4])


def test_same_runs_give_the_same_bytes_in_any_order(tmp_path, sweep):
    want = None
    for i, order in enumerate(itertools.islice(itertools.permutations(range(6)), 0, 720, 90)):
        folder = tmp_path / f"out{i}"
        fill(folder, sweep, order)
        want = want or files(folder)
        assert files(folder) == want
    assert set(want) == {"mine.csv", "mine.curve.csv", "mine.json"}
    # Negative control: one other number, other bytes.
    fill(tmp_path / "x", sweep, results=lambda i: result_of((i + 1) % 6))
    assert files(tmp_path / "x")["mine.csv"] != want["mine.csv"]


def test_an_export_again_changes_nothing(tmp_path, sweep):
    fill(tmp_path / "out", sweep)
    before = files(tmp_path / "out")
    with Store(tmp_path / "out") as store:
        export(store, sweep, "quick", sweep.cells(), tmp_path / "out")
    assert files(tmp_path / "out") == before  # also: no temporary file is left


def test_missing_runs_are_left_out_and_counted(tmp_path, sweep):
    tables = fill(tmp_path / "out", sweep, order=[3, 0])
    assert tables.main["num_steps"].tolist() == [0, 0, 3, 3]
    assert (tables.meta["runs"], tables.meta["planned"]) == (2, 6)


def test_failed_runs_have_a_row_without_epsilon(tmp_path, sweep):
    def results(place):
        return Result("error", {"error": "ValueError: no"}) if place == 1 else result_of(place)

    tables = fill(tmp_path / "out", sweep, results=results)
    assert tables.runs["status"].tolist().count("error") == 1
    row = tables.main[tables.main["status"] == "error"].iloc[0]
    assert row["error"] == "ValueError: no"
    assert np.isnan(row["epsilon"])
    assert_same(load_tables("mine", tmp_path / "out"), tables)


def test_runs_without_hits_have_one_row(tmp_path, sweep):
    tables = fill(tmp_path / "out", sweep, results=lambda i: Result("done", {"x": i}))
    assert tables.main["x"].tolist() == list(range(6))
    assert_same(load_tables("mine", tmp_path / "out"), tables)


# --- reading --------------------------------------------------------------------------------------


@dataclass
class Damage:
    """What is done to a file, and what the message must hold."""

    name: str
    content: bytes | None
    words: str


def edited(**changes):
    whole = {"schema": SCHEMA, "tables": [], "labels": [], "joined": [], "types": {"": {}}}
    return json.dumps(whole | changes)


DAMAGES = [
    Damage("mine.json", None, "is missing; make it with"),
    Damage("mine.csv", None, "cannot be read"),
    Damage("mine.csv", b"", "are not of one export"),
    Damage("mine.curve.csv", b"case,seed\na,1\n", "are not of one export"),
    Damage("mine.curve.csv", None, "cannot be read"),
    Damage("mine.json", b"{", "cannot be read"),
    Damage("mine.json", b"[]", "cannot be read"),
    Damage("mine.json", b"\xff", "cannot be read"),
    Damage("mine.json", edited(schema=SCHEMA + 1).encode(), f"has schema {SCHEMA + 1}"),
    Damage("mine.json", edited(tables=["other"]).encode(), "cannot be read"),
    Damage("mine.json", b'{"schema": %d, "tables": []}' % SCHEMA, "holds no types of columns"),
]


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda d: f"{d.name} {d.content}"[:40])
def test_unreadable_tables_name_the_command(tmp_path, sweep, damage):
    folder = tmp_path / "out"
    fill(folder, sweep)
    load_tables("mine", folder)  # negative control: sound before
    if damage.content is None:
        (folder / damage.name).unlink()
    else:
        (folder / damage.name).write_bytes(damage.content)
    with pytest.raises(TablesError) as caught:
        load_tables("mine", folder)
    message = str(caught.value)
    assert damage.words in message
    assert f"python -m motsim.sweep mine --out {folder}" in message
    assert "\n" not in message


# --- what a label may be --------------------------------------------------------------------------


def test_words_that_look_like_nothing_stay_words(tmp_path):
    path = tmp_path / "words.toml"
    words = ["None", "NA", "nan", "null"]
    cases = [f"[case.{word}]\nnum_experts = {i + 2}" for i, word in enumerate(words)]
    path.write_text("\n".join(['title = "Words"', "seeds = 1", *cases]))
    tables = fill(tmp_path / "out", load_sweep(str(path)))
    assert tables.main["case"].unique().tolist() == words
    assert tables.others["curve"]["case"].unique().tolist() == words
    assert np.isnan(tables.main["final_loss"][2])  # negative control: a number that is missing


def test_an_axis_named_like_a_column_of_another_table(tmp_path):
    path = tmp_path / "axis.toml"
    path.write_text('title = "Axis"\nseeds = 1\n[grid]\nloss = ["squared", "logistic"]\n')
    tables = fill(tmp_path / "out", load_sweep(str(path)))
    assert tables.labels == ["loss", "seed"]
    curve = tables.others["curve"]
    assert list(curve) == ["loss_setting", "seed", "step", "loss", "stage"]
    assert curve["loss_setting"].tolist() == ["squared"] * 2 + ["logistic"] * 2
    assert curve["loss"][0] == 0.5


def test_meta_holds_the_settings_that_all_runs_share(tmp_path, sweep):
    settings = fill(tmp_path / "out", sweep).meta["settings"]
    assert (settings["dim"], settings["num_classes"], settings["loss"]) == (6, 2, "squared")
    assert not {"seed", "num_experts"} & set(settings)


def test_moved_seeds_have_tables_beside_the_others(tmp_path, sweep):
    """What is there stays byte for byte, and its description says nothing of where seeds start."""
    out = tmp_path / "out"
    fill(out, sweep)
    before = files(out)
    assert "seed_start" not in json.loads(before["mine.json"])
    moved = fill(out, load_sweep(str(sweep.path), 1000))
    after = files(out)
    assert {name: after[name] for name in before} == before
    name = "mine@seed_start=1000"
    assert set(after) - set(before) == {f"{name}.csv", f"{name}.curve.csv", f"{name}.json"}
    assert (moved.name, moved.meta["sweep"], moved.meta["seed_start"]) == (name, "mine", 1000)
    assert set(moved.main["seed"]) == {1000, 1001}
    assert_same(load_tables(name, out), moved)
    (out / f"{name}.json").unlink()
    with pytest.raises(TablesError, match=r"motsim\.sweep mine --seed-start 1000 --out"):
        load_tables(name, out)


# --- exports that are cut short -------------------------------------------------------------------


def test_tables_of_two_exports_are_not_combined(tmp_path, sweep, monkeypatch):
    monkeypatch.setattr(motsim.results.tables, "PATIENCE", 0.05)
    folder = tmp_path / "out"
    fill(folder, sweep)
    old = files(folder)
    fill(folder, sweep, results=lambda i: result_of((i + 1) % 6))
    for name in ("mine.csv", "mine.curve.csv", "mine.json"):
        new = (folder / name).read_bytes()
        (folder / name).write_bytes(old[name])
        with pytest.raises(TablesError, match="not of one export"):
            load_tables("mine", folder)
        (folder / name).write_bytes(new)
    load_tables("mine", folder)  # negative control: of one export


def test_what_a_killed_export_left_is_cleaned_by_the_next_one(tmp_path, sweep):
    folder = tmp_path / "out"
    fill(folder, sweep)
    before = files(folder)
    ours = quote(str(replace(myself(), host="")), safe="")
    dead = quote(str(replace(myself(), process="1:1")), safe="")
    (folder / f".mine.csv.part-{dead}").write_text("half")
    (folder / f".mine.json.part-{ours}").write_text("under way")
    with Store(folder) as store:
        export(store, sweep, "quick", sweep.cells()[:1], folder)
        export(store, sweep, "quick", sweep.cells(), folder)
    assert files(folder) == before


def test_another_processs_export_under_way_is_left_alone(tmp_path, sweep):
    folder = tmp_path / "out"
    fill(folder, sweep)
    part = folder / ".mine.csv.part-1%3A1%40another-host%2Bboot"
    part.write_text("half")
    with Store(folder) as store:
        export(store, sweep, "quick", sweep.cells(), folder)
    assert part.exists()
