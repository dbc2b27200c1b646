"""The ratio of steps: equal, bounded from one side, left to those that come to it."""

import numpy as np
import pytest

from motsim.claims import Interval
from motsim.claims._steps import step_ratio
from tests.claims.step_tables import steps


def test_the_same_steps_with_every_seed_are_said_to_be_equal():
    ours = steps(np.linspace(7.0, 7.2, 7))
    found = step_ratio(ours, ours, 1e-3, 4)
    assert found.interval == Interval(1.0, 1.0, 1.0)
    longer = ours.assign(step=ours["step"] * [1.2, 1.3, 1.4, 1.5, 1.6, 1.7, 1.8])
    found = step_ratio(longer, ours, 1e-3, 4).interval
    assert [found.low, found.value, found.high] == pytest.approx([1.2, 1.5, 1.8])


def test_runs_that_stopped_bound_the_ratio_from_one_side():
    ours = steps(np.linspace(5.0, 5.2, 8))
    stopped = steps(np.full(8, 6.9)).assign(step=-1, num_steps=800.0)
    found = step_ratio(stopped, ours, 1e-3, 4)
    assert (found.late, found.interval.high) == (8, np.inf)
    assert 1.0 < found.interval.low < found.interval.value
    assert str(found).startswith(">= ")
    turned = step_ratio(ours, stopped, 1e-3, 4)
    assert (turned.reference_late, turned.interval.low) == (8, 0.0)
    assert turned.interval.value < turned.interval.high < 1.0
    assert str(turned).startswith("<= ")
    neither = step_ratio(stopped, stopped, 1e-3, 4).interval
    assert (neither.low, neither.high) == (0.0, np.inf)


def test_a_few_runs_that_stopped_or_do_not_succeed_leave_the_ratio_to_the_others():
    """One run does not cover, one diverges, one of each stops: outcomes and bounds, no NaN."""
    ours = steps(np.full(20, 5.0)).assign(covered_classes=[4] * 19 + [3])
    theirs = steps(5.0 + np.linspace(0.4, 0.6, 20))
    theirs["status"] = theirs["status"].mask(theirs["seed"] == 0, "diverged")
    for rows, seed in ((ours, 9), (theirs, 10)):
        rows.loc[rows["seed"] == seed, ["step", "num_steps"]] = -1.0, 1e4
    found = step_ratio(theirs, ours, 1e-3, 4)
    assert (found.pairs, found.late, found.reference_late, found.sign) == (18, 1, 1, "")
    shares = [became.interval().value for became in (found.baseline, found.reference)]
    assert shares == [0.95, 0.95]
    ends = found.interval
    assert np.exp(0.4) < ends.low < np.exp(0.5) < ends.high < np.exp(0.6)
