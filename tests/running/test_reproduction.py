"""Fresh blocks of seeds: what is counted, and the command that counts."""

import json
from itertools import pairwise

import pytest

import motsim.verify
from motsim.extras import MissingExtraError
from motsim.plans.changes import Changes
from motsim.plans.file import LAST_START
from motsim.plans.loading import load_sweep, sweep_names
from motsim.report.provenance import sweep_file
from motsim.report.sections import collect
from motsim.running.judging import Judged
from motsim.running.reproduction import (
    CHOICES,
    CHOSEN,
    FRESH,
    STRIDE,
    block_starts,
    chosen_start,
    count,
    totals,
)
from motsim.running.session import Session
from motsim.sweep import main as sweep_main
from motsim.verify import main
from tests.refusals import refusal
from tests.running.fresh_blocks import CHEAP, call, finding


def block(*verdicts, expected="holds"):
    """One claim, cases 0, 1, ..., with these verdicts."""
    return {"claim": [finding(str(i), v, expected) for i, v in enumerate(verdicts)]}


# --- counting -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("recorded", "verdicts", "numbers", "turned"),
    [
        ("holds", ["holds"] * 3, (3, 0, 0), False),
        ("holds", ["holds", "inconclusive", "holds"], (2, 0, 1), False),
        ("holds", ["holds", "fails", "holds"], (2, 1, 0), False),  # one may be chance
        ("holds", ["fails", "fails", "holds"], (1, 2, 0), True),  # a second one repeats it
        ("fails", ["fails", "holds", "holds"], (1, 2, 0), True),
        ("fails", ["fails", "inconclusive", "holds"], (1, 1, 1), False),
        ("fails", ["inconclusive"] * 3, (0, 0, 3), False),  # undecided is no opposite
    ],
)
def test_what_comes_out_is_counted(recorded, verdicts, numbers, turned):
    [row] = count([block(v, expected=recorded) for v in verdicts])["claim"]
    assert row.verdicts == tuple(verdicts)
    assert (row.came_out, row.opposite, row.inconclusive) == numbers
    assert row.turned is turned
    assert sum(numbers) == len(verdicts)


def test_opposites_of_two_cases_are_not_two_of_one():
    """Control: the same two opposites in one case are."""
    apart = count([block("fails", "holds"), block("holds", "fails")])["claim"]
    assert [row.opposite for row in apart] == [1, 1]
    assert not any(row.turned for row in apart)
    together = count([block("fails", "holds"), block("fails", "holds")])["claim"]
    assert [row.turned for row in together] == [True, False]


def test_verdicts_recorded_as_inconclusive_are_not_counted():
    blocks = [block("holds", expected="inconclusive"), block("fails", expected="inconclusive")]
    assert count(blocks) == {"claim": []}
    assert totals([])["verdicts"] == 0
    assert count([block("holds")])["claim"]  # control


def test_a_case_without_a_finding_is_missing_and_did_not_come_out():
    [first, second] = count([block("holds", "holds"), block("holds"), {}])["claim"]
    assert (first.came_out, first.missing, first.undecided) == (2, 1, 1)
    assert (second.came_out, second.missing, second.undecided) == (1, 2, 2)
    found = totals([first, second])
    assert (found["verdicts"], found["came_out"], found["missing"]) == (6, 3, 3)
    assert (found["always"], found["opposite"], found["turned"]) == (0, 0, 0)


def test_an_ambiguous_record_is_refused():
    twice = {"claim": [finding("a", "holds", "holds"), finding("a", "fails", "holds")]}
    with pytest.raises(ValueError, match="two findings"):
        count([twice])
    with pytest.raises(ValueError, match="two ways"):
        count([block("holds"), block("holds", expected="fails")])


# --- blocks ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", sweep_names())
def test_no_sweep_has_the_seeds_of_two_blocks(name):
    sweep = load_sweep(name)
    for tier in ("quick", "full"):
        assert sweep.seed_start + sweep.seeds(tier) <= STRIDE <= FRESH
    assert {b - a for a, b in pairwise(block_starts(9))} == {STRIDE}


def test_chosen_blocks_are_their_own():
    starts = {chosen_start(str(i)) for i in range(300)}
    claims = [start // STRIDE % len(CHEAP) for start in starts]
    assert min(map(claims.count, range(len(CHEAP)))) > 30  # commits choose every claim
    assert len(starts) == 300
    assert chosen_start("0") == chosen_start("0")
    assert min(starts) >= CHOSEN > block_starts(100)[-1]
    assert all(start % STRIDE == 0 for start in starts)
    assert CHOSEN + STRIDE * (CHOICES + 1) <= LAST_START


@pytest.mark.parametrize(
    ("verdicts", "code"),
    [
        (["holds", "holds", "holds"], 0),
        (["holds", "fails", "inconclusive"], 0),
        (["inconclusive"] * 3, 0),
        (["fails", "holds", "fails"], 1),
    ],
)
def test_only_an_opposite_verdict_in_two_blocks_is_an_error(
    judged, verdicts, code, tmp_path, capsys
):
    starts = judged(coverage=verdicts)
    found, text = call("coverage", "--blocks", "3", out=tmp_path, capsys=capsys)
    assert found == code
    assert starts == [FRESH + i * STRIDE for i in range(3)]
    assert f"{verdicts.count('holds')} of 3" in text
    assert max(map(len, text.splitlines())) <= 80
    assert ("! coverage, x: recorded as holds, turned in 2" in text) is bool(code)


def test_failed_runs_are_an_error(judged, tmp_path, capsys):
    judged(coverage=["holds"], failed=2)
    words = ["coverage", "--blocks", "1", "--seed-start", "7000", "--out", str(tmp_path)]
    assert main(words) == 1
    assert "motsim.sweep NAME --seed-start 7000 --retry-failed" in capsys.readouterr().err


def test_json_names_the_blocks(judged, tmp_path, capsys):
    judged(coverage=["fails", "holds"], rate_mot=["holds", "inconclusive"])
    words = ["coverage", "rate-mot", "--blocks", "2", "--seed-start", "5000", "--json"]
    code, text = call(*words, out=tmp_path, capsys=capsys)
    found = json.loads(text)
    assert code == 0
    assert (found["tier"], found["blocks"]) == ("quick", [5000, 6000])
    assert found["claims"]["coverage"] == [
        {
            "case": "x", "recorded": "holds", "verdicts": ["fails", "holds"],
            "came_out": 1, "opposite": 1, "inconclusive": 0, "missing": 0,
        }
    ]  # fmt: skip
    assert found["totals"]["verdicts"] == 4
    assert found["totals"]["came_out"] == 2


def test_long_names_of_cases_fit(judged, tmp_path, capsys, monkeypatch):
    long = "a case with a name of more than the 35 letters that a column has"
    made = Judged((finding(long, "holds", "holds"),), 0)
    monkeypatch.setattr(motsim.verify, "_judged", lambda *a: {"coverage": made})
    _, text = call("coverage", "--blocks", "1", out=tmp_path, capsys=capsys)
    assert long in text
    assert max(map(len, text.splitlines())) <= 80


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--blocks", "0"], "whole number >= 1; got '0'"),
        (["--blocks", "many"], "whole number >= 1; got 'many'"),
        (["--blocks", "3", "--seed-start", "-1"], "whole number from 0 to 1000000000; got '-1'"),
        (["--seed-start", "1.5"], "whole number from 0 to 1000000000; got '1.5'"),
        (["--seed-start", "1" + "0" * 5000], "whole number from 0 to"),
        (["--blocks", "3", "--seed-start", "1000000000"], "at most 1; got 3"),
        (["--blocks", "9" * 20], "at most 999,901; got 99,999,999,999,999,999,999"),
        (["--blocks", "1", "--seed-start", "0"], "fresh blocks start at seed 1000 or later"),
        (["--blocks", "1", "--together"], "leave it out with --blocks"),
        (["--block", "3"], "did you mean --blocks?"),
    ],
)
def test_bad_values_are_one_line(words, said, tmp_path, capsys):
    assert said in refusal(main, [*words, "--out", str(tmp_path / "out")], capsys)
    assert not (tmp_path / "out").exists()


def test_what_is_skipped_is_said_once_and_what_is_named_is_not_skipped(
    monkeypatch, tmp_path, capsys
):
    """Claims whose extra is missing, in the block mode; no run is made."""
    prepared = []

    def prepare(self, sweep, cells, what):
        prepared.append((sweep.name, sweep.seed_start))
        if sweep.name == "rehearsal-deep":
            raise MissingExtraError("needs the extra deep")
        return {}

    monkeypatch.setattr(Session, "prepare", prepare)
    monkeypatch.setattr("motsim.claims.claim_names", lambda: ["rehearsal-deep", "routing"])
    made = {"routing": Judged((finding("x", "holds", "holds"),), 0)}
    monkeypatch.setattr("motsim.running.judging.judge_claims", lambda *a, **k: made)
    words = ["--blocks", "2", "--out", str(tmp_path), "--progress", "quiet"]
    assert main(words) == 0
    assert capsys.readouterr().err == "rehearsal-deep: skipped: needs the extra deep\n"
    assert prepared == [
        ("rehearsal-deep", FRESH), ("routing", FRESH), ("routing", FRESH + STRIDE)
    ]  # fmt: skip
    assert main(["rehearsal-deep", *words]) == 2  # control: it was asked for


# --- what reads tables ----------------------------------------------------------------------------


def test_a_report_of_moved_seeds_names_their_command(tmp_path, capsys):
    words = ["rehearsal-memory", "--seeds", "1", "--set", "repetitions=2", "--jobs", "1"]
    sweep_main([*words, "--seed-start", "9", "--out", str(tmp_path), "--progress", "quiet"])
    assert not (tmp_path / "figures").exists()  # the claim's is for the settings of the claim
    seeds = ["rehearsal-memory", "--seeds", "1", "--jobs", "1", "--seed-start", "9"]
    sweep_main([*seeds, "--out", str(tmp_path), "--progress", "quiet"])
    endings = {path.stem.partition("@")[2] for path in (tmp_path / "figures").iterdir()}
    assert endings == {"seed_start=9"}
    name = "rehearsal-memory@repetitions=2@seed_start=9"
    section = collect(name, tmp_path, tmp_path)
    words = "--set repetitions=2 --seeds 1 --seed-start 9 --tier quick"
    assert section.commands == (f"python -m motsim.sweep rehearsal-memory {words}",)
    assert section.problems == ()
    assert not section.findings  # no verdict is recorded for these seeds
    assert section.facts["settings"].startswith("each run has the key")
    runs = {load_sweep("rehearsal-memory", 9).cells()[0].key[:12]}
    said = [
        sweep_file("rehearsal-memory", "quick", runs, Changes(start=start))[0]
        for start in (9, None)
    ]
    assert said[0].startswith("each run has the key")
    assert "are not those" in said[1]  # control: the file's own seeds
