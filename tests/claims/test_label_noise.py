"""Label noise on the quick tier, and settings that must turn the verdicts."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import minimize_scalar

from motsim.claims import label_noise
from motsim.claims.label_noise import floor_of, judge, per_decade
from motsim.plans.loading import load_sweep
from motsim.rates import decide


def verdicts(findings):
    return {finding.case: finding.verdict for finding in findings}


def loss(kind, output):
    """Loss of an output for the label 1."""
    return 0.5 * (1 - output) ** 2 if kind == "squared" else np.log1p(np.exp(-output))


@pytest.mark.parametrize("kind", ["squared", "logistic"])
@pytest.mark.parametrize("flip", [0.05, 0.1, 0.3])
def test_floor_and_rate_by_minimizing_the_mean_over_flips(kind, flip):
    """One number a with output a^3: its minimum, its curvature, and descent towards it."""

    def mean(a):
        return (1 - flip) * loss(kind, a**3) + flip * loss(kind, -(a**3))

    best = minimize_scalar(mean, bracket=(0.5, 1.0), tol=1e-14).x
    assert loss(kind, best**3) == pytest.approx(floor_of(kind, flip), rel=1e-6)
    h = 1e-4
    curvature = (mean(best + h) - 2 * mean(best) + mean(best - h)) / h**2 / 4
    steps = np.log(10) / -np.log1p(-label_noise.RATES[kind] * curvature)
    assert per_decade(kind, flip) == pytest.approx(steps, rel=1e-3)
    assert floor_of(kind, flip) < mean(best)  # the loss with flips ends elsewhere


def test_prediction_and_sweep_have_the_same_settings():
    for cell in load_sweep("label-noise").cells("full", {}, 1):
        s, case = cell.settings, cell.labels["case"]
        assert s.num_classes == label_noise.NUM_CLASSES
        if case in label_noise.RATES:
            assert s.loss == case
            assert s.converge_rate == label_noise.RATES[case]
        target = 1 - 2 * s.label_flip
        if case == "share-short":
            assert s.specialize_steps == pytest.approx(850 * target ** (1 / 3), abs=1)
        if case == "share-fast-gate":
            preset = 10.0 * 4 * s.num_experts / 64
            assert s.gate_rate == pytest.approx(preset / target**2, rel=1e-9)


def test_other_flips_are_refused(run_sweep):
    """Runs at q = 0.05 and 0.1 said to be at a tenth more."""
    tables = run_sweep("label-noise")
    near = {0.05: 0.055, 0.1: 0.11, 0.15: 0.165}

    def moved(table):
        return table.assign(label_flip=table["label_flip"].replace(near))

    other = replace(
        tables, main=moved(tables.main), others={n: moved(t) for n, t in tables.others.items()}
    )
    found = verdicts(judge(other))
    assert found["floor-squared"] == "fails"
    assert found["floor-logistic"] == "fails"


@pytest.mark.parametrize("kind", ["squared", "logistic"])
def test_another_step_size_is_refused(run_sweep, monkeypatch, kind):
    rates = {name: rate * (1.1 if name == kind else 1.0) for name, rate in
             label_noise.RATES.items()}  # fmt: skip
    monkeypatch.setattr(label_noise, "RATES", rates)
    assert verdicts(judge(run_sweep("label-noise")))[f"steps-{kind}"] == "fails"


def test_a_wrong_floor_ends_the_logarithm(run_sweep, monkeypatch):
    """A floor that is too low by 1e-4: the excess stops there."""
    true = floor_of
    monkeypatch.setattr(label_noise, "floor_of", lambda kind, flip: true(kind, flip) - 1e-4)
    found = verdicts(judge(run_sweep("label-noise")))
    assert found["law-squared"] != "holds"
    assert found["law-logistic"] != "holds"


def test_without_flips_the_logistic_loss_has_no_logarithm(run_sweep):
    """Control: the same curve reader and the same decision give a power."""
    tables = run_sweep("label-noise", seeds=3, cases=["logistic"], label_flip=1e-9,
                       converge_steps=8000)  # fmt: skip
    flip = 1e-9
    labeled = [t.assign(label_flip=flip) for t in (tables.main, tables.others["curve"])]
    tables = replace(tables, main=labeled[0], others={"curve": labeled[1]})
    targets = 10.0 ** np.linspace(-1, -4, 13)
    hits, budgets = label_noise.excess(tables, "logistic", flip, targets)
    assert decide(targets, hits, budgets, watched=budgets).law in ("power", "inverse")


def test_remedies_without_their_remedy_are_refused(run_sweep):
    """The preset's runs in the place of both remedies'."""
    tables = run_sweep("label-noise")
    main = tables.main
    plain = main[(main["case"] == "share") & (main["label_flip"] == 0.45)]
    kept = main[~main["case"].isin(["share-short", "share-fast-gate"])]
    for case in ("share-short", "share-fast-gate"):
        other = replace(tables, main=pd.concat([kept, plain.assign(case=case)]))
        assert verdicts(judge(other))[case] != "holds"


def test_without_a_gate_or_labels_nobody_specializes(run_sweep):
    for broken in ({"gate_rate": 0.0}, {"shuffle_labels": True}):
        tables = run_sweep("label-noise", seeds=20, cases=["share"], **broken)
        assert verdicts(judge(tables))["share-weak"] == "fails"


def test_one_seed_concludes_nothing(run_sweep):
    tables = run_sweep("label-noise")
    others = {name: t[t["seed"] == 0] for name, t in tables.others.items()}
    found = judge(replace(tables, main=tables.main[tables.main["seed"] == 0], others=others))
    assert {f.verdict for f in found} == {"inconclusive"}
