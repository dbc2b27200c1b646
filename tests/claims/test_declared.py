"""A claim in the TOML file: judged, printed, recorded; a wrong one is refused in one line."""

import json
import tomllib
from pathlib import Path

import jsonschema
import numpy as np
import pytest

import motsim.report.__main__
import motsim.verify
from motsim.claims import Interval, claim_of
from motsim.claims._declared import compared
from motsim.experiments.beside import forget
from motsim.plans.claim_table import Bound, Condition
from motsim.plans.loading import load_sweep
from motsim.plans.plan import SweepError
from motsim.sweep import main
from tests.refusals import refusal

KIND = '''
"""Runs that follow a law by construction, to a per cent, and have a share that succeeds."""
import numpy as np
from motsim import KindSettings, result_of_losses


class Settings(KindSettings):
    seed: int = 0
    p: float = 0.0
    scale: float = 1.0
    steps: int = 20_000


def run(settings):
    random = np.random.default_rng(settings.seed)
    scale = settings.scale * random.uniform(0.97, 1.03)
    t = np.arange(settings.steps + 1)
    if settings.p == 0:
        losses = np.exp(-0.02 * t / scale)
    else:
        losses = (1 + t / scale) ** (-1 / settings.p)
    return result_of_losses(losses, np.logspace(-1, -4, 16), lucky=int(settings.seed < 6))
'''
SWEEP = """
title = "Laws"
kind = "curve"
seeds = 8

[case.log]
[case.power]
p = 1.0
[case.slow]
scale = 3.0
"""


@pytest.fixture
def laws(tmp_path):
    """laws(claim, ...) writes the sweep with a claim; returns its path."""
    (tmp_path / "curve.py").write_text(KIND)

    def write(claim, sweep=SWEEP):
        path = tmp_path / "laws.toml"
        path.write_text(sweep + claim)
        return str(path)

    yield write
    forget()


def judged(path, out, capsys, code=0, command=motsim.verify.main):
    """Findings of the claim, by case."""
    words = [path, "--out", str(out), "--progress", "quiet", "--jobs", "1", "--json"]
    assert command(words) == code
    (found,) = json.loads(capsys.readouterr().out).values()
    return {finding["case"]: finding for finding in found["findings"]}


def verdicts(found):
    return {case: finding["verdict"] for case, finding in found.items()}


# --- criteria, each with its control --------------------------------------------------------------


def test_a_law_is_judged_in_each_case_and_the_control_fails(laws, tmp_path, capsys):
    claim = '[claim]\nlaw = "log"\n[claim.case.power]\nexpected = "fails"\n'
    found = judged(laws(claim), tmp_path / "out", capsys)
    assert verdicts(found) == {"log": "holds", "power": "fails", "slow": "holds"}
    assert found["power"]["measured"].startswith("inverse: p = ")
    assert found["log"]["predicted"] == "T = a + b log(1/eps)"
    # the same runs under the other law, and as if nothing were a control
    other = '[claim]\nlaw = "1/eps"\n[claim.case.power]\nexpected = "holds"\n'
    found = judged(laws(other), tmp_path / "out", capsys, code=1)
    assert verdicts(found) == {"log": "fails", "power": "holds", "slow": "fails"}
    assert found["log"]["verdict"] != found["log"]["expected"]


def test_a_case_without_an_axis_of_another_is_called_without_it(laws, tmp_path, capsys):
    """Control: the case that has the axis is called with its value, as written in the file."""
    claim = '[case.log.grid]\nsteps = [900, 1000]\n[claim]\nlaw = "log"\n'
    sweep = SWEEP.replace("[case.power]\np = 1.0\n", "")
    found = judged(laws(claim, sweep), tmp_path / "out", capsys)
    assert list(found) == ["log, steps 900", "log, steps 1000", "slow"]


def test_an_exponent_is_held_against_its_whole_interval(laws, tmp_path, capsys):
    claim = "[claim]\n[claim.case.power]\nexponent = { within = [0.9, 1.1] }\n"
    assert verdicts(judged(laws(claim), tmp_path / "out", capsys)) == {"power": "holds"}
    half = "[claim]\n[claim.case.power]\nexponent = { within = [0.4, 0.6] }\n"
    assert verdicts(judged(laws(half), tmp_path / "out", capsys, 1)) == {"power": "fails"}


RATIO = "[claim.case.slow]\nratio = {{ to = 'log', {} }}\n"


@pytest.mark.parametrize(
    ("what", "verdict"),
    [
        ("at = 1e-4, within = [2.5, 3.5]", "holds"),
        ("at = 1e-4, above = 3.5", "fails"),
        ("at = 1e-4, below = 3.0001", "inconclusive"),
        ("of = 'num_steps', within = [0.9, 1.1]", "holds"),
        ("of = 'num_steps', above = 1.1", "fails"),
    ],
)
def test_a_ratio_of_steps_or_of_a_result(laws, tmp_path, capsys, what, verdict):
    claim = "[claim]\n" + RATIO.format(what) + f'expected = "{verdict}"\n'
    found = judged(laws(claim), tmp_path / "out", capsys)
    assert verdicts(found) == {"slow": verdict}
    if "1e-4" in what:
        assert found["slow"]["low"] < 3.0 < found["slow"]["high"]


def test_the_ratio_of_a_run_that_is_not_there_yet_is_a_bound(laws, tmp_path, capsys):
    """The power needs ten thousand steps to 1e-4; with 5,000 it is known to need more."""
    sweep = SWEEP.replace("p = 1.0", "p = 1.0\nsteps = 5000")
    for words, verdict in (("above = 9.0", "holds"), ("above = 12.0", "inconclusive")):
        claim = f"[claim.case.power]\nratio = {{ to = 'log', at = 1e-4, {words} }}\n"
        found = judged(laws(f"{claim}expected = '{verdict}'\n", sweep), tmp_path / "o", capsys)
        assert verdicts(found) == {"power": verdict}
        assert found["power"]["high"] == np.inf
        assert "of 8 only a bound is known" in found["power"]["evidence"]


@pytest.mark.parametrize(
    ("what", "verdict"),
    [
        ("of = 'lucky == 1', above = 0.3", "holds"),
        ("of = 'lucky == 1', above = 0.99", "fails"),
        ("of = 'lucky == 1', above = 0.7", "inconclusive"),
        ("of = 'status == reached', above = 0.6", "holds"),
        ("of = 'status != reached', above = 0.6", "fails"),
        ("reach = 1e-4, above = 0.6", "holds"),
        ("of = 'final_loss < 0', above = 0.6", "fails"),
    ],
)
def test_a_share_has_its_exact_interval(laws, tmp_path, capsys, what, verdict):
    claim = f"[claim.case.log]\nshare = {{ {what} }}\nexpected = '{verdict}'\n"
    found = judged(laws(claim), tmp_path / "out", capsys)
    assert verdicts(found) == {"log": verdict}
    if "lucky" in what:
        assert "6 of 8 runs" in found["log"]["evidence"]


def test_a_run_that_reaches_too_late_is_not_among_the_share(laws, tmp_path, capsys):
    sweep = SWEEP.replace("p = 1.0", "p = 1.0\nsteps = 5000")
    claim = "[claim.case.power]\nshare = { reach = 1e-4, above = 0.5 }\nexpected = 'fails'\n"
    assert verdicts(judged(laws(claim, sweep), tmp_path / "o", capsys)) == {"power": "fails"}


def test_criteria_stand_side_by_side_and_runs_are_chosen(laws, tmp_path, capsys):
    claim = """
[claim]
law = "log"
share = { reach = 1e-4, above = 0.6 }
among = "lucky == 1"
expected = { share = "inconclusive" }
[claim.case.power]
skip = true
[claim.case.slow]
skip = true
"""
    found = judged(laws(claim), tmp_path / "out", capsys)
    assert verdicts(found) == {"log: law": "holds", "log: share": "inconclusive"}  # 6 of 6
    assert found["log: law"]["evidence"].startswith("6 of 8 runs have lucky == 1. Of those: ")


def test_every_value_of_a_grid_is_a_finding(laws, tmp_path, capsys):
    sweep = SWEEP.split("[case.log]")[0] + "[grid]\np = [0.0, 1.0]\n"
    found = judged(laws('[claim]\nlaw = "log"\n', sweep), tmp_path / "out", capsys, code=1)
    assert verdicts(found) == {"p 0": "holds", "p 1": "fails"}


def test_two_seeds_decide_nothing(laws, tmp_path, capsys):
    claim = '[claim]\nlaw = "log"\n'
    sweep = SWEEP.replace("seeds = 8", "seeds = 2")
    assert set(verdicts(judged(laws(claim, sweep), tmp_path / "o", capsys, 1)).values()) == {
        "inconclusive"
    }


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
