"""The headline comparison, on the quick tier, and settings that must turn its verdict."""

import re

import numpy as np
import pytest

from motsim.claims._rates import depth_finding, rate_finding
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


@pytest.mark.slow
def test_the_conclusion_follows_the_verdicts(run_sweep):
    tables = run_sweep("rates", cases="all")
    findings = judge(tables)
    lines = conclusion(findings)
    assert all(len(line) <= 80 for line in lines[:3])  # lines, not paragraphs
    assert lines[0].startswith("Mixture, squared loss: O(log 1/eps) holds, to eps = 7e-11")
    assert lines[1] == "Mixture, logistic loss: O(log 1/eps) does not hold: like eps^-0.91."
    assert lines[2] == (
        "One transformer: a power of 1/eps holds in 5 of 6 settings, to the end in 4."
    )
    assert "1e-20 at least" in lines[3]
    assert "holds for cubic" in lines[3]
    assert "p = 0.98" in lines[4]
    assert "further down, 16 heads: log below 4e-08" in lines[4]
    # control: other data, other words
    main = tables.main.copy()
    mixture = main["case"] == "mot-squared"
    main.loc[mixture & (main["epsilon"] < 1e-4), ["step", "stage_step"]] = -1
    other = conclusion(judge(type(tables)("rates", tables.meta, main, {})))
    assert other[0].startswith("Mixture, squared loss: O(log 1/eps) ")
    assert "holds" not in other[0]
    assert "holds for cubic" not in other[3]
    heads = main["case"] == "single-16-squared"
    other = conclusion(
        judge(type(tables)("rates", tables.meta, main[~heads | (main["epsilon"] > 1e-8)], {}))
    )
    assert "to the end" not in other[2]
    assert "further down" not in other[4]
    assert conclusion(findings[:3]) == []


def test_every_verdict_on_a_law_names_the_range_of_eps(run_sweep):
    """In its own line, which tables and pages show without the evidence."""
    tables = run_sweep("rates")
    findings = {finding.case: finding for finding in judge(tables)}
    ends = {"mot-squared": "6e-02 to 1e-07", "single-1-logistic": "6e-03 to 1e-12"}
    for case, text in ends.items():
        assert findings[case].measured.endswith(f", {text}")
    for case, finding in findings.items():
        assert re.search(
            r" to \de-\d\d|smallest eps reached|e-\d\d only|below \de-\d\d:", finding.measured
        ), case
    # control: it is the range that was judged, not the one of the sweep file
    main = tables.main
    rows = main[(main["case"] == "mot-squared") & (main["epsilon"] > 0.9e-5)]
    assert rate_finding("mot-squared", rows, "log").measured.endswith("to 1e-05")


def test_every_run_is_counted(run_sweep):
    tables = run_sweep("rates")
    for finding in judge(tables):
        rows = tables.main[tables.main["case"] == finding.case]
        assert f" of {rows['run'].nunique()} runs" in finding.evidence
    assert np.isfinite(tables.main["epsilon"]).all()


def test_nothing_is_concluded_from_a_part_of_the_settings(run_sweep):
    assert conclusion(judge(run_sweep("rates"))) == []
