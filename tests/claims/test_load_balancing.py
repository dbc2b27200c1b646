"""Return of the loss under load balancing, its mechanism, and settings that must turn verdicts."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from motsim.claims.load_balancing import (
    COURSES,
    NUM_CLASSES,
    NUM_EXPERTS,
    courses,
    judge,
    residual,
)
from motsim.experiments.mixture.run import Settings, build_model, prepare, stages
from motsim.mixture.evaluation import evaluate
from motsim.mixture.training import train

WEIGHT = 0.01


def opening(weight: float, gate_value: float, gate_rate: float, rate: float) -> float:
    """Quasi-static residual of a class while its gate opens towards one other expert.

    Both drifts together, ``r = 2 K pi (1-pi)^2 / (9 eta_3 pi^(2/3) / N + 2 eta_r (1-pi)^2 / N)``
    with ``K = eta_r c M / N^2``; `residual` once the gate is open and fast (eta_r >> eta_3).
    """
    n, pi = NUM_CLASSES, gate_value
    drift = 2.0 * gate_rate * weight * NUM_EXPERTS / n**2 * pi * (1 - pi) ** 2
    return drift / (9.0 * rate * pi ** (2 / 3) / n + 2.0 * gate_rate * (1 - pi) ** 2 / n)


def verdicts(findings):
    return {finding.case: finding.verdict for finding in findings}


@pytest.fixture(scope="module")
def classes():
    """Gate value and residual (classes,) of open gates: three runs, seeds 500000 to 500002."""
    found = []
    for seed in (500000, 500001, 500002):
        settings = Settings(
            seed=seed, load_balance=WEIGHT, align_steps=0, converge_steps=int(24 / WEIGHT)
        )
        points, start = prepare(settings)
        model = build_model(settings)
        trace = train(model, points, stages(settings), start, seed=seed)
        seen = evaluate(model, trace.parameters, points, loss="squared", with_attention=False)
        value = seen.gates[np.arange(len(points.labels)), seen.routed]
        for n in range(4):
            own = points.classes == n
            missed = 1 - points.labels[own] * seen.prediction[own]
            found.append((value[own].mean(), missed.mean()))
    gate, missed = np.array(found).T
    return gate[gate < 0.6], missed[gate < 0.6]


def test_an_open_gate_is_held_by_the_residual_that_was_derived(classes):
    """1 - pi f = c M pi / N, with the expert's drift c M pi / N up to 3 %; no number fitted."""
    gate, missed = classes
    assert len(gate) >= 6
    derived = np.array([opening(WEIGHT, pi, 10.0, 0.01) for pi in gate])
    assert np.median(missed / derived) == pytest.approx(1.0, abs=0.02)
    assert np.median(missed / [residual(WEIGHT, pi) for pi in gate]) == pytest.approx(1.0, abs=0.04)


def test_the_residual_of_another_weight_or_a_shut_gate_is_refused(classes):
    gate, missed = classes
    for wrong in (
        [residual(1.1 * WEIGHT, pi) for pi in gate],
        [residual(WEIGHT) for _ in gate],  # pi = 1
        [residual(WEIGHT, pi**2) for pi in gate],
    ):
        assert abs(np.median(missed / np.array(wrong)) - 1.0) > 0.05


def test_without_load_balancing_nothing_comes_back(run_sweep):
    """Runs without the auxiliary loss, presented as those with it."""
    tables = run_sweep("load-balancing", seeds=6, cases=[*COURSES, "weak"], load_balance=0.0)
    weights = dict(zip([*COURSES, "weak"], (0.003, 0.005, 0.01, 1e-4), strict=True))
    found = verdicts(judge(_weighted(tables, weights)))
    assert found["return"] != "holds"
    assert found["level"] != "holds"
    assert found["bound"] != "holds"


def test_one_weight_presented_as_three_has_no_exponent(run_sweep):
    tables = run_sweep("load-balancing", seeds=6, cases=[*COURSES, "weak"], load_balance=0.005)
    weights = dict(zip([*COURSES, "weak"], (0.003, 0.005, 0.01, 1e-4), strict=True))
    found = verdicts(judge(_weighted(tables, weights)))
    assert found["return-time"] != "holds"
    assert found["level"] == "fails"


def test_another_step_size_turns_the_rate(run_sweep):
    """Runs of a step size a tenth smaller, presented as those with the small weight."""
    tables = run_sweep("load-balancing")
    slow = run_sweep("load-balancing", seeds=24, cases=["weak"], converge_rate=0.009)
    weak = slow.main[slow.main["load_balance"] > 0]
    replaced = (tables.main["case"] == "weak") & (tables.main["load_balance"] > 0)
    main = pd.concat([tables.main[~replaced], weak], ignore_index=True)
    assert verdicts(judge(replace(tables, main=main)))["rate-weak"] == "fails"


def test_covering_runs_turn_the_coverage(run_sweep):
    tables = run_sweep("load-balancing")
    main = tables.main
    lucky = (main["case"] == "coverage") & (main["load_balance"] > 0)
    main = main.assign(covered_classes=main["covered_classes"].where(~lucky, 4))
    assert verdicts(judge(replace(tables, main=main)))["coverage"] != "fails"


def test_few_seeds_conclude_nothing(run_sweep):
    tables = run_sweep("load-balancing")
    for seeds in (1, 2):
        main = tables.main[tables.main["seed"] < seeds]
        others = {name: t[t["seed"] < seeds] for name, t in tables.others.items()}
        found = judge(replace(tables, main=main, others=others))
        assert {f.verdict for f in found} == {"inconclusive"}
    assert courses(replace(tables, others={})).empty


def _weighted(tables, weights):
    """An override removes its axis from the labels: put a column back."""
    others = {
        name: t.assign(load_balance=t["case"].map(weights)) for name, t in tables.others.items()
    }
    main = tables.main.assign(load_balance=tables.main["case"].map(weights))
    return replace(tables, main=main, others=others)
