"""The decision between laws: three-valued, scale-free, with its margin, range and reason."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike

from motsim.rates.advice import deciding
from motsim.rates.curves import Curve, read_curves
from motsim.rates.dissent import own_laws
from motsim.rates.gate import closed_gate
from motsim.rates.judgement import ENDS, INVERSE_BAND, Judgement, judge, lower_quartile
from motsim.rates.laws import check_law
from motsim.rates.ranges import ends, few, fits, search, without_stops
from motsim.rates.regimes import Regime, find_regimes
from motsim.rates.sample import Sample, called, sample_of_hits, trusted_bounds
from motsim.statistics.confidence import resolve
from motsim.threads import one_thread

_NO_INTERVAL = (np.nan, np.nan)
GROWTH = 1.5  # of the steps per decade within a range, from which on a logarithm is doubted aloud


@dataclass(frozen=True)
class RateDecision:
    """Outcome of `decide`: the law, the range of eps where it holds, why, and the evidence.

    `law` is ``log`` (at most logarithmic), ``inverse`` (a power with p about 1), ``power``,
    ``floor`` (the loss stopped within this budget) or ``inconclusive``. `exponent` is p (of the
    power towards the floor for ``floor``); `steps_per_decade` the slope of the log law; `margin`
    the criterion of the best rival minus that of the law (positive favors the law); intervals
    are ``(low, high)``, with an infinite end where p is beyond what is looked at. `criterion`
    (BIC) and `rms` (residual in decades of eps) are per law.

    `eps_range` is ``(low, high)`` of the range judged and `tried` the number of ranges that were
    looked at for it, by which the level of the intervals is divided. `regimes` lists the laws of
    the whole range. `num_set_aside` counts runs that stopped and were not judged with the
    others. `rival` names a sum of exponentials that fits a power's window as well.
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
    num_set_aside: int = 0
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
    independent: bool = False,
    level: float | None = None,
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
        `MISSING` (-2) where the row was lost. Rows that are equal are one run, unless they are
        `independent`.
    budget : number or array of shape (num_curves,), optional
        Last step each curve was run to. Without it censored entries make the answer inconclusive.
    watched : number or array of shape (num_curves,), optional
        Last step at which a loss of the curve was really seen. Without it a budget far beyond the
        last hit of curves that still fall there is not believed, and a warning says so.
    eps_range : (low, high), optional
        Range of eps the claim is about; the laws are asymptotic, so exclude known transients.
    num_diverged : int
        Runs left out because they diverged; reported, and inconclusive above a quarter.
    independent : bool
        Whether the runs are known to be independent: seeds may agree to the whole step.
    level : float, optional
        Confidence level, 0.95 unless given.
    num_bootstrap : int
        Number of resamples of the curves.
    seed : int
        Of the resampling.

    Returns
    -------
    RateDecision
        The law with its interval, range and evidence, or *inconclusive* with the reason.

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
    than a tenth of the runs that decide otherwise alone make the answer inconclusive, unless they
    are less than a third by the exact interval of their share. The rules are derived here, and
    checked on synthetic curves in ``tests/rates``.

    Raises
    ------
    ValueError
        If shapes, codes, monotonicity, `budget` or `watched` are inconsistent.
    """
    table = read_curves(epsilons, hits, budget, eps_range, watched)
    sample = sample_of_hits(table, num_diverged, independent)
    return decide_sample(sample, level=level, num_bootstrap=num_bootstrap, seed=seed)


def decide_sample(
    sample: Sample, *, level: float | None = None, num_bootstrap: int = 400, seed: int = 0
) -> RateDecision:
    """Decide which law a sample follows; see `decide`."""
    with one_thread():  # small products: more threads cost more than they give, and other bits
        return _decide(sample, resolve(level), num_bootstrap, seed)


def _decide(sample: Sample, level: float, num_bootstrap: int, seed: int) -> RateDecision:
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
    closed = closed_gate(sample, common["decades"])
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
    if ends(whole, regimes):
        reason = whole.reason if ENDS in whole.reason else f"{ENDS} ({whole.reason})"
        found = replace(whole, law="inconclusive", reason=reason)
    elif whole.law == "inconclusive" or not fits(whole, regimes):
        found, used, tried = search(curves, regimes, whole, level, options)
    left_out: list[Curve] = []
    if found.law in ("log", "inconclusive"):
        again = without_stops(curves, 1.0 - (1.0 - level) / (tried + 1), options)
        if again is not None:
            found, used, left_out, tried = *again, tried + 1
    dissent = own_laws(used, found.candidate) + ["floor"] * len(left_out)
    by_law = dict(Counter(dissent))
    law, reason, advice = found.law, found.reason, ""
    asked = [*used, *left_out]
    others = len(asked) - by_law.get(found.candidate, 0)
    if 0 < others < len(asked):  # where all decide otherwise alone, no run stands out
        count = ", ".join(
            f"{k} of {len(asked)} {name}" for name, k in Counter(dissent).most_common()
        )
        names = [n for n, c in zip(sample.names, sample.curves, strict=True) if c is not None]
        if len(asked) == len(names):
            name_of = {id(c): n for n, c in zip(names, curves, strict=True)}
            odd = [
                name_of.get(id(c), "")
                for c, own in zip(asked, dissent, strict=True)
                if own != found.candidate
            ]
            named = ", ".join([called(odd[0]), *odd[1:5]]) + (" …" if len(odd) > 5 else "")
            count += f" ({named})"
        if not few(others, len(asked)):
            law, reason = "inconclusive", f"the runs disagree: {count}; {reason}"
        else:
            warnings.append(f"Some runs decide otherwise alone: {count}.")
    if law == "inconclusive":
        advice = deciding(found, curves, regimes, common["decades"], sample.end)
    elif left_out:
        reason += f" (without {len(left_out)} of {len(asked)} runs, which stop)"
    elif tried > 1:
        reason += f" (below a change of regime; {tried} ranges tried)"
    common["decades"] = lower_quartile([c.decades for c in used])
    warnings += [_drift(found, common["decades"])] if law == "log" else []
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
        num_set_aside=len(left_out),
        regimes=regimes,
        by_law=by_law,
        rival=found.rival,
        advice=advice,
        warnings=tuple(w for w in warnings if w),
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


def _copies(sample: Sample) -> str:
    return f"{sample.num_copies} of {sample.num_curves} runs are copies of others: counted once."


def _drift(found: Judgement, decades: float) -> str:
    """Say so if the steps per decade grow within the range: the logarithm may be to a power."""
    growth, least = (10.0 ** (p * decades) for p in (found.exponent, found.exponent_interval[0]))
    if least < GROWTH:
        return ""
    return (
        f"Steps per decade grow {growth:.1f}-fold within the range: a power of the logarithm, such"
        " as (ln 1/eps)^1.5, is not told from log."
    )


def _range(curves: Sequence[Curve]) -> tuple[float, float]:
    """Range of eps that three quarters of the curves cover."""
    low = sorted(float(c.x[-1]) for c in curves)[(len(curves) - 1) // 4]
    high = float(np.median([c.x[0] for c in curves]))
    return float(np.exp(-low)), float(np.exp(-high))
