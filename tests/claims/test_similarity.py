"""Task similarity on the quick tier, and settings that must turn its verdicts."""

from dataclasses import replace

import numpy as np
import pytest

from motsim.claims.similarity import crossing, judge
from motsim.statistics.transitions import cubic_transition, race


def verdicts(findings):
    return {finding.case: finding.verdict for finding in findings}


def test_the_cubic_transition_is_where_two_roots_meet():
    """(N-1) rho x^2 - (1-rho) x + rho has a double root at rho_c."""
    for n in (2, 3, 4, 8, 16):
        rho = cubic_transition(n)
        assert (1 - rho) ** 2 == pytest.approx(4 * rho**2 * (n - 1))


def test_the_race_without_feedback_at_rho_0_is_the_collision_formula():
    for experts in (8, 32):
        apart = np.prod(1 - np.arange(4) / experts)
        assert race(0.0, 4, experts, feedback=False) == pytest.approx(apart, abs=0.03)


def test_crossing_interpolates():
    rho = np.array([0.1, 0.2, 0.3])
    assert crossing(np.array([[1.0, 0.75, 0.25]]), rho) == pytest.approx(0.25)
    assert np.isnan(crossing(np.array([[1.0, 0.9, 0.8]]), rho))


def test_a_frozen_gate_turns_the_transitions(run_sweep):
    cases = ["cubic-n4", "linear-m8"]
    found = verdicts(judge(run_sweep("similarity", seeds=3, cases=cases, gate_rate=0.0)))
    assert found["cubic-n4"] == "fails"
    assert found["linear-m8"] == "fails"


def test_the_other_activation_turns_the_transition(run_sweep):
    """Linear experts from a generic start do not follow the cubic prediction."""
    tables = run_sweep("similarity", seeds=3, cases=["cubic-n4"], activation="linear")
    assert verdicts(judge(tables))["cubic-n4"] != "holds"


@pytest.mark.slow
def test_the_other_cases_data_turn_the_verdicts(run_sweep):
    tables = run_sweep("similarity", cases="all")
    swap = {"cubic-n3": "cubic-n8", "cubic-n8": "cubic-n3"}
    swap |= {"linear-m8": "linear-m32", "linear-m32": "linear-m8"}
    main = tables.main.assign(case=tables.main["case"].replace(swap))
    scale = main["case"].map({"cubic-n3": 12 / 40, "cubic-n8": 40 / 12}).fillna(1.0)
    main["specialized_experts"] = main["specialized_experts"] * scale
    found = verdicts(judge(replace(tables, main=main)))
    assert found["cubic-n3"] == found["cubic-n8"] == "fails"
    assert found["linear-m8"] == found["linear-m32"] == "fails"


def test_orthogonal_tasks_bring_the_log_law_back(run_sweep):
    tables = run_sweep(
        "similarity", seeds=3, cases=["cubic-rate"], similarity=0.0, converge_steps=2000
    )
    as_if = tables.main.assign(similarity=-0.15)
    curve = tables.others["curve"].assign(similarity=-0.15)
    found = verdicts(judge(replace(tables, main=as_if, others={"curve": curve})))
    assert found["cubic-rate"] == "holds"
    assert found["cubic-tail"] != "holds"


def test_without_runs_or_with_one_seed_nothing_is_concluded(run_sweep):
    tables = run_sweep("similarity")
    main, curve = tables.main, tables.others["curve"]
    for part in (main[main["seed"] == 0], main.iloc[:0], main.iloc[:1]):
        few = {"curve": curve[curve["seed"].isin(set(part["seed"]))]}
        found = judge(replace(tables, main=part, others=few))
        assert {f.verdict for f in found} == {"inconclusive"}
    lost = main.assign(status="diverged")
    assert {f.verdict for f in judge(replace(tables, main=lost, others={}))} == {"inconclusive"}
