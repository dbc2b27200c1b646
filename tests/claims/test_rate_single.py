"""Powers of single transformers and their mechanism, and data that must turn the verdicts."""

from motsim.claims.rate_single import judge
from motsim.results.tables import Tables


def verdicts(findings):
    return {finding.case: finding.verdict for finding in findings}


def test_every_verdict_is_the_recorded_one(run_sweep):
    assert [f.case for f in judge(run_sweep("rate-single")) if not f.as_expected] == []


def test_one_amplitude_turns_the_verdict_of_the_spread_case(run_sweep):
    """The mechanism: the same settings with one amplitude have no power law."""
    tables = run_sweep(
        "rate-single", seeds=3, cases=["spread"], distractor_amplitude=[2.0, 2.0],
        converge_steps=5000, epsilon_min=1e-10,
    )  # fmt: skip
    found = verdicts(judge(tables))
    assert set(found.values()) & {"holds"} == set()


def test_shuffled_labels_turn_the_verdict(run_sweep):
    tables = run_sweep(
        "rate-single", seeds=3, cases=["spread"], shuffle_labels=True, converge_steps=5000
    )
    assert verdicts(judge(tables))["spread 0.1"] != "holds"


def test_the_mixtures_data_turn_the_verdict(run_sweep):
    tables = run_sweep("rate-mot")
    rows = tables.main[(tables.main["case"] == "cubic") & (tables.main["converge_rate"] == 0.01)]
    main = rows.assign(case="single-4-squared", converge_rate=float("nan"))
    found = verdicts(judge(Tables("rate-single", tables.meta, main, {})))
    assert found == {"single-4-squared": "fails"}


def test_another_exponent_turns_the_mechanism(run_sweep):
    """Dominance made constant, as under a log law: it no longer explains the power."""
    tables = run_sweep("rate-single")
    table = tables.others["curvature"].assign(ffn_dominance=0.1, dominance=0.1)
    found = verdicts(judge(Tables("rate-single", tables.meta, tables.main, {"curvature": table})))
    assert found["spread 0.1 mechanism"] == "fails"


def test_too_little_data_is_inconclusive(run_sweep):
    tables = run_sweep("rate-single")
    one = tables.main[tables.main["seed"] == 0]
    for main in (one, one.head(1), one.assign(status="diverged"), one.head(0)):
        found = judge(Tables("rate-single", tables.meta, main, {}))
        assert {f.verdict for f in found} <= {"inconclusive"}
