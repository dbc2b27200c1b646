"""Floors, laws and constants off the clean point, and settings that must turn their verdicts."""

from dataclasses import replace

import numpy as np
import pytest

from motsim.claims import approximation_error
from motsim.claims._expert import best_expert, gate_steps
from motsim.claims.approximation_error import floor_of, judge
from motsim.mixture.data import Mixture, make_signals
from motsim.mixture.points import population
from motsim.plans.loading import load_sweep

FROZEN_CASES = ["signal-narrow", "signal-middle", "signal-wide"]


def verdicts(findings):
    return {finding.case: finding.verdict for finding in findings}


def test_without_attention_the_floor_is_the_closed_form():
    """Near-identity attention at large kappa: (1 - E[a^3]^2 / E[a^6]) / 2."""
    data = Mixture(2, 4, signal_amplitude=(0.8, 1.2))
    floor, curvatures = best_expert(population(data, make_signals(data)), 0, 60.0)
    cube, sixth = (1.2**4 - 0.8**4) / 1.6, (1.2**7 - 0.8**7) / 2.8
    assert floor == pytest.approx(0.5 * (1 - cube**2 / sixth), rel=1e-6)
    assert curvatures[-1] > 100 * abs(curvatures[0])


def test_the_clean_point_has_no_floor_and_the_curvature_nine():
    data = Mixture(2, 4)
    floor, curvatures = best_expert(population(data, make_signals(data)), 0, 60.0)
    assert floor < 1e-20
    assert curvatures[-1] == pytest.approx(9.0, rel=1e-4)


def test_the_late_gate_falls_like_the_least_amplitude_squared():
    found = gate_steps(
        (0.7, 1.3), [1e-8, 1e-9], num_classes=4, num_experts=16, gate_rate=10.0, num_nodes=4
    )
    least = 1.0 - 0.3 * np.polynomial.legendre.leggauss(4)[0][-1]
    slope = 4 * 15 / (4 * 10.0 * 16 * least**2)
    assert found[1] == pytest.approx(slope * (1e9 - 1e8), rel=0.02)


def test_prediction_and_sweep_have_the_same_settings():
    cells = load_sweep("approximation-error").cells("full", {}, None)
    for cell in cells:
        case = cell.labels["case"]
        kind = case.split("-")[0]
        if case in approximation_error.AMPLITUDES:
            amplitude = tuple(cell.values[f"{kind}_amplitude"])
            assert amplitude == approximation_error.AMPLITUDES[case]
        else:
            assert {k: cell.values[k] for k in approximation_error.NOISE} == (
                approximation_error.NOISE
            )
            assert cell.values["noise_replicates"] == approximation_error.REPLICATES


@pytest.mark.parametrize("factor", [0.9, 1.1], ids=str)
def test_the_floor_of_another_amplitude_is_refused(run_sweep, monkeypatch, factor):
    """Ranges a tenth narrower or wider than those trained on."""
    other = {
        case: ((1 + factor) / 2 * low + (1 - factor) / 2 * high,
               (1 - factor) / 2 * low + (1 + factor) / 2 * high)
        for case, (low, high) in approximation_error.AMPLITUDES.items()
    }  # fmt: skip
    monkeypatch.setattr(approximation_error, "AMPLITUDES", other)
    floor_of.cache_clear()
    try:
        found = verdicts(judge(run_sweep("approximation-error")))
    finally:
        floor_of.cache_clear()
    assert found["signal-floor"] == "fails"
    assert found["signal-law"] != "holds"
    assert found["class-constant"] == "fails"


def test_another_noise_is_refused(run_sweep):
    tables = run_sweep("approximation-error")
    other = replace(tables, main=tables.main.assign(noise_std=tables.main["noise_std"] * 1.5))
    assert verdicts(judge(other))["noise-floor"] == "fails"


def test_a_slow_gate_leaves_the_noise_floor(run_sweep):
    """Mechanism: the preset's gate is still saturating, its own 1/t lies on top."""
    tables = run_sweep("approximation-error", seeds=6, cases=["noise", "signal-narrow"],
                       gate_rate=10.0)  # fmt: skip
    slow = {f.case: f for f in judge(tables)}["noise-floor"]
    fast = {f.case: f for f in judge(run_sweep("approximation-error"))}["noise-floor"]
    assert slow.interval.value > fast.interval.value
    assert slow.verdict != "holds"


def test_another_gate_step_is_refused(run_sweep, monkeypatch):
    monkeypatch.setattr(approximation_error, "GATE_RATE", 11.0)
    assert verdicts(judge(run_sweep("approximation-error")))["class-constant"] == "fails"


def test_another_step_size_is_refused(run_sweep, monkeypatch):
    monkeypatch.setattr(approximation_error, "RATE", 0.011)
    assert verdicts(judge(run_sweep("approximation-error")))["signal-constant"] == "fails"


def test_shuffled_labels_turn_the_floor(run_sweep):
    tables = run_sweep("approximation-error", seeds=3, cases=FROZEN_CASES, shuffle_labels=True)
    assert verdicts(judge(tables))["signal-floor"] != "holds"


def test_one_seed_concludes_nothing(run_sweep):
    tables = run_sweep("approximation-error")
    main = tables.main[tables.main["seed"] == 0]
    others = {name: t[t["seed"] == 0] for name, t in tables.others.items()}
    found = judge(replace(tables, main=main, others=others))
    assert {f.verdict for f in found} == {"inconclusive"}
