"""What an interval says of a limit: every answer, and what must not be answered so."""

import math

import numpy as np
import pytest

from motsim.statistics.interval import Interval, Verdict, stacked

HOLDS, FAILS, OPEN = Verdict.HOLDS, Verdict.FAILS, Verdict.INCONCLUSIVE
LOW, MIDDLE, HIGH = Interval(1.0, 0.5, 1.5), Interval(2.0, 1.5, 2.5), Interval(4.0, 3.5, 4.5)
POINT = Interval(2.0, 2.0, 2.0)
NONE = (Interval(), Interval(2.0))


def test_above_needs_the_whole_interval():
    assert [one.above(2.0) for one in (LOW, MIDDLE, HIGH)] == [FAILS, OPEN, HOLDS]
    assert [one.below(2.0) for one in (LOW, MIDDLE, HIGH)] == [HOLDS, OPEN, FAILS]
    assert MIDDLE.above(1.5) is OPEN  # an end that touches the limit is not above it
    assert MIDDLE.below(2.5) is OPEN
    assert POINT.above(2.0) is POINT.below(2.0) is OPEN
    assert Interval(3.0, 2.5, math.inf).above(2.0) is HOLDS


def test_at_most_may_touch_its_limit():
    assert [one.at_most(2.0) for one in (LOW, MIDDLE, HIGH)] == [HOLDS, OPEN, FAILS]
    assert MIDDLE.at_most(2.5) is POINT.at_most(2.0) is HOLDS
    assert MIDDLE.at_most(1.5) is OPEN  # control: only an end above would fail
    assert MIDDLE.at_most(1.499) is FAILS


def test_within_needs_both_limits():
    assert [one.within(1.0, 3.0) for one in (LOW, MIDDLE, HIGH)] == [OPEN, HOLDS, FAILS]
    assert LOW.within(2.0, 3.0) is FAILS  # below, not above
    assert MIDDLE.within(1.5, 3.0) is OPEN
    assert Interval(2.0, 0.0, 9.0).within(1.0, 3.0) is OPEN  # wider than the limits
    assert MIDDLE.near(2.0, 1.5) is HOLDS
    assert MIDDLE.near(2.0, 1.2) is OPEN
    assert MIDDLE.near(0.5, 2.0) is FAILS


def test_excludes_and_contains_are_opposite_where_there_are_ends():
    for number, inside in ((1.5, True), (2.2, True), (2.5, True), (1.4, False), (2.6, False)):
        assert MIDDLE.contains(number) is inside
        assert MIDDLE.excludes(number) is not inside
    assert not math.isnan(MIDDLE.value)


@pytest.mark.parametrize("unknown", NONE, ids=["nothing", "value"])
def test_without_ends_nothing_is_decided(unknown):
    answers = {unknown.above(0.0), unknown.below(0.0), unknown.at_most(0.0)}
    assert answers | {unknown.within(-1.0, 9.0), unknown.near(2.0, 9.0)} == {OPEN}
    assert not unknown.excludes(0.0)
    assert not unknown.contains(2.0)
    assert not unknown.constant
    assert POINT.constant  # control


def test_one_missing_end_decides_on_the_other_side_only():
    known_low = Interval(2.0, low=1.0)
    assert known_low.above(0.5) is HOLDS
    assert known_low.above(3.0) is OPEN
    assert known_low.below(0.5) is FAILS


def test_verdicts_of_two_and_of_what_was_seen():
    assert [v.opposite for v in (HOLDS, FAILS, OPEN)] == [FAILS, HOLDS, OPEN]
    assert [HOLDS.both(v) for v in (HOLDS, FAILS, OPEN)] == [HOLDS, FAILS, OPEN]
    assert [OPEN.both(v) for v in (HOLDS, FAILS, OPEN)] == [OPEN, FAILS, OPEN]
    seen = [Verdict.of(holds=h, fails=f) for h in (True, False) for f in (True, False)]
    assert seen == [FAILS, HOLDS, FAILS, OPEN]


def test_verdicts_are_their_words():
    assert HOLDS == "holds"
    assert f"{FAILS:<6}|" == "fails |"
    assert Verdict("inconclusive") is OPEN
    with pytest.raises(ValueError, match="not a valid Verdict"):
        Verdict("hold")


def test_a_rising_function_goes_through_both_ends():
    assert MIDDLE.map(lambda x: 10 * x) == Interval(20.0, 15.0, 25.0)
    assert MIDDLE.map(np.log).map(np.exp).contains(2.0)
    assert type(MIDDLE.map(np.exp).low) is float


def test_what_cannot_be_a_format_is_refused():
    assert f"{MIDDLE:10^+.1f}" == "10^+2.0 [10^+1.5, 10^+2.5]"
    for form in ("f", ".f", ".2", "3"):
        with pytest.raises(ValueError, match=r"format must be like \.2f"):
            format(MIDDLE, form)


def test_stacked_is_what_figures_draw():
    value, low, high = stacked([LOW, HIGH])
    assert (value.tolist(), low.tolist(), high.tolist()) == ([1, 4], [0.5, 3.5], [1.5, 4.5])
    assert stacked([]).shape == (3, 0)
