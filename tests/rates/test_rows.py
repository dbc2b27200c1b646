"""Rows that other people's logs have: NaN, zeros, copies, any step; each with its control."""

import numpy as np
import pandas as pd
import pytest

from motsim.rates import decide, hitting_times, rate
from tests.rates.exact_curves import exponential, frame, log_hits
from tests.rates.synthetic import (
    FACTORS,
    grid,
)

# --- diverged, or not logged ----------------------------------------------------------------------


def test_nan_to_the_end_is_diverged():
    steps, loss = exponential()
    loss[:, 400:] = np.nan
    found = rate(frame(steps, loss))
    assert found.law == "inconclusive"
    assert "5 runs diverged" in found.decision.reason
    assert found.decision.num_diverged == 5


def test_one_of_five_diverged_is_counted_and_left_out():
    steps, loss = exponential()
    loss[2, 400:] = np.nan
    found = rate(frame(steps, loss))
    assert (found.law, found.decision.num_diverged, found.decision.num_used) == ("log", 1, 4)
    assert any("1 of 5 runs diverged (first at step 401)" in note for note in found.notes)


def test_infinity_is_diverged_even_if_numbers_follow():
    steps, loss = exponential()
    loss[:, 400] = np.inf
    assert rate(frame(steps, loss)).decision.num_diverged == 5


def test_nan_where_a_column_was_not_logged_is_dropped():
    steps, loss = exponential()
    sparse = np.where(steps % 10 == 0, loss, np.nan)
    found = rate(frame(steps, sparse))
    assert (found.law, found.decision.num_diverged) == ("log", 0)
    assert found.decision.steps_per_decade == pytest.approx(
        rate(frame(steps, loss)).decision.steps_per_decade, rel=1e-6
    )
    assert any("not logged" in note for note in found.notes)


def test_rows_of_negative_steps_are_counted():
    steps, loss = exponential()
    found = rate(frame(steps - 20, loss))
    text = "The step is negative in 95 rows of 5 of 5 runs: no T is read off there."
    assert text in found.notes
    assert min(float(c.times[0]) for c in found.curves) > 0.0
    assert not any("negative" in note for note in rate(frame(steps, loss)).notes)


# --- exact zeros ----------------------------------------------------------------------------------


def test_zeros_are_named_and_no_eps_is_read_off_them():
    steps = np.unique(np.geomspace(1.0, 1e5, 2000).round())
    loss = FACTORS[:, None] * 10.0 / steps
    loss[1, steps >= 30_000] = 0.0
    found = rate(frame(steps, loss))
    assert any("exactly 0 in 1 of 5 runs (first at step" in note for note in found.notes)
    assert found.law == "inverse"
    smallest = min(float(np.exp(-c.x[-1])) for c in found.curves)
    assert smallest > 5e-5  # the last losses are 1e-4
    eps = grid(0.5, 6)
    jump = decide(eps, hitting_times(loss, eps, steps), steps[-1])
    assert jump.decades < 4.5  # the zero passes ten eps in one step: one observation


# --- copies ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("copies", [3, 8])
def test_copies_are_one_run(copies):
    steps, loss = exponential()
    found = rate(frame(steps, loss[[0] * copies]))
    assert found.law == "inconclusive"
    assert "1 distinct run" in found.decision.reason
    assert f"{copies - 1} of {copies} runs are copies" in found.decision.warnings[0]
    eps, hits = log_hits(1e9)
    assert "1 distinct run" in decide(eps, hits[[1] * copies]).reason


def test_no_interval_has_width_zero():
    eps, hits = log_hits(1e9)
    d = decide(eps, np.concatenate([hits, hits[:2] * (1 + 1e-12)]))
    assert d.exponent_interval[0] < d.exponent < d.exponent_interval[1]
    low, high = d.steps_per_decade_interval
    assert low < d.steps_per_decade < high


# --- the grid comes from the data, steps are numbers ----------------------------------------------


def test_three_decades_are_three_decades():
    steps = np.arange(1, 1001)
    found = rate(frame(steps, FACTORS[:, None] / steps))
    assert found.decision.decades == pytest.approx(3.0, abs=1e-9)
    assert found.law == "inverse"


def test_steps_are_numbers_as_they_are():
    np.testing.assert_array_equal(
        hitting_times([1.0, 0.5, 0.1], [0.5, 0.1], [0.5, 1.5, 2.7]), [1.5, 2.7]
    )
    assert hitting_times([1.0, 0.1], [0.1], [1e18, 1e20])[0] == 1e20
    assert hitting_times([1.0, 0.1], [0.1], [1, 2]).dtype == np.int64
    steps, loss = exponential()
    whole, scaled = rate(frame(steps, loss)), rate(frame(steps * 1e17, loss))
    assert scaled.decision.steps_per_decade == pytest.approx(1e17 * whole.decision.steps_per_decade)


@pytest.mark.parametrize(
    ("steps", "message"),
    [([0.0, 1.0, 1.0], "row 2 is 1 after 1"), ([0.0, np.nan, 2.0], "row 1 is nan")],
)
def test_bad_steps_are_named_by_row(steps, message):
    with pytest.raises(ValueError, match=message):
        hitting_times([3.0, 2.0, 1.0], [1.0], steps)


@pytest.mark.parametrize("other", [0.0, 1e-13])
def test_one_curve_cut_at_several_lengths_is_one_run(other):
    steps = np.arange(1, 600)
    loss = np.exp(-0.02 * steps)
    table = pd.concat(
        pd.DataFrame(
            {"run": i, "step": steps[: 599 - i], "loss": loss[: 599 - i] * (1 + other * i)}
        )
        for i in range(5)
    )
    found = rate(table)
    assert found.law == "inconclusive"
    assert "1 distinct run" in found.sentence
    # control: as many curves of their own, cut in the same way
    own = table.assign(loss=table["loss"] ** (1.0 + 0.02 * table["run"]))
    assert rate(own).law == "log"


@pytest.mark.parametrize("unit", [1e-12, 1e-7, 1.0, 5.24e8, 1e18, 1e290])
def test_numbers_of_the_answer_are_short_whatever_the_unit_of_a_step(unit):
    steps = np.arange(1, 600)
    loss = np.exp(-0.02 * FACTORS[:, None] * steps)
    table = pd.DataFrame(loss.T).assign(hour=steps * unit).melt("hour", var_name="run")
    found = rate(table, step="hour", loss="value")
    numbers = found.sentence.split(": ")[1].split(" per decade")[0]
    assert len(numbers) < 45
    value, low, high = (float(word.strip("[],")) for word in numbers.removesuffix(" hours").split())
    assert 0.0 < low < value < high
    assert value == pytest.approx(found.decision.steps_per_decade, rel=0.05)
