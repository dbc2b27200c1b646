"""One range of eps judged: which law its curves follow, with margin and objections."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from motsim.rates.curves import Curve
from motsim.rates.evidence import (
    Evidence,
    Floors,
    P,
    add_exponentials,
    add_floors,
    common_misfit,
    likelihood,
    power_squares,
    resample,
    smaller_half,
    weigh,
)
from motsim.rates.exponentials import MAX_TERMS
from motsim.rates.floors import bends_like_a_floor, levelled_off
from motsim.rates.laws import Array, log_limit, power_limit
from motsim.rates.profile import of_profile

MIN_CURVES = 3
MIN_STOPPED = 0.75  # share of the curves that must have stopped at a floor
INVERSE_BAND = 0.2  # p within 1 +- 0.2, and its interval within 1 +- 0.5, is called 1/eps
FINITE = -0.4  # p below this: T(eps) has almost ended at a finite step
ENDS = (
    "T(eps) ends at a finite step, as where the floor was taken from the same run (its own"
    " minimum subtracted) or the loss reaches zero"
)
MISFIT = 5.0  # from here on the runs agree that the power is bent, and BIC may prefer exponentials
NEAR_FLOOR = 0.5  # a curve within twice its floor has levelled off


@dataclass(frozen=True, eq=False)
class Judgement:
    """Law of one range, or why there is none."""

    law: str  # what is said: a law or inconclusive
    candidate: str  # what fits best, whatever the objections
    reason: str
    evidence: Evidence
    exponent: float
    exponent_interval: tuple[float, float]
    floor: float
    num_stopped: int
    margin: float
    margin_interval: tuple[float, float]
    tail: tuple[float, float]
    criterion: dict[str, float]
    rival: str  # a sum of exponentials that fits as well as the power, "" without one


def judge(curves: Sequence[Curve], *, level: float, num_bootstrap: int, seed: int) -> Judgement:
    """Judge the curves of one range; at least `MIN_CURVES` of them."""
    n = len(curves)
    decades = lower_quartile([c.decades for c in curves])
    weights = resample(n, num_bootstrap, seed)
    evidence = weigh(curves, weights, decades)
    p, ends = float(evidence.exponent[0]), evidence.exponent_interval(level)
    tail = _tail_interval(curves, weights, level)
    is_power = ends[0] > power_limit(decades)
    bends = bool(evidence.criterion("floor")[0] < evidence.criterion("log")[0])
    stands = any(c.stopped for c in curves)
    floors = add_floors(evidence) if is_power or bends or stands else None
    num_stopped = _stopped(evidence, floors) if floors else 0
    bic = {name: evidence.criterion(name) for name in evidence.column if name != "all"}
    stood = sum(c.stopped or levelled_off(c) for c in curves) if num_stopped else 0
    law, rivals = _candidate(bic, is_power, stood, num_stopped, n)
    plain = ""
    if law == "power":
        misfit = common_misfit(evidence) > MISFIT
        best, plain = add_exponentials(evidence, MAX_TERMS if misfit else 0)
        if misfit:
            bic[best], rivals = evidence.criterion(best), [*rivals, best]
        if floors and bic["power floor"][0] < bic["power"][0]:
            # a floor that no run has come near to may still bend the curves a little
            low, high = floors.exponent_interval(weights, level)
            ends = (min(ends[0], low), max(ends[1], high))
    own, floor = _own(bic, law), np.nan
    if law == "floor" and floors:
        p, ends = floors.exponent, floors.exponent_interval(weights, level)
        floor = float(np.median(floors.floor))
    against = np.stack([bic[rival] for rival in rivals])
    margin = against.min(axis=0) - own
    worst, best_margin = np.quantile(margin[1:], [0.5 * (1.0 - level), 0.5 * (1.0 + level)])
    why = _objections(law, p, ends, tail, decades)
    if worst <= 0.0:
        why.insert(0, _beaten(law, rivals[int(against[:, 0].argmin())], float(margin[0])))
    reason = why[0] if why else f"; the {law} law beats every rival by {worst:.3g}"
    if plain and not why:
        reason = f"; a power over this window: a sum of {plain} fits as well"
    unclear = " (a floor cannot be told from p)" if law == "floor" and ends[1] - ends[0] > 1 else ""
    return Judgement(
        law=_said(law, p, ends) if not why else "inconclusive",
        candidate=law,
        reason=f"{exponent_text(p, ends)} over {decades:.1f} decades{unclear}{reason}",
        evidence=evidence,
        exponent=p,
        exponent_interval=ends,
        floor=floor,
        num_stopped=num_stopped,
        margin=float(margin[0]),
        margin_interval=(float(worst), float(best_margin)),
        tail=tail,
        criterion={name: float(value[0]) for name, value in bic.items()},
        rival=plain,
    )


def _own(bic: dict[str, Array], law: str) -> Array:
    """Criterion of a law in every draw; log and floor have more than one form."""
    if law == "log":
        return np.minimum(bic["log"], bic["at most log"])
    return np.minimum(bic["floor"], bic["power floor"]) if law == "floor" else bic[law]


def _said(law: str, p: float, ends: tuple[float, float]) -> str:
    """Call a power 1/eps where its exponent is about 1."""
    near = abs(p - 1.0) <= INVERSE_BAND and ends[0] > 0.5 and ends[1] < 1.5
    return "inverse" if law == "power" and near else law


def _objections(
    law: str, p: float, ends: tuple[float, float], tail: tuple[float, float], decades: float
) -> list[str]:
    """Return what speaks against a law, whatever its criterion."""
    limits = f"{log_limit(decades):.2g} (log) nor above {power_limit(decades):.2g} (power)"
    half_log, half_power = log_limit(0.5 * decades), power_limit(0.5 * decades)
    apart = max(tail[0] - p, p - tail[1]) > max(0.25, 0.25 * p)
    texts = {
        f": neither below {limits}": law == "log" and ends[1] >= log_limit(decades),
        f", but the smaller half of eps bends like p > {tail[0]:.2g}": (
            law == "log" and tail[0] > half_power
        ),
        f", but the smaller half of eps is logarithmic (p < {tail[1]:.2g})": (
            law == "power" and tail[1] < half_log
        ),
        f", but the smaller half of eps says p in [{tail[0]:.2g}, {tail[1]:.2g}]": (
            law == "power" and tail[1] >= half_log and apart
        ),
        f": {ENDS}": law == "log" and ends[1] < FINITE,
    }
    return [text for text, holds in texts.items() if holds]


def exponent_text(p: float, ends: tuple[float, float]) -> str:
    """Print an exponent with its interval; an open end is said to be one."""
    low, high = ends
    if p >= P[-1]:
        return f"p >= {max(low, 1.0):.3g}, beyond what is looked at ({P[-1]:.3g})"
    if p <= P[0]:
        return f"p <= {P[0]:.3g}, beyond what is looked at"
    digits = 2 if not high - low < 1.0 else min(2 - int(np.floor(np.log10(high - low))), 5)
    p, low, high = (round(value, digits) + 0.0 for value in (p, low, high))  # no minus zero
    return f"p = {p:.{digits}f} in [{low:.{digits}f}, {high:.{digits}f}]"


def _candidate(
    bic: dict[str, Array], is_power: bool, stood: int, num_stopped: int, num_curves: int
) -> tuple[str, list[str]]:
    """Return the law to be defended, and its rivals.

    A floor is defended only where most curves stood still (`stood`); curves that no more than
    bend as towards one (they count in `num_stopped`) make it a rival.
    """
    towards = min(bic[name][0] for name in ("floor", "power floor") if name in bic)
    at_floor = towards < bic["log"][0]
    most = min(stood, num_stopped) >= MIN_STOPPED * num_curves
    if (is_power or at_floor) and most and towards < min(bic["power"][0], bic["inverse"][0]):
        return "floor", ["log", "inverse", "power"]
    if is_power:
        some = num_stopped >= 0.5 * num_curves
        return "power", ["log", "floor", "kink"] + ["power floor"] * some
    # a floor is a rival only where the loss stopped before the budget did
    return "log", ["inverse", "power"] + ["floor"] * bool(num_stopped)


def _beaten(law: str, rival: str, margin: float) -> str:
    """Say which rival is as good."""
    if rival.endswith("exponentials"):
        k = rival.split()[0]
        return f": a power over this window; a sum of {k} exponentials fits as well"
    if margin > 0.0:
        return f", but without some of the runs the {rival} law fits as well as the {law} law"
    return f", but the {rival} law fits better than the {law} law (BIC by {-margin:.3g})"


def _stopped(evidence: Evidence, floors: Floors) -> int:
    """Count the curves that stopped before their budget, or levelled off near a floor."""
    near = floors.floor * np.exp([c.x[-1] for c in evidence.curves]) > NEAR_FLOOR
    better = floors.profile.max(axis=1) > evidence.column["all"].max(axis=1) + 2.0
    return sum(
        c.stopped or bool(a and bends_like_a_floor(c))
        for c, a in zip(evidence.curves, near & better, strict=True)
    )


def _tail_interval(curves: Sequence[Curve], weights: Array, level: float) -> tuple[float, float]:
    """Interval of p from the smaller half (in decades) of the eps of every curve alone.

    Curves with under five points there say nothing; with fewer than `MIN_CURVES` others, no limits.
    """
    usable = [smaller_half(c) for c in curves]
    if sum(half is not None for half in usable) < MIN_CURVES:
        return -np.inf, np.inf
    halves = [half for half in usable if half is not None]
    profile = np.zeros((len(usable), P.size))
    profile[[half is not None for half in usable]] = likelihood(power_squares(halves), halves)
    return of_profile(profile, P, weights, level)


def lower_quartile(values: Sequence[float]) -> float:
    """Return the value that three quarters of the curves reach."""
    return sorted(values)[(len(values) - 1) // 4] if values else 0.0
