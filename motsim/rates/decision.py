"""The decision between laws: three-valued, scale-free, with its margin, range and reason."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike

from motsim.rates.advice import run_on
from motsim.rates.curves import MIN_POINTS, Curve, read_curves
from motsim.rates.dissent import own_laws
from motsim.rates.evidence import P
from motsim.rates.judgement import (
    ENDS,
    FINITE,
    INVERSE_BAND,
    MIN_CURVES,
    Judgement,
    judge,
    lower_quartile,
)
from motsim.rates.laws import check_law, log_limit
from motsim.rates.regimes import Regime, find_regimes
from motsim.rates.sample import Sample, sample_of_hits, trusted_bounds

MIN_DECADES, MAX_LOST = 3.0, 0.25
MAX_OTHERWISE = 0.1  # share of the runs that may decide otherwise alone
_NO_INTERVAL = (np.nan, np.nan)


@dataclass(frozen=True)
class RateDecision:
    """Outcome of `decide`: the law, the range of eps where it holds, why, and the evidence.

    `law` is ``log`` (at most logarithmic), ``inverse`` (a power with p about 1), ``power``,
    ``floor`` (the loss stopped within this budget) or ``inconclusive``. `exponent` is p (of the
    power towards the floor for ``floor``); `steps_per_decade` the slope of the log law; `margin`
    the criterion of the best rival minus that of the law (positive favours the law); intervals
    are ``(low, high)``, with an infinite end where p is beyond what is looked at. `criterion`
    (BIC) and `rms` (residual in decades of eps) are per law.

    `eps_range` is ``(low, high)`` of the range judged and `tried` the number of ranges that were
    looked at for it, by which the level of the intervals is divided. `regimes` lists the laws of
    the whole range. `rival` names a sum of exponentials that fits a power's window as well.
    `by_law` counts the runs by their law alone. `advice` says what would decide an inconclusive
    case; `warnings` what a reader of any verdict should know.
    """

    law: str
    reason: str
    decades: float
    num_curves: int
    num_used: int
    num_censored: int
    num_missing: int
    num_diverged: int
    exponent: float = np.nan
    exponent_interval: tuple[float, float] = _NO_INTERVAL
    steps_per_decade: float = np.nan
    steps_per_decade_interval: tuple[float, float] = _NO_INTERVAL
    floor: float = np.nan
    margin: float = np.nan
    margin_interval: tuple[float, float] = _NO_INTERVAL
    criterion: Mapping[str, float] = field(default_factory=dict)
    rms: Mapping[str, float] = field(default_factory=dict)
    eps_range: tuple[float, float] = _NO_INTERVAL
    tried: int = 1
    regimes: tuple[Regime, ...] = ()
    by_law: Mapping[str, int] = field(default_factory=dict)
    num_copies: int = 0
    rival: str = ""
    advice: str = ""
    warnings: tuple[str, ...] = ()


def decide(
    epsilons: ArrayLike,
    hits: ArrayLike,
    budget: ArrayLike | None = None,
    *,
    watched: ArrayLike | None = None,
    eps_range: tuple[float, float] | None = None,
    num_diverged: int = 0,
    level: float = 0.95,
    num_bootstrap: int = 400,
    seed: int = 0,
) -> RateDecision:
    """Decide which law the curves follow.

    Parameters
    ----------
    epsilons : array of shape (num_eps,)
        Accuracies, in any order.
    hits : array of shape (num_curves, num_eps)
        Hitting times, one curve a seed; `CENSORED` (-1) where not reached within `budget`,
        `MISSING` (-2) where the row was lost. Rows that are equal are one run.
    budget : number or array of shape (num_curves,), optional
        Last step each curve was run to. Without it censored entries make the answer inconclusive.
    watched : number or array of shape (num_curves,), optional
        Last step at which a loss of the curve was really seen. Without it a budget far beyond the
        last hit of curves that still fall there is not believed, and a warning says so.
    eps_range : (low, high), optional
        Range of eps the claim is about; the laws are asymptotic, so exclude known transients.
    num_diverged : int
        Runs left out because they diverged; reported, and inconclusive above a quarter.
    level, num_bootstrap, seed
        Confidence level, number of resamples of the curves, and seed of the resampling.

    Returns
    -------
    RateDecision

    Notes
    -----
    Range and number of points are lower quartiles over the curves: three quarters of the curves
    must reach three decades. ``log`` needs the upper end of p below min(0.15, 0.477/decades), so
    that steps per decade grow less than threefold over the range; a power needs the lower end
    above max(0.2, 1/decades), so that they grow over tenfold (or p > 0.2). Each needs a better
    criterion than every rival in nearly all resamples (a sum of exponentials among the rivals of a
    power), and no contradiction from the smaller half of eps alone. ``floor`` needs three
    quarters of the curves to have stopped. Where the whole range is no single law, the last of its
    regimes and the smaller half are judged alone, at a level divided by the ranges tried. More
    than a tenth of the runs that decide otherwise alone make the answer inconclusive. The rules
    are derived here, and checked on synthetic curves in ``tests/rates``.

    Raises
    ------
    ValueError
        If shapes, codes, monotonicity, `budget` or `watched` are inconsistent.
    """
    table = read_curves(epsilons, hits, budget, eps_range, watched)
    sample = sample_of_hits(table, num_diverged)
    return decide_sample(sample, level=level, num_bootstrap=num_bootstrap, seed=seed)


def decide_sample(
    sample: Sample, *, level: float = 0.95, num_bootstrap: int = 400, seed: int = 0
) -> RateDecision:
    """Decide which law a sample follows; see `decide`."""
    warnings = [_copies(sample)] if sample.num_copies else []
    common: dict[str, Any] = {
        "decades": lower_quartile([c.decades if c else 0.0 for c in sample.curves]),
        "num_curves": sample.num_curves,
        "num_used": len(sample.usable),
        "num_censored": sample.num_censored,
        "num_missing": sample.num_missing,
        "num_diverged": sample.num_diverged,
        "num_copies": sample.num_copies,
    }
    closed = _closed_gate(sample, common["decades"])
    if closed is not None:
        reason, advice = closed
        return RateDecision(
            "inconclusive", reason, **common, advice=advice, warnings=tuple(warnings)
        )
    curves, doubt = trusted_bounds(sample)
    warnings += [doubt] if doubt else []
    options: dict[str, Any] = {"num_bootstrap": num_bootstrap, "seed": seed}
    regimes = find_regimes(curves)
    whole = judge(curves, level=level, **options)
    found, used, tried = whole, curves, 1
    if _ends(whole, regimes):
        reason = whole.reason if ENDS in whole.reason else f"{ENDS} ({whole.reason})"
        found = replace(whole, law="inconclusive", reason=reason)
    elif whole.law == "inconclusive" or not _fits(whole, regimes):
        found, used, tried = _search(curves, regimes, whole, level, options)
    dissent = own_laws(used, found.candidate)
    by_law = dict(Counter(dissent))
    law, reason, advice = found.law, found.reason, ""
    others = len(used) - by_law.get(found.candidate, 0)
    if 0 < others < len(used):  # where all decide otherwise alone, no run stands out
        count = ", ".join(
            f"{k} of {len(used)} {name}" for name, k in Counter(dissent).most_common()
        )
        names = [n for n, c in zip(sample.names, sample.curves, strict=True) if c is not None]
        odd = [n for n, own in zip(names, dissent, strict=True) if own != found.candidate]
        if len(used) == len(names):
            count += f" (run {', '.join(odd[:5])}{' …' if len(odd) > 5 else ''})"
        if others > MAX_OTHERWISE * len(used):
            law, reason = "inconclusive", f"the runs disagree: {count}; {reason}"
        else:
            warnings.append(f"Some runs decide otherwise alone: {count}.")
    if law == "inconclusive":
        advice = _advice(found, curves, regimes, common["decades"])
    elif tried > 1:
        reason += f" (below a change of regime; {tried} ranges tried)"
    common["decades"] = lower_quartile([c.decades for c in used])
    rate, low, high = found.evidence.steps_per_decade(1.0 - (1.0 - level) / tried)
    return RateDecision(
        law=law,
        reason=reason,
        **common,
        exponent=found.exponent,
        exponent_interval=found.exponent_interval,
        steps_per_decade=rate,
        steps_per_decade_interval=(low, high),
        floor=found.floor,
        margin=found.margin,
        margin_interval=found.margin_interval,
        criterion=found.criterion,
        rms=found.evidence.rms,
        eps_range=_range(used),
        tried=tried,
        regimes=regimes,
        by_law=by_law,
        rival=found.rival,
        advice=advice,
        warnings=tuple(warnings),
    )


def supports(decision: RateDecision, law: str) -> Literal["holds", "fails", "inconclusive"]:
    """Return ``holds``, ``fails`` or ``inconclusive`` for the claim that `law` is the law.

    ``inverse`` is a power too, so ``power`` holds for it; a power whose interval for p overlaps
    1 +- 0.2 without being selected as ``inverse`` leaves that claim inconclusive.
    """
    check_law(law)
    if decision.law == "inconclusive":
        return "inconclusive"
    if decision.law == law or (law == "power" and decision.law == "inverse"):
        return "holds"
    low, high = decision.exponent_interval
    near_one = low <= 1 + INVERSE_BAND and high >= 1 - INVERSE_BAND
    return "inconclusive" if (law, decision.law) == ("inverse", "power") and near_one else "fails"


def _closed_gate(sample: Sample, decades: float) -> tuple[str, str] | None:
    """Return why the sample cannot be judged at all, and what would help; None if it can.

    Everything that is missing is named, not only the first.
    """
    points = lower_quartile([float(s) for s in sample.distinct_steps])
    usable = sample.usable
    lost, number = sample.num_diverged, len(sample.curves)
    few, unfit = MIN_CURVES - number, MIN_CURVES - len(usable)
    leaps = lower_quartile([-c.points_per_decade for c in usable]) > -0.99 if usable else False
    gates: list[tuple[bool, str, str]] = [
        (
            lost > MAX_LOST * (number + lost),
            f"{lost} runs diverged",
            "find out why they diverge; a law of the runs that did not is a law of a selection",
        ),
        (
            few > 0,
            f"{number} distinct run{'s' * (number != 1)}, {MIN_CURVES} usable curves are needed",
            f"{few} more run{'s' * (few > 1)} with other seeds",
        ),
        (
            number > 0 and (points < MIN_POINTS or leaps),
            f"fewer than {MIN_POINTS} distinct steps a curve ({points:g} distinct points)"
            if points < MIN_POINTS
            else "fewer than one distinct step a decade: each step passes over a decade of eps",
            "log the loss more often, or state a wider range of eps; a method this fast has no"
            " steps to count",
        ),
        (
            few <= 0 and unfit > 0 and points >= MIN_POINTS,
            f"{len(usable)} usable curves, {MIN_CURVES} are needed",
            f"{unfit} more curves with six distinct steps each",
        ),
        (
            sample.share_missing > MAX_LOST,
            f"{sample.num_missing} rows are missing",
            "restore the missing rows, or run their seeds again",
        ),
        (
            sample.lacks_budget,
            "entries are censored and no budget was given",
            "say to which step the runs went (budget)",
        ),
    ]
    closed = [(text, advice) for shut, text, advice in gates if shut]
    if decades < MIN_DECADES - 1e-9 and (not closed or usable):
        short = f"the curves cover {decades:.2f} decades of eps, {MIN_DECADES:g} are needed"
        closed.append((short, run_on(usable, MIN_DECADES)))
    if not closed:
        return None
    return "; ".join(text for text, _ in closed), "; ".join(advice for _, advice in closed)


def _ends(judgement: Judgement, regimes: Sequence[Regime]) -> bool:
    """Whether T hardly grows over the last regime: the loss is about to reach 0."""
    last = regimes[-1] if regimes else None
    return judgement.law in ("log", "inconclusive") and (
        last is not None and last.law == "fast" and last.exponent_interval[1] < FINITE
    )


def _fits(judgement: Judgement, regimes: Sequence[Regime]) -> bool:
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


def _search(
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
        if found.law != "inconclusive" and apart and _fits(found, find_regimes(parts)):
            return found, parts, tried
    if whole.law == "inconclusive":
        return whole, list(curves), tried
    text = f"no single law over {_decades(regimes):.1f} decades, but regimes ({whole.reason})"
    return replace(whole, law="inconclusive", reason=text), list(curves), tried


def _decades(regimes: Sequence[Regime]) -> float:
    return float(sum(r.decades for r in regimes))


def _advice(
    found: Judgement, curves: Sequence[Curve], regimes: Sequence[Regime], decades: float
) -> str:
    """Say what would decide a case that was judged and left open."""
    parts = []
    low, high = found.tail
    if np.isfinite(low) and np.isfinite(high):
        parts.append(f"the smaller half of eps alone says p in [{low:.2g}, {high:.2g}]")
    if len(regimes) > 1:
        last = regimes[-1]
        parts.append(
            f"state a range below eps = {last.eps_high:.1e} and {run_on(curves, decades + 1)}"
        )
    else:
        parts.append(run_on(curves, decades + 1))
    if len(curves) < 10:
        parts.append("add two more seeds")
    return "; ".join(parts)


def _copies(sample: Sample) -> str:
    return f"{sample.num_copies} of {sample.num_curves} runs are copies of others: counted once."


def _range(curves: Sequence[Curve]) -> tuple[float, float]:
    """Range of eps that three quarters of the curves cover."""
    low = sorted(float(c.x[-1]) for c in curves)[(len(curves) - 1) // 4]
    high = float(np.median([c.x[0] for c in curves]))
    return float(np.exp(-low)), float(np.exp(-high))
