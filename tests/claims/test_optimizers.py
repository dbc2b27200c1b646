"""Momentum and Adam on the quick tier, and settings and data that must turn the verdicts."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from motsim.claims._recorded import recorded
from motsim.claims.optimizers import REFERENCE, TAU, adam_clock, judge, slowest_factor


def verdicts(findings):
    return {finding.case: finding.verdict for finding in findings}


def renamed(tables, names):
    """Runs of some cases alone, under other names."""
    main = tables.main[tables.main["case"].isin(list(names))]
    return replace(tables, main=main.assign(case=main["case"].replace(names)))


def changed(tables, case, change):
    """T(eps) of one case changed."""
    main = tables.main.copy()
    here = (main["case"] == case) & (main["stage_step"] > 0)
    main.loc[here, "stage_step"] = change(main.loc[here])
    main.loc[main["case"] == case, "stage_length"] = 10**7
    return replace(tables, main=main)


@pytest.mark.parametrize("broken", [{"shuffle_labels": True}, {"gate_rate": 0.0}], ids=str)
def test_labels_or_a_gate_without_meaning_turn_the_mixture(run_sweep, broken):
    cases = ["mot-plain", "mot-momentum", "mot-adam"]
    tables = run_sweep("optimizers", seeds=3, cases=cases, **broken)
    assert set(verdicts(judge(tables)).values()) & {"holds"} == set()


def test_labels_without_meaning_turn_the_single_transformer(run_sweep):
    cases = ["single-plain", "single-momentum", "single-adam"]
    tables = run_sweep("optimizers", seeds=3, cases=cases, shuffle_labels=True, converge_steps=2000)
    assert set(verdicts(judge(tables)).values()) == {"inconclusive"}


def test_momentum_zero_has_no_speed(run_sweep):
    """Control: plain descent under the name of momentum is ten times too slow."""
    cases = ["mot-plain", "mot-momentum"]
    tables = run_sweep(
        "optimizers", seeds=6, cases=["mot-plain"], converge_rate=0.0005, epsilon_min=1e-5
    )
    main = tables.main
    both = replace(tables, main=pd.concat([main, main.assign(case="mot-momentum")]))
    found = {f.case: f for f in judge(both)}["mot-momentum speed"]
    assert set(both.main["case"]) == set(cases)
    assert found.verdict == "fails"
    assert found.interval.value == pytest.approx(1 / 0.0879, rel=0.01)


def test_laws_exchanged_turn_the_verdicts(run_sweep):
    """The single transformer's power is no logarithm, Adam's logarithm no power."""
    tables = run_sweep("optimizers")
    names = {"mot-logistic-plain": "mot-logistic-adam", "mot-momentum": "single-adam"}
    found = verdicts(judge(renamed(tables, names)))
    assert found["mot-logistic-adam"] == "fails"
    assert found["single-adam"] == "fails"
    names = {"mot-logistic-plain": "single-adam"}
    assert verdicts(judge(renamed(tables, names)))["single-adam"] == "holds"


def test_the_simple_factor_is_told_from_the_root(run_sweep):
    """1 - beta, without the root: 14 % more steps, as a stretched table has them."""
    tables = run_sweep("optimizers")
    stretch = 0.1 / (np.log1p(-0.001125) / np.log(slowest_factor(0.001125, 0.9)))
    assert stretch == pytest.approx(1.14, abs=0.005)
    slow = changed(tables, "mot-momentum", lambda rows: (stretch * rows["stage_step"]).round())
    assert verdicts(judge(slow))["mot-momentum speed"] == "fails"


def test_another_exponent_is_told(run_sweep):
    """Control: steps with momentum that follow the 1.2th power of the measured ones."""
    tables = run_sweep("optimizers")
    bent = changed(tables, "single-momentum", lambda rows: (rows["stage_step"] ** 1.2).round())
    found = verdicts(judge(bent))
    assert found["single-momentum exponent"] == "fails"
    assert found["single-momentum speed"] == "fails"


@pytest.mark.parametrize(
    "case", [pytest.param("single-adam", marks=pytest.mark.slow), "mot-logistic-adam"]
)
def test_adam_without_its_memory_is_told(run_sweep, case):
    """Controls: plain descent's law at Adam's pace, and decades of 4,603 steps for any exponent."""
    tables = run_sweep("optimizers", cases="all" if case == "single-adam" else None)
    main = tables.main
    theirs = main[main["case"] == REFERENCE[case]].copy()
    pace = [
        main.loc[(main["case"] == name) & np.isclose(main["epsilon"], 1e-3), "stage_step"].median()
        for name in (case, REFERENCE[case])
    ]
    theirs["stage_step"] = (theirs["stage_step"] * pace[0] / pace[1]).round().astype(int)
    theirs["stage_length"] = 10**7
    plain = pd.concat([main[main["case"] != case], theirs.assign(case=case)])
    found = verdicts(judge(replace(tables, main=plain)))
    assert found[f"{case} clock"] == "fails"
    assert found[case] != recorded("optimizers", "quick")[case]
    even = changed(
        tables, case, lambda rows: (25_000 - 4603 * np.log10(rows["epsilon"] / 1e-5)).round()
    )
    assert verdicts(judge(even))[f"{case} clock"] == "fails"


def test_the_clock_of_adam_is_linear_at_first_and_exponential_later():
    assert pytest.approx(1999.0, abs=0.1) == TAU
    steps = pd.Series([1.0, 10_000.0, 10_000.0 + np.log(10.0) * TAU])
    time = adam_clock(steps)
    assert time[0] == pytest.approx(1.0, rel=1e-3)
    assert time[2] / time[1] == pytest.approx(10.0, rel=0.01)


def test_too_little_data_is_inconclusive(run_sweep):
    tables = run_sweep("optimizers")
    main = tables.main
    for some in (main[main["seed"] == 0], main.head(1), main.assign(status="diverged")):
        assert set(verdicts(judge(replace(tables, main=some))).values()) <= {"inconclusive"}
