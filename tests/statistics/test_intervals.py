"""Intervals without ends: equal values, few seeds, a statistic that one seed decides."""

import re

import numpy as np
import pytest

from motsim.claims import Finding, Interval, Verdict
from motsim.statistics.intervals import (
    jackknife_interval,
    least_interval,
    mean_interval,
    mean_share_interval,
)


@pytest.mark.parametrize(
    "interval",
    [mean_interval, lambda x: jackknife_interval(x, np.mean), lambda x: least_interval([x, x])],
    ids=["mean", "jackknife", "least"],
)
def test_equal_values_are_no_interval(interval):
    for n in (3, 5, 8):
        same = interval(np.full(n, 0.1))
        assert same.constant
        assert same.value == same.low == pytest.approx(0.1)
        found = Finding("case", "", f"{same}", Verdict.FAILS, "", same).interval
        assert np.isnan([found.low, found.high]).all()
        assert found.value == same.value
        assert str(same) == "0.10 (the same in every run)"
    few = interval([0.1, 0.1, 0.1, 0.1001])  # negative control
    assert few.low < few.value < few.high
    assert "[" in str(few)


def test_equal_shares_still_have_an_interval():
    found = mean_share_interval(np.ones(60))
    assert (found.low, found.high) == pytest.approx((0.9375, 1.0), abs=2e-3)
    assert mean_share_interval(np.zeros(3)).high > 0.8


@pytest.mark.parametrize("n", [0, 1, 2])
def test_few_seeds_have_no_ends(n):
    for interval in (mean_interval, mean_share_interval):
        assert endless(interval(np.linspace(0.2, 0.4, n)))
    assert endless(jackknife_interval(np.ones((n, 2)), np.mean))
    assert endless(least_interval([np.arange(5.0), np.arange(float(n))]))


def endless(interval):
    return bool(np.isnan([interval.low, interval.high]).all())


def test_a_statistic_that_one_seed_decides_has_no_ends():
    found = jackknife_interval([1.0, 2.0, 3.0], lambda x: 1.0 if x.max() > 2 else np.nan)
    assert found.value == 1.0
    assert endless(found)


@pytest.mark.parametrize(
    ("numbers", "form", "text"),
    [
        ((1.0, 0.9, 1.1), ".2f", "1.00 [0.90, 1.10]"),
        ((1.0, 0.99996, 1.00004), "+.2f", "+1.00000 [+0.99996, +1.00004]"),
        ((0.0, -1e-12, 1e-12), ".3f", "0 [-1e-12, 1e-12]"),
        ((0.339, 0.28, 0.39), ".3g", "0.339 [0.28, 0.39]"),
        ((1.7, 1.7, np.inf), ".2f", "1.70 [1.70, inf]"),
        ((np.nan, np.nan, np.nan), ".2f", "nan [nan, nan]"),
    ],
)
def test_two_ends_are_told_apart(numbers, form, text):
    assert format(Interval(*numbers), form) == text
    low, high = re.search(r"\[(.*), (.*)\]", text).groups()
    assert low != high or low == "nan"
