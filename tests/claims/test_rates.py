"""The headline comparison, on the quick tier, and settings that must turn its verdict."""

from motsim.claims.rates import judge


def verdicts(findings):
    return {finding.case: finding.verdict for finding in findings}


def test_every_verdict_is_the_recorded_one(run_sweep):
    findings = judge(run_sweep("rates"))
    assert [f.case for f in findings if not f.as_expected] == []


def test_a_frozen_gate_turns_the_verdict(run_sweep):
    """Without a trained gate no expert serves one class: no coverage, hence no log law."""
    tables = run_sweep("rates", seeds=3, cases=["mot-squared"], gate_rate=0.0)
    assert verdicts(judge(tables))["mot-squared"] != "holds"


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
