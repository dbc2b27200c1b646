"""Curvature on the quick tier, and settings that must turn its verdicts."""

from dataclasses import replace

import pandas as pd

from motsim.claims.strong_convexity import judge
from motsim.results.tables import Tables


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


def made(good, drifting, absent):
    """Tables of linear runs that keep 1, fall as eps^0.5, or never come to their end."""
    rows = [
        {"case": "mot-linear", "stage": "converge", "seed": seed, "step": step,
         "loss": 10.0 ** -(5 + step), "smallest": 1.0 if seed < good else 10.0 ** (-step / 2)}
        for seed in range(good + drifting)
        for step in range(6)
    ]  # fmt: skip
    runs = {"case": "mot-linear", "seed": range(good + drifting + absent), "run": "x"}
    others = {"curvature": pd.DataFrame(rows)}
    return Tables(
        "strong-convexity", {"labels": ["case", "seed"], "joined": []}, pd.DataFrame(runs), others
    )


def test_more_than_half_of_all_runs_must_keep_their_curvature():
    """A median alone is that of the runs which come to an end, and of their larger half."""
    for counts, verdict in (
        ((24, 0, 0), "holds"),
        ((22, 1, 1), "holds"),
        ((14, 10, 0), "inconclusive"),
        ((8, 0, 16), "inconclusive"),
        ((6, 0, 54), "fails"),
        ((5, 19, 0), "fails"),
    ):
        assert verdicts(judge(made(*counts)))["mot-linear, smallest"] == verdict, counts


def test_a_loss_of_zero_or_a_curvature_that_is_none_is_no_end():
    tables = made(24, 0, 0)
    rows = tables.others["curvature"]
    for column, value in (("loss", 0.0), ("smallest", float("nan"))):
        spoilt = rows.assign(**{column: rows[column].where(rows["seed"] >= 18, value)})
        (found,) = (
            f for f in judge(replace(tables, others={"curvature": spoilt}))
            if f.case == "mot-linear, smallest"
        )  # fmt: skip
        assert "6 of 24 runs" in found.evidence
        assert found.verdict != "holds"


def test_without_runs_or_with_one_seed_nothing_is_concluded(run_sweep):
    tables = run_sweep("strong-convexity")
    rows = tables.others["curvature"]
    for part in (rows[rows["seed"] == 0], rows.iloc[:0], rows.iloc[:1], pd.DataFrame()):
        found = judge(replace(tables, others={"curvature": part}))
        assert {f.verdict for f in found} == {"inconclusive"}
    assert {f.verdict for f in judge(replace(tables, others={}))} == {"inconclusive"}
