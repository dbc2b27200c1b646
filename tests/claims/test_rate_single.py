"""Powers of single transformers and what comes below, and data that must turn the verdicts."""

import numpy as np
import pytest

from motsim.claims._powers import ENDS, power_findings, tail_finding
from motsim.claims.rate_single import judge
from motsim.results.tables import Tables


def verdicts(findings):
    return {finding.case: finding.verdict for finding in findings}


def test_the_logarithm_is_seen_only_below_the_power(run_sweep):
    """Control: the same runs above 1e-6, where all of them are a power."""
    main = run_sweep("rate-single").main
    rows = main[main["case"] == "spread"]
    assert tail_finding("spread", rows).verdict == "fails"
    above = rows[rows["epsilon"] > 1e-6]
    assert tail_finding("spread", above).verdict == "holds"


def test_logistic_loss_has_no_logarithm_to_end_in(run_sweep):
    main = run_sweep("rate-single").main
    rows = main[main["case"] == "single-1-logistic"]
    assert tail_finding("single-1-logistic", rows).verdict == "holds"


def test_one_amplitude_turns_the_spread_case(run_sweep):
    """The same settings with one amplitude are logarithmic a thousand times earlier."""
    tables = run_sweep(
        "rate-single", seeds=6, cases=["spread"], distractor_amplitude=[2.0, 2.0]
    )  # fmt: skip
    (found,) = judge(tables)
    assert found.verdict == "fails"
    begin = float(found.measured.split("below ")[1].split(":")[0])
    spread = next(f for f in judge(run_sweep("rate-single")) if f.case == "spread")
    assert begin > 100 * float(spread.measured.split("below ")[1].split(":")[0])


def test_shuffled_labels_turn_the_verdict(run_sweep):
    tables = run_sweep(
        "rate-single", seeds=3, cases=["single-1-logistic"], shuffle_labels=True,
        converge_steps=5000,
    )  # fmt: skip
    assert verdicts(judge(tables))["single-1-logistic"] != "holds"


def test_the_mixtures_data_turn_the_verdict(run_sweep):
    tables = run_sweep("rate-mot")
    rows = tables.main[(tables.main["case"] == "cubic") & (tables.main["converge_rate"] == 0.01)]
    main = rows[rows["covered_classes"] == 4].assign(case="single-4-squared")
    found = verdicts(judge(Tables("rate-single", tables.meta, main, {})))
    assert found == {"single-4-squared": "fails"}


@pytest.mark.parametrize("p", [0.5, 1.0])
def test_powers_by_construction_hold(run_sweep, p):
    tables = run_sweep("rate-single")
    main = tables.main[tables.main["case"] == "spread"].copy()
    size = 100.0 * (1.0 + 0.02 * main["seed"])
    main["step"] = main["stage_step"] = np.ceil(size * main["epsilon"] ** -p).astype(np.int64)
    found = tail_finding("spread", main)
    assert found.verdict == "holds"


def test_what_comes_below_a_power_is_a_finding_of_its_own(run_sweep):
    """A power to the end, and one that becomes a logarithm below where it is judged."""
    main = run_sweep("rate-single").main
    rows = main[main["case"] == "spread"].copy()
    (name, end), size = next(iter(ENDS.items())), 100.0 * (1.0 + 0.02 * rows["seed"])
    power = rows["epsilon"] ** -0.7
    rows["step"] = rows["stage_step"] = np.ceil(size * power).astype(np.int64)
    rows["stage_length"] = 1e15
    assert verdicts(power_findings(name, rows)) == {name: "holds", f"{name}-deep": "holds"}
    deep = rows["epsilon"] < end / 3
    log = (end / 3) ** -0.7 * (1.0 + np.log10(end / 3 / rows["epsilon"]))
    times = np.ceil(size * np.where(deep, log, power)).astype(np.int64)
    found = power_findings(name, rows.assign(step=times, stage_step=times, stage_length=1e15))
    assert verdicts(found) == {name: "holds", f"{name}-deep": "fails"}
    assert "1e-07" in found[0].measured
    (other,) = power_findings(
        "single-4-squared", rows.assign(step=times, stage_step=times, stage_length=1e15)
    )
    assert other.verdict != "holds"  # control: without its end


def test_too_little_data_is_inconclusive(run_sweep):
    tables = run_sweep("rate-single")
    one = tables.main[tables.main["seed"] == 0]
    for main in (one, one.head(1), one.assign(status="diverged"), one.head(0)):
        found = judge(Tables("rate-single", tables.meta, main, {}))
        assert {f.verdict for f in found} <= {"inconclusive"}
