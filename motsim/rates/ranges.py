"""Which range and which runs a law is judged on, where the whole has none; stated in advance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from motsim.rates.curves import MIN_POINTS, Curve
from motsim.rates.evidence import P
from motsim.rates.gate import MIN_DECADES
from motsim.rates.judgement import (
    FINITE,
    MIN_CURVES,
    Judgement,
    exponent_text,
    judge,
    lower_quartile,
)
from motsim.rates.laws import log_limit
from motsim.rates.regimes import Regime, find_regimes
from motsim.statistics.intervals import exact_share_interval

__all__ = ["ends", "few", "fits", "search", "without_stops"]

MAX_OTHERWISE = 0.1  # share of the runs that may decide otherwise alone
#: The same of many runs, for the upper end of its exact interval. A true share of 8 % is above a
#: tenth in one of five samples of 60: the mixture's logarithm came out in 16 of 20 fresh blocks.
SURELY_OTHERWISE = 1 / 3


def few(others: int, total: int) -> bool:
    """Whether so few of the runs decide otherwise alone that the law is that of the rest.

    >>> few(1, 10), few(2, 10), few(8, 60), few(14, 60)
    (True, False, True, False)
    """
    if others <= MAX_OTHERWISE * total:
        return True
    return exact_share_interval(others, total).high < SURELY_OTHERWISE


def ends(judgement: Judgement, regimes: Sequence[Regime]) -> bool:
    """Whether T hardly grows over the last regime: the loss is about to reach 0."""
    last = regimes[-1] if regimes else None
    return judgement.law in ("log", "inconclusive") and (
        last is not None and last.law == "fast" and last.exponent_interval[1] < FINITE
    )


def fits(judgement: Judgement, regimes: Sequence[Regime]) -> bool:
    """Whether no regime contradicts the law of the whole range."""
    if judgement.law == "floor" or not regimes:
        return True
    if any(r.law == "stop" for r in regimes):
        return False
    p = judgement.exponent
    if judgement.law == "log":
        return all(r.exponent_interval[0] < log_limit(r.decades) for r in regimes)
    if p >= P[-1]:  # an open end
        return all(r.exponent > 0.75 * p for r in regimes)
    ends = [r.exponent_interval for r in regimes]
    if max(low for low, _ in ends) > min(high for _, high in ends) + 0.1:
        return False  # the regimes contradict each other
    return all(
        abs(r.exponent - p) <= max(0.25, 0.25 * p)
        or r.exponent_interval[0] - 0.1 <= p <= r.exponent_interval[1] + 0.1
        for r in regimes
    )


def search(
    curves: Sequence[Curve],
    regimes: tuple[Regime, ...],
    whole: Judgement,
    level: float,
    options: Mapping[str, Any],
) -> tuple[Judgement, list[Curve], int]:
    """Judge the last regime, then the smaller half; each try narrows the level of all that follow.

    Two ranges that are stated in advance, not a search for the one that agrees.
    """
    starts = [-float(np.log(regimes[-1].eps_high))] if len(regimes) > 1 else []
    # the smaller half of what three quarters of the curves reach, three decades at least
    first = float(np.median([c.x[0] for c in curves]))
    last = lower_quartile([float(c.x[-1]) for c in curves])
    middle = min(0.5 * (first + last), last - 1.01 * MIN_DECADES * np.log(10.0))
    roomy = middle > first + np.log(10.0)
    if roomy and (not starts or middle > starts[0] + 0.5 * np.log(10.0)):
        starts.append(middle)
    tried = 1
    for start in starts:
        parts = [part for c in curves if (part := c.below(start)) is not None]
        enough = lower_quartile([part.decades for part in parts]) >= MIN_DECADES - 1e-9
        points = lower_quartile([float(part.x.size) for part in parts]) >= MIN_POINTS
        if len(parts) < max(MIN_CURVES, 0.75 * len(curves)) or not enough or not points:
            continue
        tried += 1
        found = judge(parts, level=1.0 - (1.0 - level) / tried, **options)
        # without a change of regime, the part has to differ from the whole: else it is a choice
        ends = found.exponent_interval
        apart = len(regimes) > 1 or not ends[0] <= whole.exponent <= ends[1]
        if found.law == "log":  # by the limit of the whole range, not by the wider one of a part
            apart &= ends[1] < log_limit(lower_quartile([c.decades for c in curves]))
        if found.law != "inconclusive" and apart and fits(found, find_regimes(parts)):
            return with_tail(found), parts, tried
    if whole.law == "inconclusive":
        return whole, list(curves), tried
    text = f"no single law over {decades(regimes):.1f} decades, but regimes ({whole.reason})"
    return replace(whole, law="inconclusive", reason=text), list(curves), tried


def with_tail(found: Judgement) -> Judgement:
    """Let the interval of a power also hold what the smaller half of its range says.

    Below a change of regime the law before it still bends the curves a little, all of them alike.
    """
    low, high = found.exponent_interval
    hull = min(low, found.tail[0]), max(high, found.tail[1])
    if found.law not in ("power", "inverse") or not np.all(np.isfinite(hull)):
        return found
    said, told = (exponent_text(found.exponent, ends) for ends in ((low, high), hull))
    return replace(found, exponent_interval=hull, reason=found.reason.replace(said, told, 1))


def without_stops(
    curves: Sequence[Curve], level: float, options: Mapping[str, Any]
) -> tuple[Judgement, list[Curve], list[Curve]] | None:
    """Judge the runs that do not stop, where few of them do.

    A few runs that stop above the smallest eps are an outcome of their own, to be counted, and
    turn resamples that hold them several times into a floor. Only a logarithm is found so; the
    runs that were judged come back, and those that were not.
    """
    going = [c for c in curves if not c.stopped]
    stopped = [c for c in curves if c.stopped]
    if not (stopped and few(len(stopped), len(curves))) or len(going) < MIN_CURVES:
        return None
    found, regimes = judge(going, level=level, **options), find_regimes(going)
    if found.law != "log" or ends(found, regimes) or not fits(found, regimes):
        return None
    return found, going, stopped


def decades(regimes: Sequence[Regime]) -> float:
    return float(sum(r.decades for r in regimes))
