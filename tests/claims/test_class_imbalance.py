"""Unequal classes on the quick tier, and settings that must turn the verdicts."""

from dataclasses import replace
from itertools import product

import numpy as np
import pytest

from motsim.claims import _classes, class_imbalance
from motsim.claims._classes import class_law, shares_of_race
from motsim.claims._race import hitting_steps, race
from motsim.claims.class_imbalance import judge
from motsim.mixture.occupancy import coupon_collector, unequal_coupons
from motsim.plans.loading import load_sweep


def verdicts(findings):
    return {finding.case: finding.verdict for finding in findings}


def test_coupons_by_enumeration():
    """Three draws of three classes and of none, written out."""
    p = [0.5, 0.3, 0.1, 0.1]  # the last is none of the classes
    total = sum(
        np.prod([p[i] for i in draws])
        for draws in product(range(4), repeat=4)
        if {0, 1, 2} <= set(draws)
    )
    assert unequal_coupons(p[:3], 4) == pytest.approx(total, rel=1e-12)
    assert unequal_coupons([0.25] * 4, 9) == pytest.approx(coupon_collector(4, 9))


def test_the_first_to_blow_up_wins_where_all_overlaps_are_positive():
    """da = p a^2 has 1/a(t) = 1/a(0) - p t: the largest p a(0) wins, by small steps."""
    rng = np.random.default_rng(0)
    along = np.abs(rng.normal(0, 0.003, (400, 4)))
    law = np.array(class_law(1.0))
    found = race(along, 0 * along, law, kappa=np.inf, rate=1e-5, steps=20000)
    decided = found >= 0
    assert decided.mean() > 0.9
    np.testing.assert_array_equal(found[decided], (law * along).argmax(axis=1)[decided])
    assert (found[decided] != along.argmax(axis=1)[decided]).mean() > 0.1  # control: equal classes


def test_what_leaks_through_attention_lets_a_common_class_win_from_below():
    along, across = np.array([[-0.002, 3e-5]]), np.array([[0.003, 0.0]])
    law = np.array([0.8, 0.2])
    assert race(along, across, law, kappa=8.0, rate=1e-5, steps=8000)[0] == 0
    assert race(along, across, law, kappa=np.inf, rate=1e-5, steps=8000)[0] == 1


def test_late_the_rarest_class_alone_is_left():
    law = np.array(class_law(1.5))
    first, last = hitting_steps(law, np.array([1e-10, 1e-12]), start=0.85, rate=0.01)
    assert last - first == pytest.approx(2 * np.log(10) / (-2 * np.log1p(-0.09 * law[-1])), abs=2)
    back = hitting_steps(law, np.array([1e-12, 1e-10]), start=0.85, rate=0.01)
    assert back.tolist() == [last, first]


def test_prediction_and_sweep_have_the_same_settings():
    for cell in load_sweep("class-imbalance").cells("full", {}, 1):
        s = cell.settings
        assert (s.num_classes, s.attention_scale, s.init_std) == (
            4,
            _classes.KAPPA,
            _classes.INIT_STD,
        )
        assert (s.specialize_rate, s.converge_rate) == (_classes.RATE, _classes.LATE_RATE)
        if cell.labels["case"] == "choice":
            assert s.specialize_steps == _classes.LENGTH
        if cell.labels["case"] == "rate":
            assert s.specialize_steps * s.specialize_rate == pytest.approx(_classes.START)


def test_another_class_law_is_refused(run_sweep, monkeypatch):
    """Runs of a = 1 and 2 against what is derived for a = 0.6 and 1.2."""
    tables = run_sweep("class-imbalance")
    true = class_law

    def other(exponent):
        return true(0.6 * exponent)

    monkeypatch.setattr(_classes, "class_law", other)
    monkeypatch.setattr(class_imbalance, "class_law", other)
    found = verdicts(judge(tables))
    assert found["choice"] == "fails"
    assert found["shares"] == "fails"
    assert found["coverage"] != "holds"
    assert found["rate"] == "fails"


def test_without_what_leaks_the_race_is_refused(run_sweep, monkeypatch):
    monkeypatch.setattr(_classes, "KAPPA", 30.0)
    assert verdicts(judge(run_sweep("class-imbalance")))["choice"] == "fails"
    assert shares_of_race(2.0, 30.0)[0] < shares_of_race(2.0, 8.0)[0] - 0.03


def test_a_fast_gate_interferes_with_the_race(run_sweep):
    """Mechanism: experts no longer choose alone."""
    tables = run_sweep("class-imbalance", seeds=8, cases=["choice", "coverage"],
                       gate_rate=300.0, specialize_steps=850)  # fmt: skip
    assert verdicts(judge(tables))["choice"] == "fails"


def test_few_experts_are_not_enough(run_sweep):
    """M = 8 in the place of M = 41."""
    tables = run_sweep("class-imbalance", seeds=20, cases=["coverage"])
    main = tables.main[(tables.main["num_experts"] == 8) & (tables.main["class_exponent"] == 2.0)]
    moved = replace(tables, main=main.assign(case="enough", num_experts=41))
    assert verdicts(judge(moved))["enough-race"] == "fails"


def test_plateaus_of_other_runs_name_nothing(run_sweep):
    """Seeds of what is predicted moved by one against those that were measured."""
    tables = run_sweep("class-imbalance")
    steep = tables.main["case"] == "steep"
    moved = tables.main["seed"].where(~steep, (tables.main["seed"] + 1) % 48)
    other = replace(tables, main=tables.main.assign(seed=moved))
    assert verdicts(judge(other))["steep-which"] != "holds"


def test_shuffled_labels_leave_nothing(run_sweep):
    tables = run_sweep("class-imbalance", seeds=6, cases=["rate", "choice"], shuffle_labels=True)
    assert "holds" not in verdicts(judge(tables)).values()


def test_one_seed_concludes_nothing(run_sweep):
    tables = run_sweep("class-imbalance")
    others = {name: t[t["seed"] == 0] for name, t in tables.others.items()}
    found = judge(replace(tables, main=tables.main[tables.main["seed"] == 0], others=others))
    few = {f.case: f.verdict for f in found if f.case not in ("choice", "shares")}
    assert set(few.values()) == {"inconclusive"}
