"""Coverage on the quick tier, and settings that must turn its verdicts."""

import pandas as pd
import pytest

from motsim.claims.coverage import judge
from motsim.mixture.occupancy import coupon_collector, distinct_choices
from motsim.results.tables import Tables


def verdicts(findings):
    return {finding.case: finding.verdict for finding in findings}


@pytest.mark.parametrize("broken", [{"gate_rate": 0.0}, {"shuffle_labels": True}])
def test_a_gate_or_labels_without_meaning_turn_the_verdicts(run_sweep, broken):
    judged = verdicts(judge(run_sweep("coverage", seeds=20, cases=["cubic-4"], **broken)))
    assert judged["cubic-4"] == "fails"
    assert judged["cubic-at-least"] == judged["cubic-enough"] == "fails"


def test_a_generic_start_of_linear_experts_turns_the_verdicts(run_sweep):
    tables = run_sweep("coverage", seeds=20, cases=["linear-4"], orthogonal_start=False)
    judged = verdicts(judge(tables))
    assert judged["linear-at-least"] == "fails"


def test_the_other_activations_data_turn_the_verdicts(run_sweep):
    """Linear experts do not follow the coupon collector, nor cubic ones the collision formula.

    By 80 seeds: 40 leave the question open.
    """
    names = [f"{kind}-{n}" for kind in ("linear", "cubic") for n in (4, 8)]
    tables = run_sweep("coverage", seeds=80, cases=names)
    cases = tables.main["case"].astype(str)
    main = tables.main.assign(
        case=cases.where(~cases.isin(["linear-4", "linear-8"]), "cubic-" + cases.str[-1])
    )
    main = main[cases.isin(["linear-4", "linear-8"])]
    judged = verdicts(judge(Tables("coverage", tables.meta, main, {})))
    assert judged["cubic-8"] == judged["cubic-at-least"] == "fails"
    assert judged["cubic-enough"] != "holds"
    main = tables.main[cases.isin(["cubic-4", "cubic-8"])]
    # distinct specialized classes are counted by used_experts for a first choice
    main = main.assign(
        case="first-choice-" + main["case"].str[-1], used_experts=main["covered_classes"]
    )
    judged = verdicts(judge(Tables("coverage", tables.meta, main, {})))
    assert judged["first-choice"] == "fails"


def test_little_or_no_data_is_inconclusive(run_sweep):
    tables = run_sweep("coverage")
    few = tables.main[tables.main["seed"] < 3]
    empty = pd.DataFrame()
    diverged = few.assign(status="diverged", covered_classes=float("nan"))
    for main in (few, few.head(1), empty, diverged):
        judged = judge(Tables("coverage", tables.meta, main, {}))
        assert {f.verdict for f in judged} <= {"inconclusive"}


def test_formulas_by_hand():
    assert coupon_collector(2, 2) == pytest.approx(0.5)
    assert coupon_collector(4, 3) == pytest.approx(0.0, abs=1e-12)
    assert distinct_choices(2, 2) == pytest.approx(0.5)
    assert distinct_choices(4, 3) == 0.0
