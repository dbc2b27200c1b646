"""Gradient conflict on the quick tier, and settings that must turn its verdicts."""

from dataclasses import replace

import pandas as pd

from motsim.claims.gradient_conflict import judge


def verdicts(findings):
    return {finding.case: finding.verdict for finding in findings}


def test_with_a_frozen_gate_no_run_specializes(run_sweep):
    cases = ["mot-linear", "mot-cubic"]
    found = judge(run_sweep("gradient-conflict", seeds=3, cases=cases, gate_rate=0.0))
    for finding in found[:2]:
        assert finding.verdict == "inconclusive"
        assert finding.evidence.startswith("0 of 3 runs specialize")


def test_the_conflict_of_a_frozen_gate_turns_the_verdict(run_sweep):
    tables = run_sweep("gradient-conflict")
    rows = tables.others["conflict"].copy()
    rows = rows[~rows["case"].str.startswith("mot")]
    rows["case"] = rows["case"].str.replace("frozen", "mot")
    found = verdicts(judge(replace(tables, others={"conflict": rows})))
    assert (found["mot-linear"], found["mot-cubic"]) == ("fails", "fails")


def test_a_run_that_does_not_cover_is_counted_and_spoils_no_mean(run_sweep):
    tables = run_sweep("gradient-conflict", seeds=5, cases=["mot-linear"])
    runs, rows = tables.runs.copy(), tables.others["conflict"].copy()
    one = (runs["case"] == "mot-linear") & (runs["seed"] == 0)
    rows.loc[(rows["case"] == "mot-linear") & (rows["seed"] == 0), "conflict"] = 0.3
    others = {**tables.others, "conflict": rows}
    spoilt = judge(replace(tables, main=runs, others=others))[0]
    assert spoilt.verdict != "holds"  # control: it is one of those that specialize
    runs.loc[one, "covered_classes"] = 3
    found = judge(replace(tables, main=runs, others=others))[0]
    assert found.verdict == "holds"
    assert "1 do not cover every class" in found.evidence


def test_a_generic_start_of_linear_experts_turns_the_verdict(run_sweep):
    tables = run_sweep("gradient-conflict", seeds=3, cases=["mot-linear"], orthogonal_start=False)
    assert verdicts(judge(tables))["mot-linear"] != "holds"


def test_the_other_models_data_turn_the_verdicts(run_sweep):
    tables = run_sweep("gradient-conflict")
    swap = {"mot-cubic": "single-4", "single-4": "mot-cubic"}
    rows = tables.others["conflict"].copy()
    rows["case"] = rows["case"].replace(swap)
    found = verdicts(judge(replace(tables, others={"conflict": rows})))
    assert (found["mot-cubic"], found["single-4"]) == ("fails", "fails")


def test_without_runs_or_with_one_seed_nothing_is_concluded(run_sweep):
    tables = run_sweep("gradient-conflict")
    rows = tables.others["conflict"]
    for part in (rows[rows["seed"] == 0], rows.iloc[:0], rows.iloc[:1], pd.DataFrame()):
        found = judge(replace(tables, others={"conflict": part}))
        assert {f.verdict for f in found} == {"inconclusive"}
    assert {f.verdict for f in judge(replace(tables, others={}))} == {"inconclusive"}
