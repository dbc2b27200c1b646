"""Columns have the types that were written, whatever their fields look like."""

from dataclasses import replace

import pandas as pd
import pytest

import motsim.results.tables
from motsim.experiments.result import Result
from motsim.plans.loading import load_sweep
from motsim.results.export import export
from motsim.results.store import Store
from motsim.results.tables import load_tables


@pytest.fixture
def sweep(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text('title = "Six runs"\nseeds = 6\n[fixed]\nnum_classes = 2\n')
    return load_sweep(str(path))


def fill(folder, sweep, results):
    cells = sweep.cells()
    with Store(folder) as store:
        for place, cell in enumerate(cells):
            store.commit(cell.key, cell.kind, {}, results(place), 0.0)
        return export(store, sweep, "quick", cells, folder)


#: Words that a reader takes for numbers, truths or nothing, alone or together.
ALIKE = {
    "numbers": ["1", "01", "1.0", "1e0"],
    "large": ["1e3", "1000", "1000.0"],
    "truths": ["True", "true", "TRUE"],
    "gaps": ["nan", "NaN", "inf", "0"],
    "digits": ["0x1", "1_0", "10", "٣"],
    "only truths": ["True", "False"],
}


def guessed(path, types):
    """The reader of before, which looked at the fields."""
    return pd.read_csv(path, keep_default_na=False, na_values=[""], low_memory=False)


@pytest.mark.parametrize("name", ALIKE)
def test_a_label_stays_the_word_that_it_is(tmp_path, monkeypatch, name):
    words = ALIKE[name]
    path = tmp_path / "words.toml"
    cases = [f'[case."{word}"]\nnum_experts = {i + 2}' for i, word in enumerate(words)]
    path.write_text("\n".join(['title = "Words"', "seeds = 2", *cases]))
    sweep = load_sweep(str(path))

    def results(place):
        return Result("reached", {"word": words[place // 2]}, {"t": {"said": [words[place // 2]]}})

    tables = fill(tmp_path / "out", sweep, results=results)
    for column in (tables.main["case"], tables.main["word"], tables.others["t"]["case"]):
        assert column.tolist() == [word for word in words for _ in range(2)]
    assert tables.others["t"]["said"].tolist() == tables.main["word"].tolist()
    assert tables.main["seed"].dtype == "int64"
    # Control: guessed, they are other values, or fewer.
    monkeypatch.setattr(motsim.results.tables, "_read", guessed)
    found = load_tables("words", tmp_path / "out").main["case"]
    assert (found.tolist() == tables.main["case"].tolist()) == (name in ("gaps", "digits"))


def test_a_large_table_splits_no_setting_in_two(tmp_path, sweep):
    """pandas reads a large table in chunks, and guesses each by itself."""
    path = tmp_path / "cases.toml"
    path.write_text('title = "Cases"\nseeds = 4\n[case.1]\nnum_experts = 2\n[case.z]\n')
    cells = load_sweep(str(path)).cells()
    many = Result("done", {}, {"t": {"step": list(range(200_000))}})
    with Store(tmp_path) as store:
        for cell in cells:
            store.commit(cell.key, cell.kind, {}, many, 0.0)
        table = export(store, load_sweep(str(path)), "quick", cells, tmp_path).others["t"]
    assert table["case"].value_counts().to_dict() == {"1": 800_000, "z": 800_000}
    with pytest.warns(pd.errors.DtypeWarning):  # control: in chunks, it has two values
        chunks = pd.read_csv(tmp_path / "cases.t.csv.gz")
    assert {type(value) for value in chunks["case"].unique()} == {int, str}


def test_a_key_of_digits_is_a_word(tmp_path, sweep):
    """One run in 281 has one, and others read as powers of ten, such as 1234e5678901."""
    cells = [replace(sweep.cells()[0], key=digits * 32) for digits in "17"]
    with Store(tmp_path) as store:
        for cell in cells:
            store.commit(cell.key, cell.kind, {}, Result("done", {"x": 1}), 0.0)
        tables = export(store, sweep, "quick", cells, tmp_path)
    assert tables.main["run"].tolist() == ["1" * 12, "7" * 12]
    assert guessed(tmp_path / "mine.csv", {})["run"].tolist() == [int("1" * 12), int("7" * 12)]


def test_numbers_and_truths_keep_their_types_beside_gaps(tmp_path, sweep):
    def results(place):
        more = {} if place == 3 else {"whole": place, "truth": place > 1, "mixed": place or "none"}
        real = place if place % 2 else place / 3
        return Result("done", {"real": real, "all": place > 2, "none": None, "n": place} | more)

    main = fill(tmp_path, sweep, results=results).main
    kinds = ("real", "all", "n", "none", "whole")
    assert [str(main[name].dtype) for name in kinds] == [
        "float64", "bool", "int64", "float64", "float64",
    ]  # fmt: skip
    assert [v for i, v in enumerate(main["truth"]) if i != 3] == [False, False, True, True, True]
    assert [v for i, v in enumerate(main["mixed"]) if i != 3] == ["none", *"1245"]
    assert main[["truth", "mixed", "whole"]].isna().sum().tolist() == [1, 1, 1]
