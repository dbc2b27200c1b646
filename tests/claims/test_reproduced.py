"""How often recorded verdicts came out on fresh seeds: the table, who writes it, who reads it."""

import re
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
        ("a,b\n1,2\n", "line 1: the columns must be claim,case,tier,verdict"),
        ("", "line 1: the columns must be"),
        (f"{','.join(COLUMNS)}\nrates,x,quick,holds,5000,20,many,0\n", "line 2"),
        (f"{','.join(COLUMNS)}\nrates,x,quick,perhaps,5000,20,20,0\n", "line 2"),
        (f"{','.join(COLUMNS)}\nrates,x\n", "line 2"),
        (f"{','.join(COLUMNS)}\nrates,x,quick,holds,5000,20,19,2\n", "line 2: 19 and 2 of 20"),
        (f"{','.join(COLUMNS)}\nrates,x,quick,holds,5000,-20,-9,-20\n", "line 2"),
        (f"{','.join(COLUMNS)}\n{'x' * 200_000},x\n", "mine.csv: line "),
        ("claim,\udcff\n", "mine.csv: line 1: 'utf-8' codec"),
    ],
)
def test_another_kind_of_table_is_refused_before_any_run_and_stays(text, said, tmp_path, capsys):
    path = tmp_path / "mine.csv"
    path.write_text(text, errors="surrogateescape")
    words = ["coverage", "--blocks", "1", "--save", str(path), "--out", str(tmp_path / "out")]
    assert said in refusal(main, words, capsys)
    assert path.read_text(errors="surrogateescape") == text
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", ["nowhere/x.csv", ".", "results.db", "x" * 244 + ".csv"])
def test_where_no_table_can_be_is_said_before_any_run(name, tmp_path, capsys):
    words = ["coverage", "--blocks", "1", "--save", str(tmp_path / name)]
    assert "--save" in refusal(main, [*words, "--out", str(tmp_path / "out")], capsys)
    assert [*tmp_path.iterdir()] == []


OWN_SWEEP = """
title = "Mine"
kind = "rehearsal"
seeds = {}
[fixed]
repetitions = 20
[claim]
law = "log"
"""


def test_a_sweep_of_ones_own_replaces_no_rows_of_motsims_claims(tmp_path, capsys):
    """Nor do two sweeps of one name, nor blocks that would share seeds."""
    for name, seeds in (("coverage", 2), ("mine", 2), ("mine2", 1001)):
        (tmp_path / f"{name}.toml").write_text(OWN_SWEEP.format(seeds))
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "mine.toml").write_text(OWN_SWEEP.format(2))
    save, out = ["--save", str(tmp_path / "t.csv")], ["--out", str(tmp_path / "out")]
    for names, said in (
        (["coverage.toml"], "has the name of a claim of motsim"),
        (["mine.toml", "other/mine.toml"], "rename one of the files"),
        (["mine2.toml"], "1,001 seeds; a block has at most 1,000"),
    ):
        words = [*(str(tmp_path / name) for name in names), "--blocks", "1", *save, *out]
        assert said in refusal(main, words, capsys)
    words = [str(tmp_path / "coverage.toml"), "coverage", "--blocks", "1", *out]
    assert "rename one of the files" in refusal(main, words, capsys)
    assert not (tmp_path / "out").exists()
    assert not (tmp_path / "t.csv").exists()


def test_a_link_stays_a_link(tmp_path):
    (tmp_path / "there").mkdir()
    link = tmp_path / "link.csv"
    link.symlink_to(tmp_path / "there" / "t.csv")
    save(link, counted("rates", "x"), "quick", STARTS)
    assert link.is_symlink()
    assert len(read(tmp_path / "there" / "t.csv")) == 1


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


# --- the package's own ----------------------------------------------------------------------------

OWN = read(_reproduced.TABLE)
PAGE = (ROOT / "docs" / "reproduction.md").read_text("utf-8")


def test_every_row_is_of_a_recorded_verdict():
    """A row whose verdict was changed has to be measured again, or to go."""
    kept = {(row.claim, row.case, row.tier, row.verdict) for row in _recorded.rows()}
    assert [row for row in OWN if (row.claim, row.case, row.tier, row.verdict) not in kept] == []
    assert len({(row.claim, row.case, row.tier) for row in OWN}) == len(OWN) > 100
    assert all(0 <= row.came_out <= row.came_out + row.opposite <= row.blocks for row in OWN)


def rows_of_page(text):
    """Claim -> first seed, came out, of how many, turned, undecided."""
    found = re.findall(
        r"^\| `([\w-]+)` \| (\d+) \| (\d+) of (\d+) \| (\d+) \| (\d+) \|$", text, re.M
    )
    return {claim: tuple(map(int, numbers)) for claim, *numbers in found}


def sums(rows):
    out, total = sum(row.came_out for row in rows), sum(row.blocks for row in rows)
    turned = sum(row.opposite for row in rows)
    return rows[0].first_seed, out, total, turned, total - out - turned


def test_the_page_has_what_the_table_has():
    claims = dict.fromkeys(row.claim for row in OWN)
    assert rows_of_page(PAGE) == {c: sums([r for r in OWN if r.claim == c]) for c in claims}
    assert f"{len(claims)} claims, {len(OWN)} verdicts: {told(OWN)}." in PAGE
    assert rows_of_page("| `x` | 5000 | 19 of 20 | 1 | 0 |\n") == {"x": (5000, 19, 20, 1, 0)}
    assert sums([ROW]) == (5000, 19, 20, 1, 0)  # control


def test_the_page_names_every_verdict_that_comes_out_too_rarely():
    listed = PAGE[PAGE.index("Less than 95 %") :].partition("\n\n")[0]
    named = set(re.findall(r'"(.*?)" \((\d+)\)', listed))
    assert named == {(row.case, str(row.came_out)) for row in OWN if not row.enough}
    assert not ROW.enough or ROW.came_out >= 19  # 19 of 20 are enough, 18 are not
    assert not replace(ROW, came_out=18).enough


def test_the_first_page_says_how_many_came_out():
    text = " ".join((ROOT / "README.md").read_text("utf-8").split())
    claims = len({row.claim for row in OWN})
    out, total = sum(row.came_out for row in OWN), sum(row.blocks for row in OWN)
    assert f"{claims} claims on 20 blocks of them, {out:,} of {total:,} verdicts" in text
    assert f"({100 * out / total:.1f} %)" in text
