"""Noise of each logged loss, and copies in other digits: what seeds as units cannot show."""

import numpy as np
import pandas as pd
import pytest

from motsim.rates import rate, runs
from motsim.rates.noise import monotone_mean, row_noise
from motsim.rates.runs import clean_run, passages
from tests.rates.synthetic import FACTORS

EXPONENTS, NOISE, GRIDS = (0.5, 1.0, 1.25), (0.03, 0.1, 0.3), ("linear", "geometric")
FIRST = 7_000_000  # seeds nothing was chosen on


def frame(steps, loss):
    return pd.DataFrame(loss.T, index=pd.Index(steps, name="step"))


def power(p, grid, rows=400, decades=3.4):
    """Steps and t^(-1/p), from step 1 on."""
    end = 10.0 ** (decades * p)
    steps = np.unique(np.round(np.geomspace(1, end, rows)))
    if grid == "linear":
        steps = np.arange(1.0, max(end, 2000.0))
    return steps, steps ** (-1.0 / p)


def noisy_power(p, grid, sigma, seed, num_seeds=6):
    """Powers with factors of their own, each logged loss with noise of its own."""
    rng = np.random.default_rng([seed, round(100 * p), round(100 * sigma)])
    steps, loss = power(p, grid)
    loss = np.exp(0.3 * rng.normal(size=(num_seeds, 1))) * loss
    return steps, loss * np.exp(sigma * rng.normal(size=loss.shape))


def held(sets, grids=GRIDS):
    """Return for each case how many intervals hold the truth, and how many sets were decided."""
    found = {}
    for p in EXPONENTS:
        for grid in grids:
            for sigma in NOISE:
                several = [
                    rate(frame(*noisy_power(p, grid, sigma, FIRST + k))).decision
                    for k in range(sets)
                ]
                decided = [d.exponent_interval for d in several if d.law != "inconclusive"]
                inside = sum(low <= p <= high for low, high in decided)
                found[p, grid, sigma] = (inside, len(decided))
    return found


@pytest.mark.parametrize("sets", [2, pytest.param(20, marks=pytest.mark.slow)])
def test_interval_holds_the_exponent_of_the_expected_loss(sets):
    found = held(sets)
    inside, decided = np.sum(list(found.values()), axis=0)
    assert decided >= 0.9 * sets * len(found), found
    assert inside >= 0.9 * decided, found
    assert all(good >= 0.7 * k - 1 for good, k in found.values()), found


def test_first_passage_of_the_noisy_loss_itself_does_not(monkeypatch):
    """Negative control: p comes out too low, in all runs alike."""
    monkeypatch.setattr(runs, "monotone_mean", lambda steps, loss: None)
    inside, decided = np.sum(list(held(2, ["linear"]).values()), axis=0)
    assert decided > 9
    assert inside < 0.2 * decided


def test_the_note_says_how_large_the_noise_is_and_what_was_done():
    words = "T(eps) is where its monotone mean (isotonic regression) passes eps."
    noisy = rate(frame(*noisy_power(1.0, "linear", 0.1, FIRST)))
    assert f"The loss is noisy from row to row (about 10 %): {words}" in noisy.notes
    assert not any("rises again" in note or "end above" in note for note in noisy.notes)
    steps, loss = power(1.0, "linear")
    exact = rate(frame(steps, FACTORS[:, None] * loss))
    assert not any("noisy" in note for note in exact.notes)


@pytest.mark.parametrize("passage", ["first", "stay"])
def test_what_cannot_be_averaged_is_said(passage):
    steps, loss = noisy_power(1.0, "linear", 0.1, FIRST)
    if passage == "first":
        loss[:, -3] = -1e-9
    found = rate(frame(steps, loss), passage=passage)
    want = "p may be low" if passage == "first" else "p may be high"
    assert [want in note for note in found.notes if "noisy" in note] == [True]
    assert found.decision.exponent < 0.98 if passage == "first" else found.decision.exponent > 1.02


def test_noise_is_measured_and_nothing_else_taken_for_it():
    rng = np.random.default_rng(FIRST)
    steps, loss = power(1.0, "linear")
    for sigma in NOISE:
        assert row_noise(loss * np.exp(sigma * rng.normal(size=loss.size))) == pytest.approx(
            sigma, rel=0.1
        )
    others = {
        "smooth": loss,
        "waves": loss * (1.0 + 0.5 * np.sin(steps / 7.0)),
        "zigzag": loss * (1.0 + 0.3 * (-1.0) ** steps),
        "three digits": np.array([float(f"{value:.3g}") for value in loss]),
        "bursts": np.where(rng.random(loss.size) < 0.05, 50.0 * loss, loss),
        "late rise": np.where(steps > 2200, 30.0 * loss, loss),
    }
    assert {name: row_noise(values) for name, values in others.items()} == dict.fromkeys(others, 0)
    few = loss[:30] * np.exp(0.3 * rng.normal(size=30))
    assert row_noise(few) == 0.0


@pytest.mark.parametrize("what", ["bursts", "rise"])
def test_bursts_and_rises_of_a_noisy_loss_do_not_move_its_passage(what):
    rng = np.random.default_rng(FIRST)
    steps, loss = power(1.0, "linear")
    noisy = loss * np.exp(0.1 * rng.normal(size=loss.size))
    up = (rng.random(loss.size) < 0.02) if what == "bursts" else steps > 2000
    risen = np.where(up, 100.0 * noisy, noisy)
    mean = monotone_mean(steps, risen)
    middle = (mean.steps > 20) & (mean.steps < 2000)
    assert np.all(np.abs(np.log(mean.loss * mean.steps))[middle] < 0.15)
    assert np.array_equal(mean.rows[up], risen[up])
    if what == "rise":
        assert mean.end <= 2000
    found = rate(frame(steps, FACTORS[:, None] * risen))
    assert any("rises again" in note for note in found.notes)


def test_rises_of_a_smooth_loss_are_left_as_they_are():
    """First passage reads a smooth loss to the row, however it rises later."""
    steps, loss = power(1.0, "geometric")
    rng = np.random.default_rng(FIRST)
    up = np.where(rng.random(loss.size) < 0.05, 100.0, 1.0)
    up[-40:] = 1000.0
    run = clean_run("0", steps, loss * up)
    times, eps = passages(run)
    np.testing.assert_array_equal(times, steps[up == 1.0])
    np.testing.assert_array_equal(eps, loss[up == 1.0])


def test_a_noisy_loss_that_stands_still_has_stopped():
    """Control: the monotone mean sees a plateau; the same runs without it have none."""
    rng = np.random.default_rng(FIRST)
    steps, loss = power(1.0, "geometric", decades=6.0)
    own = FACTORS[:, None]
    shake = np.exp(0.1 * rng.normal(size=(5, steps.size)))
    stopped = rate(frame(steps, (own * loss + 2e-4) * shake))
    assert stopped.law == "floor"
    assert stopped.decision.floor == pytest.approx(2e-4, rel=0.1)
    assert rate(frame(steps, own * loss * shake)).law == "inverse"


# --- copies in other digits or rows ---------------------------------------------------------------


def wavy(num_rows=600):
    steps = np.arange(1.0, num_rows + 1)
    return steps, 3.0 * np.exp(-steps / 40.0) * (1.0 + 0.02 * np.sin(steps / 7.0))


def table(*parts):
    """Long table of runs with steps of their own."""
    return pd.concat(
        [pd.DataFrame({"run": f"r{k}", "step": s, "loss": v}) for k, (s, v) in enumerate(parts)],
        ignore_index=True,
    )


def test_one_curve_in_other_digits_is_one_run():
    steps, loss = wavy()
    single = loss.astype(np.float32).astype(float)
    printed = np.array([float(f"{value:.6g}") for value in loss])
    found = rate(table((steps, loss), (steps, single), (steps, printed)))
    assert found.law == "inconclusive"
    assert found.decision.num_copies == 2
    assert "1 distinct run" in found.decision.reason


def test_one_curve_in_other_rows_is_one_run():
    steps = np.geomspace(1.0, 1e5, 3000)
    loss = 2.0 / steps * (1.0 + 0.02 * np.sin(3.0 * np.log(steps)))
    for parts in (
        [slice(k, None, 3) for k in range(3)],  # no step in common
        [slice(None, None, k) for k in (1, 2, 5)],  # every step of the shorter ones
        [slice(None, stop) for stop in (3000, 2500, 2000)],  # cut at three lengths
    ):
        found = rate(table(*[(steps[part], loss[part]) for part in parts]))
        assert found.decision.num_copies == 2, parts


def test_seeds_that_differ_by_a_thousandth_are_no_copies():
    """Control: so are seeds that begin alike, and rows that are too far apart to compare."""
    steps, loss = wavy()
    near = [(steps, loss * factor) for factor in (1.0, 1.001, 0.999)]
    assert rate(table(*near)).decision.num_copies == 0
    rng = np.random.default_rng(FIRST)
    shaken = [(steps, loss * np.exp(1e-3 * rng.normal(size=loss.size))) for _ in range(3)]
    assert rate(table(*shaken)).decision.num_copies == 0
    slow = [(steps, np.where(steps <= 300, 1.0, np.exp(-(steps - 300) / k))) for k in (20, 22, 24)]
    assert rate(table(*slow)).decision.num_copies == 0
