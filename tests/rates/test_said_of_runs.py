"""What is said of runs: ranges, zeros, advice, units and refusals that a reader can act on."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from motsim.rates import decide, ranges, rate
from motsim.rates.advice import run_on
from motsim.rates.curves import make_curve
from motsim.rates.judgement import exponent_text
from motsim.rates.reading import ReadingError, read
from tests.rates.synthetic import FACTORS, grid

LN10 = np.log(10.0)


def frame(steps, loss):
    return pd.DataFrame(np.transpose(loss), index=pd.Index(steps, name="step"))


def logarithm(decades, num_steps=700):
    steps = np.arange(1, num_steps + 1)
    return steps, 10.0 ** (-decades * steps / num_steps / FACTORS[:, None])


# --- what one step passes over --------------------------------------------------------------------


def bursting(last_row):
    """Bursts up to 1e-4 to near the end; from `last_row` on the loss stays low."""
    steps, loss = logarithm(7.0)
    up = (steps % 10 == 0) | (steps == last_row - 1)
    return steps, np.where(up & (steps < last_row), np.maximum(loss, 1e-4), loss)


@pytest.mark.parametrize("last_row", [700, 690])
def test_range_of_a_loss_that_stays_ends_before_the_last_leap(last_row):
    steps, loss = bursting(last_row)
    stay = rate(frame(steps, loss), passage="stay")
    assert stay.law == "log"
    assert 0.9e-4 < stay.decision.eps_range[0] < 2e-4
    control = rate(frame(steps, loss))  # first passage reads all of it
    assert control.decision.eps_range[0] < 1e-6


def test_a_loss_that_stands_still_stays_where_it_stands():
    """Control: what rows after it support is kept."""
    steps, loss = logarithm(7.0)
    plateau = np.maximum(loss, 3e-5 * FACTORS[:, None])
    stay = rate(frame(steps, plateau), passage="stay")
    assert stay.decision.eps_range[0] < 4e-5
    assert all(np.isfinite(curve.bound) for curve in stay.curves)


# --- below a change of regime ---------------------------------------------------------------------


SEEDS = range(500, 506)


def two_terms(seed):
    rng = np.random.default_rng([seed, 7])
    eps = grid(0.0, 8.0, per_decade=8)
    own = np.exp(0.2 * rng.normal(size=(6, 1)))
    return eps, own * (1.0 + 300.0 * np.log(1.0 / eps) + 10.0 ** rng.uniform(-3, 0) / eps)


def found_below_a_change(seeds):
    found = [decide(*two_terms(seed), num_bootstrap=200) for seed in seeds]
    return [d for d in found if d.law in ("inverse", "power") and d.tried > 1]


def test_interval_below_a_change_of_regime_holds_what_the_smaller_half_says(monkeypatch):
    """Control: without it the bend that all curves share is in no interval."""

    def share(found):
        return np.mean([low <= 1.0 <= high for low, high in (d.exponent_interval for d in found)])

    wide = found_below_a_change(SEEDS)
    assert len(wide) >= 4
    assert {d.law for d in wide} == {"inverse"}
    for d in wide:  # the reason names the same interval
        assert exponent_text(d.exponent, d.exponent_interval) in d.reason
    monkeypatch.setattr(ranges, "with_tail", lambda found: found)
    narrow = found_below_a_change(SEEDS)
    assert [d.law for d in narrow] == [d.law for d in wide]
    assert share(wide) > share(narrow) + 0.3


# --- zeros, advice, units -------------------------------------------------------------------------


def test_a_zero_in_every_run_may_be_a_floor_or_a_step():
    steps, loss = logarithm(4.0)
    loss[:, -1] = 0.0
    found = rate(frame(steps, loss))
    assert found.law == "inconclusive"
    assert (
        "each run's least loss is exactly 0: its own minimum was subtracted, or it reached 0 in"
        " one step" in found.sentence
    )
    loss[0, -1] = loss[0, -2]
    assert "the least loss of 4 runs is exactly 0" in rate(frame(steps, loss)).sentence


def test_advice_names_no_step_that_was_passed():
    x = np.linspace(0.0, 2.0 * LN10, 30)
    curves = [make_curve(x, 100.0 * c * (0.1 + x)) for c in FACTORS]
    assert "about step" in run_on(curves, 3.0)
    assert "about step" not in run_on(curves, 3.0, end=1e9)
    assert "run to eps = 1.0e-03" in run_on(curves, 3.0, end=1e9)


@pytest.mark.parametrize(
    ("column", "unit"),
    [
        ("epoch", "epochs"),
        ("batch", "batches"),
        ("function evaluation", "function evaluations"),
        ("function evaluations", "function evaluations"),
        ("n_evals", "n_evals"),
        ("global_step", "steps"),
    ],
)
def test_units_are_plural(column, unit):
    found = replace(rate(frame(*logarithm(4.0))), step_column=column)
    assert found.unit == unit
    assert f" {unit} per decade" in found.sentence


# --- refusals -------------------------------------------------------------------------------------


def refusal(table, **named):
    with pytest.raises(ReadingError) as error:
        read(table, **named)
    return str(error.value)


def test_rows_out_of_order_within_runs_that_are_told_apart(tmp_path):
    steps, loss = logarithm(4.0, 50)
    runs = [pd.DataFrame({"run": f"a{k}", "step": steps, "loss": loss[k]}) for k in range(3)]
    table = pd.concat(runs, ignore_index=True)
    path = tmp_path / "table.csv"
    table.sample(frac=1.0, random_state=0).to_csv(path, index=False)
    said = refusal(path)
    assert "within run a" in said
    assert "sort the rows by step" in said
    assert "no column tells" not in said
    table.assign(step=(table.step + 1) // 2).to_csv(path, index=False)
    said = refusal(path)
    assert "comes again" in said
    assert "a run has one loss at a step" in said
    assert "no column tells" not in said


def test_only_columns_that_rise_are_offered_as_steps(tmp_path):
    _, loss = logarithm(4.0, 50)
    path = tmp_path / "wide.csv"
    wide = pd.DataFrame(loss.T, columns=[f"seed{k}" for k in range(5)])
    wide.to_csv(path, index=False)
    assert refusal(path).endswith("and none rises; add the steps as a column")
    wide.assign(width=np.arange(50.0)).to_csv(path, index=False)
    assert "name one of width with --step" in refusal(path)
