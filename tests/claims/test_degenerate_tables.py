"""F26: tables without anything to judge or to draw, for every claim; same tables, same bytes."""

import hashlib

import numpy as np
import pandas as pd
import pytest

from motsim import figures
from motsim.claims import claim_module
from motsim.figures import check, drawn, figure_names
from motsim.figures.inline import inline_svg
from motsim.results.tables import Tables, TablesError

LAST_RESORT = "not what its figure needs"


def changed(tables, main, others):
    return Tables(tables.name, tables.meta, main(tables.main), {n: others(t) for n, t in
                  tables.others.items()})  # fmt: skip


def no_rows(tables):
    return changed(tables, lambda t: t.iloc[:0], lambda t: t.iloc[:0])


def no_columns(tables):
    return Tables(tables.name, tables.meta, pd.DataFrame(), {})


def all_failed(tables):
    """Every run raised: labels, status and error, no other table."""
    runs = tables.runs[[*tables.labels, "run"]].assign(status="error", error="ValueError: no")
    return Tables(tables.name, tables.meta | {"joined": []}, runs, {})


def only_nan(tables):
    """Every number but the labels is missing."""

    def emptied(table):
        kept = {*tables.labels, "run", "epsilon"}
        numbers = table.select_dtypes("number").columns.difference(list(kept))
        return table.assign(**dict.fromkeys(numbers, np.nan))

    return changed(tables, emptied, emptied)


def all_diverged(tables):
    nan = only_nan(tables)
    return Tables(nan.name, nan.meta, nan.main.assign(status="diverged"), nan.others)


def one_row(tables):
    return changed(tables, lambda t: t.head(1), lambda t: t.head(1))


def one_run(tables):
    """One seed of one setting: what a first try of a user gives."""
    first = tables.main.iloc[0]

    def kept(table):
        here = np.ones(len(table), dtype=bool)
        for label in set(tables.labels) & set(table):
            here &= (table[label] == first[label]) | (table[label].isna() & pd.isna(first[label]))
        return table[here]

    return changed(tables, lambda t: t[t["run"] == first["run"]], kept)


NOTHING = (no_rows, no_columns, all_failed, only_nan, all_diverged)


def svg(tables):
    """Return every figure as text."""
    with drawn(tables.name, tables) as found:
        return [inline_svg(figure, title, "") for title, figure in found.items()]


@pytest.fixture(params=figure_names())
def tables(request, run_quick):
    return run_quick(request.param)


def test_nothing_to_judge_or_draw_is_said(tables):
    name = tables.name
    check(tables)  # negative control: sound tables pass
    for damage in NOTHING:
        broken = damage(tables)
        findings = claim_module(name).judge(broken)
        assert {f.verdict for f in findings} == {"inconclusive"}, damage.__name__
        with pytest.raises(TablesError) as caught:
            svg(broken)
        message = str(caught.value)
        assert f"python -m motsim.sweep {name}" in message, damage.__name__
        assert LAST_RESORT not in message
        assert "\n" not in message
    for few in (one_row(tables), one_run(tables)):
        claim_module(name).judge(few)
        pictures = svg(few)
    assert pictures


@pytest.mark.parametrize("name", ["coverage", "rates", "rehearsal-crossover"])
def test_the_same_tables_are_the_same_bytes(name, run_quick):
    few = one_run(run_quick(name))
    assert svg(few) == svg(few)


@pytest.mark.slow
def test_same_tables_same_pictures(tables, tmp_path):
    pictures = []
    for folder in (tmp_path / "one", tmp_path / "two"):
        figures.draw(tables.name, tables, folder)
        files = sorted((folder / "figures").iterdir())
        pictures.append({f.name: hashlib.sha256(f.read_bytes()).hexdigest() for f in files})
    assert pictures[0] == pictures[1]
    assert {name.rsplit(".")[-1] for name in pictures[0]} == {"pdf", "png", "svg"}
