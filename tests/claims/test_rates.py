"""The headline comparison, on the quick tier, and settings that must turn its verdict."""

import numpy as np
import pytest

from motsim.claims._rates import depth_finding
from motsim.claims.rates import conclusion, judge


def verdicts(findings):
    return {finding.case: finding.verdict for finding in findings}


def test_a_frozen_gate_turns_the_verdict(run_sweep):
    """Without a trained gate no expert serves one class: no coverage, hence no log law."""
    tables = run_sweep("rates", seeds=3, cases=["mot-squared"], gate_rate=0.0)
    found = judge(tables)
    assert verdicts(found)["mot-squared"] != "holds"
    assert "0 of 3 runs specialize" in found[0].evidence


def test_shuffled_labels_turn_the_verdict(run_sweep):
    tables = run_sweep("rates", seeds=3, cases=["mot-squared"], shuffle_labels=True)
    assert verdicts(judge(tables))["mot-squared"] != "holds"


def test_the_other_laws_data_turn_the_verdicts(run_sweep):
    """T(eps) of the two models exchanged: both claims must fall."""
    tables = run_sweep("rates")
    main = tables.main.copy()
    mixture = main[main["case"] == "mot-squared"]
    single = main[main["case"] == "single-1-logistic"]
    swapped = single.assign(case="mot-squared", covered_classes=4.0)
    judged = judge(type(tables)("rates", tables.meta, swapped, {}))
    assert verdicts(judged)["mot-squared"] == "fails"
    swapped = mixture.assign(case="single-1-logistic", covered_classes=float("nan"))
    judged = judge(type(tables)("rates", tables.meta, swapped, {}))
    assert verdicts(judged)["single-1-logistic"] == "fails"


@pytest.mark.parametrize("case", ["mot-squared-deep", "mot-linear-squared-deep"])
def test_the_end_of_a_logarithm_is_seen_only_below_it(run_sweep, case):
    """Control: the same runs, looked at no further than a decade above it, keep theirs."""
    main = run_sweep("rates").main
    rows = main[main["case"] == case]
    found = depth_finding(case, rows)
    assert found.verdict == "fails"
    assert found.interval.contains(found.interval.value)
    above = rows[rows["epsilon"] > 20 * found.interval.high]
    assert depth_finding(case, above).verdict == "holds"


def test_untrained_attention_is_what_keeps_the_logarithm(run_sweep):
    """The same seeds, experts and steps, but for stage II: the loss stops or does not."""
    main = run_sweep("rates").main
    final = {
        case: main[main["case"] == case].drop_duplicates("run").set_index("seed")["final_loss"]
        for case in ("mot-linear-squared-deep", "mot-linear-squared-untrained-attention")
    }
    trained, never = final.values()
    both = (trained < 1e-3) & (never < 1e-3)  # those whose experts cover every class
    assert both.sum() >= 8
    assert (trained[both] > 1e-16).all()
    assert (never[both] <= 1e-20).all()


def test_the_conclusion_follows_the_verdicts(run_sweep):
    tables = run_sweep("rates")
    findings = judge(tables)
    lines = conclusion(findings)
    assert len(lines) == 3
    assert "1e-20 at least" in lines[0]
    assert "p = 0.98" in lines[2]
    # control: other data, other words
    main = tables.main.copy()
    mixture = main["case"] == "mot-squared"
    main.loc[mixture & (main["epsilon"] < 1e-4), ["step", "stage_step"]] = -1
    other = conclusion(judge(type(tables)("rates", tables.meta, main, {})))
    assert "O(log 1/eps) holds for cubic" in lines[0]
    assert "O(log 1/eps) holds for cubic" not in other[0]
    assert conclusion(findings[:3]) == []


def test_every_run_is_counted(run_sweep):
    tables = run_sweep("rates")
    for finding in judge(tables):
        rows = tables.main[tables.main["case"] == finding.case]
        assert f" of {rows['run'].nunique()} runs" in finding.evidence
    assert np.isfinite(tables.main["epsilon"]).all()
