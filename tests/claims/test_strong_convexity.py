"""Curvature on the quick tier, and settings that must turn its verdicts."""

from dataclasses import replace

import pandas as pd

from motsim.claims.strong_convexity import judge


def verdicts(findings):
    return {finding.case: finding.verdict for finding in findings}


def test_without_specialization_there_is_no_convergence_to_judge(run_sweep):
    found = verdicts(
        judge(run_sweep("strong-convexity", seeds=3, cases=["mot-linear"], gate_rate=0.0))
    )
    assert found["mot-linear, smallest"] != "holds"
    assert found["mot-linear, dominance"] != "holds"


def test_cubic_experts_fail_where_linear_ones_hold(run_sweep):
    """The curvature of the other activation is not the predicted constant."""
    tables = run_sweep("strong-convexity")
    rows = tables.others["curvature"].copy()
    swap = {"mot-cubic": "mot-linear", "mot-linear": "mot-cubic"}
    rows["case"] = rows["case"].replace(swap)
    found = verdicts(judge(replace(tables, others={"curvature": rows})))
    assert found["mot-linear, smallest"] == "fails"
    assert found["mot-cubic, along v_n"] == "fails"
    assert found["mot-cubic, smallest"] == "holds"


def test_a_constant_curvature_turns_the_verdict_on_one_transformer(run_sweep):
    tables = run_sweep("strong-convexity")
    rows = tables.others["curvature"].copy()
    rows.loc[rows["case"].str.startswith("single"), "dominance"] = 0.36
    found = verdicts(judge(replace(tables, others={"curvature": rows})))
    cases = set(rows["case"][rows["case"].str.startswith("single")])
    assert "single-4" in cases
    assert {found[f"{case}, dominance"] for case in cases} == {"fails"}


def test_without_runs_or_with_one_seed_nothing_is_concluded(run_sweep):
    tables = run_sweep("strong-convexity")
    rows = tables.others["curvature"]
    for part in (rows[rows["seed"] == 0], rows.iloc[:0], rows.iloc[:1], pd.DataFrame()):
        found = judge(replace(tables, others={"curvature": part}))
        assert {f.verdict for f in found} == {"inconclusive"}
    assert {f.verdict for f in judge(replace(tables, others={}))} == {"inconclusive"}
