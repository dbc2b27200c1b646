"""A claim in the TOML file: printed, recorded; a wrong one is refused in one line."""

import json
import tomllib
from pathlib import Path

import jsonschema
import pytest

import motsim.report.__main__
import motsim.verify
from motsim.claims import Interval, claim_of
from motsim.claims._declared import compared
from motsim.plans.claim_table import Bound, Condition
from motsim.plans.loading import load_sweep
from motsim.plans.plan import SweepError
from motsim.sweep import main
from tests.refusals import refusal

# --- commands -------------------------------------------------------------------------------------

CLAIM = '[claim]\nstatement = "Log, but for powers."\nlaw = "log"\n[claim.case.power]\nexpected = '


def test_sweep_prints_the_verdicts_and_its_exit_code_follows_them(laws, tmp_path, capsys):
    words = ["--out", str(tmp_path / "out"), "--progress", "quiet", "--no-figure"]
    assert main([laws(CLAIM + '"fails"\n'), *words]) == 0
    printed = capsys.readouterr().out
    assert "power  fails" in printed
    assert "(as expected)" in printed
    assert main([laws(CLAIM + '"holds"\n'), *words]) == 1
    assert "(EXPECTED holds)" in capsys.readouterr().out
    assert main([laws(CLAIM + '"fails"\n'), *words, "--set", "steps=900"]) == 0
    assert "no verdict is recorded for changed settings" in capsys.readouterr().out


def test_the_report_has_the_claim_and_its_verdicts(laws, tmp_path, capsys):
    path, out = laws(CLAIM + '"fails"\n'), str(tmp_path / "out")
    assert main([path, "--out", out, "--progress", "quiet", "--no-figure"]) == 0
    assert motsim.report.__main__.main(["laws", "--out", out]) == 0
    page = (tmp_path / "out" / "report.html").read_text()
    assert "Log, but for powers." in page
    assert page.count('data-verdict="fails"') == 1
    assert "motsim.verify" in page
    laws(CLAIM + '"holds"\n')  # control: another record is an alarm
    assert motsim.report.__main__.main(["laws", "--out", out]) == 1


def test_verify_lists_and_moves_seeds(laws, tmp_path, capsys):
    path = laws(CLAIM + '"fails"\n')
    assert motsim.verify.main([path, "--list"]) == 0
    assert "Log, but for powers." in capsys.readouterr().out
    out = str(tmp_path / "out")
    words = [path, "--out", out, "--progress", "quiet", "--jobs", "2", "--blocks", "1"]
    assert motsim.verify.main(words) == 0
    assert "3 recorded verdicts, 3 came out in every block" in " ".join(
        capsys.readouterr().out.split()
    )


def test_a_name_that_no_result_has_is_told_with_the_nearest(laws, tmp_path, capsys):
    path = laws("[claim]\nshare = { of = 'luky == 1', above = 0.5 }\n")
    words = [path, "--out", str(tmp_path / "o"), "--progress", "quiet"]
    told = refusal(motsim.verify.main, words, capsys)
    assert "no result is called 'luky'; did you mean 'lucky'?" in told
    path = laws("[claim]\nshare = { reach = 2e-4, above = 0.5 }\n")
    assert "no target is 0.0002; the nearest is" in refusal(motsim.verify.main, words, capsys)


# --- refusals -------------------------------------------------------------------------------------

BAD = {
    'law = "logg"': ["claim.law", "did you mean 'log'?"],
    'law = "linear"': ["did you mean 'log'?"],
    'laws = "log"': ["claim.laws", "did you mean 'law'?"],
    "law = 1": ["claim.law"],
    "": ["needs a criterion: law, exponent, ratio, share"],
    "exponent = { above = 0.4, below = 0.6 }": ["takes one of above, below, within", "above and"],
    "exponent = { }": ["takes one of above, below, within = [low, high]; got none"],
    "exponent = { within = [0.6, 0.4] }": ["low < high"],
    "exponent = { abov = 0.4 }": ["did you mean 'above'?"],
    "ratio = { to = 'logg', at = 1e-3, above = 2 }": ["'logg' is no case", "did you mean 'log'?"],
    "ratio = { to = 'log', above = 2 }": ["one of at = EPS"],
    "ratio = { to = 'log', at = -1.0, above = 2 }": ["claim.ratio.at", "greater than 0"],
    "ratio = { too = 'log', at = 1e-3, above = 2 }": ["did you mean 'to'?", "claim.ratio"],
    "share = { of = 'final_loss', above = 0.5 }": ["a column, a comparison and a value"],
    "share = { of = 'status < reached', above = 0.5 }": ["< compares numbers"],
    "share = { above = 0.5 }": ["one of reach = EPS and of = CONDITION"],
    "law = 'log'\nrange = [1e-2, 1e-5]": ["0 < low < high"],
    "law = 'log'\nexpected = 'hold'": ["claim.expected", "did you mean 'holds'?"],
    "law = 'log'\nexpected = { laws = 'holds' }": ["claim.expected"],
    "law = 'log'\norigin = 'quotd'": ["did you mean 'quoted'?"],
    "law = 'log'\namong = 'lucky'": ["claim.among"],
    "law = 'log'\n[claim.case.pwer]\nexpected = 'fails'": ["no case; did you mean 'power'?"],
    "law = 'log'\n[claim.case.power]\nexpcted = 'fails'": ["did you mean 'expected'?"],
}


@pytest.mark.parametrize("claim", BAD)
def test_a_wrong_claim_is_refused_in_one_line(laws, claim, tmp_path, capsys):
    path = laws(f"[claim]\n{claim}\n")
    for command in (main, motsim.verify.main):
        told = refusal(command, [path, "--out", str(tmp_path / "out")], capsys)
        for word in ("laws.toml", *BAD[claim]):
            assert word in told
    assert not (tmp_path / "out").exists()


def test_a_file_without_a_claim_has_nothing_to_verify(laws, tmp_path, capsys):
    told = refusal(motsim.verify.main, [laws(""), "--out", str(tmp_path / "o")], capsys)
    assert "no [claim] to verify" in told


def test_parts():
    assert Condition.read("a>=2").holds(2)
    assert not Condition.read("a >= 2").holds(float("nan"))
    assert not Condition.read("a >= 2").holds("three")
    assert str(Condition.read("final_loss<=0.5")) == "final_loss <= 0.5"
    assert compared(Interval(1.5, 1.2, 1.8), Bound(within=[1.0, 2.0])) == "holds"
    assert compared(Interval(1.0, 0.2, 1.8), Bound(within=[1.0, 2.0])) == "inconclusive"
    assert compared(Interval(), Bound(below=1.0)) == "inconclusive"
    with pytest.raises(SweepError):
        load_sweep("laws")


def test_the_schema_knows_the_claim(laws, capsys):
    path = laws(CLAIM + '"fails"\n')
    assert main([path, "--schema"]) == 0
    check = jsonschema.Draft7Validator(json.loads(capsys.readouterr().out))
    text = Path(path).read_text()
    assert check.is_valid(tomllib.loads(text))
    assert not check.is_valid(tomllib.loads(text.replace('law = "log"', 'law = "lg"')))
    assert not check.is_valid(tomllib.loads(text.replace("p = 1.0", "q = 1.0")))
    assert claim_of(load_sweep(path)).CLAIM.statement == "Log, but for powers."
