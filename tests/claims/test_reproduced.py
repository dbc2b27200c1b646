"""How often recorded verdicts came out on fresh seeds: the table, who writes it, who reads it."""

from dataclasses import replace
from pathlib import Path

import pytest

from motsim.claims import Finding, Verdict, _recorded, _reproduced
from motsim.claims._recorded import join
from motsim.claims._reproduced import COLUMNS, Reproduced, read, reproduced, told
from motsim.commands.explain import main as explain
from motsim.running.reproduction import Recorded, save
from motsim.verify import main
from tests.refusals import refusal

ROOT = Path(__file__).parents[2]
HOLDS, FAILS = Verdict.HOLDS, Verdict.FAILS
ROW = Reproduced("rates", "mot-squared", "quick", HOLDS, 5000, 20, 19, 1)
STARTS = [5000, 6000]


def counted(claim, *cases):
    return {claim: [Recorded(claim, case, HOLDS, (HOLDS, FAILS)) for case in cases]}


@pytest.fixture
def table(tmp_path, monkeypatch):
    """A table in place of the package's own, with these rows."""

    def made(*rows):
        path = tmp_path / "reproduced.csv"
        lines = [COLUMNS, *_reproduced.text_rows(rows)]
        path.write_text("".join(",".join(line) + "\n" for line in lines))
        monkeypatch.setattr(_reproduced, "TABLE", path)
        _reproduced._table.cache_clear()
        return path

    yield made
    _reproduced._table.cache_clear()


# --- the table ------------------------------------------------------------------------------------


def test_what_is_saved_is_read_back_and_other_claims_stay(tmp_path):
    path = tmp_path / "out.csv"
    save(path, counted("rates", "a", "b, with a comma"), "quick", STARTS)
    save(path, counted("coverage", "c"), "quick", STARTS)
    save(path, counted("coverage", "d"), "full", STARTS)
    save(path, counted("rates", "a"), "quick", [7000, 8000])  # in the place of both
    found = {(row.claim, row.case, row.tier): row for row in read(path)}
    assert [*found] == [
        ("coverage", "d", "full"),
        ("coverage", "c", "quick"),
        ("rates", "a", "quick"),
    ]
    row = found["rates", "a", "quick"]
    assert (row.verdict, row.first_seed, row.blocks) == (HOLDS, 7000, 2)
    assert (row.came_out, row.opposite, row.enough) == (1, 1, False)
    assert {path.name for path in tmp_path.iterdir()} == {"out.csv"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a,b\n1,2\n", "line 1 must be claim,case,tier,verdict"),
        ("", "line 1 must be"),
        (f"{','.join(COLUMNS)}\nrates,x,quick,holds,5000,20,many,0\n", "line 2"),
        (f"{','.join(COLUMNS)}\nrates,x,quick,perhaps,5000,20,20,0\n", "line 2"),
        (f"{','.join(COLUMNS)}\nrates,x\n", "line 2"),
    ],
)
def test_another_kind_of_table_is_refused_before_any_run_and_stays(text, said, tmp_path, capsys):
    path = tmp_path / "mine.csv"
    path.write_text(text)
    words = ["coverage", "--blocks", "1", "--save", str(path), "--out", str(tmp_path / "out")]
    assert said in refusal(main, words, capsys)
    assert path.read_text() == text
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", ["nowhere/x.csv", "."])
def test_where_no_table_can_be_is_said_before_any_run(name, tmp_path, capsys):
    words = ["coverage", "--blocks", "1", "--save", str(tmp_path / name)]
    assert "--save: " in refusal(main, [*words, "--out", str(tmp_path / "out")], capsys)
    assert [*tmp_path.iterdir()] == []


def test_saving_without_blocks_is_refused(tmp_path, capsys):
    words = ["coverage", "--save", str(tmp_path / "x.csv"), "--out", str(tmp_path / "out")]
    assert "add --blocks K" in refusal(main, words, capsys)
    assert not (tmp_path / "out").exists()


# --- who reads it ---------------------------------------------------------------------------------


def test_a_finding_has_what_came_out_of_its_recorded_verdict(table, monkeypatch):
    monkeypatch.setattr(_recorded, "recorded", lambda claim, tier: {"mot-squared": HOLDS})
    table(ROW)
    finding = Finding("mot-squared", "p", "m", FAILS, "made up")
    [joined] = join("rates", "quick", [finding])
    assert joined.reproduced == ROW
    assert joined.as_dict()["reproduced"] == {
        "first_seed": 5000, "blocks": 20, "came_out": 19, "opposite": 1
    }  # fmt: skip
    [other] = join("rates", "full", [finding])
    assert other.reproduced is None  # measured on the quick tier
    [own] = join("mine", "quick", [replace(finding, case="x", expected=HOLDS)])
    assert (own.expected, own.reproduced) == (HOLDS, None)


def test_a_row_of_another_verdict_says_nothing(table):
    table(ROW)
    assert reproduced("rates", "mot-squared", "quick", HOLDS) == ROW
    assert reproduced("rates", "mot-squared", "quick", FAILS) is None
    assert reproduced("rates", "mot-squared", "quick", None) is None


def test_the_line_names_what_turned_and_how_many_blocks():
    other = replace(ROW, case="x", blocks=5, came_out=5, opposite=0)
    assert told([ROW, None]) == ("19 of 20 came out (95.0 %) on 20 fresh blocks of seeds, 1 turned")
    assert told([other]) == "5 of 5 came out (100.0 %) on 5 fresh blocks of seeds, none turned"
    assert "24 of 25 came out (96.0 %) on 5 to 20 fresh blocks" in told([ROW, other])
    assert told([None]) == ""


def test_explain_says_it(table, capsys):
    table(ROW)
    assert explain(["rates"]) == 0
    assert "reproduced: 19 of 20 came out (95.0 %)" in " ".join(capsys.readouterr().out.split())
    assert explain(["coverage"]) == 0
    assert "reproduced" not in capsys.readouterr().out  # control: nothing was measured
