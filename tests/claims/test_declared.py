"""A claim in the TOML file is judged by each of its criteria, and its control fails."""

import numpy as np
import pytest

from tests.claims.laws import SWEEP, judged, verdicts


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
