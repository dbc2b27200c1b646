"""What would decide an inconclusive case: how far to run, how many seeds, which range."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from motsim.rates.curves import Curve
from motsim.rates.evidence import P, power_squares
from motsim.rates.fits import EXACT, fit_lines, fit_powers
from motsim.rates.judgement import Judgement
from motsim.rates.regimes import Regime

STANDS = 0.7  # of the run: where the last new minimum came earlier, the loss stands still
FAR = 1e3  # times the present steps: nobody runs on so far


def deciding(
    found: Judgement,
    curves: Sequence[Curve],
    regimes: Sequence[Regime],
    decades: float,
    end: float,
) -> str:
    """Say what would decide a case that was judged and left open."""
    parts = []
    low, high = found.tail
    if np.isfinite(low) and np.isfinite(high):
        parts.append(f"the smaller half of eps alone says p in [{low:.2g}, {high:.2g}]")
    if len(regimes) > 1:
        last = regimes[-1]
        parts.append(
            f"state a range below eps = {last.eps_high:.1e} and {run_on(curves, decades + 1, end)}"
        )
    else:
        parts.append(run_on(curves, decades + 1, end))
    if len(curves) < 10:
        parts.append("add two more seeds")
    return "; ".join(parts)


def run_on(curves: Sequence[Curve], decades: float, end: float = 0.0) -> str:
    """Say to which step runs would have to go to cover so many decades, by either law.

    `end` is a step that the runs have passed: one before it is no advice.
    """
    if not curves:
        return "log runs from their first steps on, often enough for six distinct steps a decade"
    floor = "if the loss has an infimum, subtract it where it is known (--floor X)"
    idle = [c.times[-1] < STANDS * (c.first + c.span) for c in curves]
    if sum(idle) > 0.5 * len(curves):
        step = float(np.median([c.times[-1] for c in curves]))
        end = float(np.median([c.first + c.span for c in curves]))
        return (
            f"the loss found no new minimum from step {rounded(step)} to {rounded(end)}: running on"
            f" does not help; {floor}"
        )
    x = float(np.median([c.x[0] for c in curves])) + decades * np.log(10.0)
    free = [c.unbounded() for c in curves]
    first, span, last, deepest = np.array(
        [(f.first, f.span, c.first + c.span, c.x[-1]) for c, f in zip(curves, free, strict=True)]
    ).T  # `last` was not reached so far, whatever a fit says
    intercept, slope = fit_lines(free)[1].T
    logs = last + np.maximum(span * (x - np.maximum(deepest, intercept)) / slope, 0.0)
    positive = P[P >= 0.2]
    p = positive[power_squares(free)[:, P >= 0.2].argmin(axis=1)]
    _, shift, g = (value[:, 0] for value in fit_powers(free, p[:, None], EXACT))
    with np.errstate(over="ignore"):
        powers = np.maximum(last, first + span * (np.exp(p * (x - shift)) - g))
    near, far = float(np.median(logs)), float(np.median(powers))
    reached = float(np.median([c.times[-1] for c in curves]))
    if near > FAR * reached:
        return f"these runs barely move: {floor}"
    end = max(end, float(np.median([c.first + c.span for c in curves])))
    steps = []
    if float(f"{near:.2g}") > end:
        steps.append(f"about step {rounded(near)} if the law is logarithmic")
    if far > FAR * reached or not np.isfinite(far):
        steps.append("out of reach if it is a power")
    elif far > 1.2 * near and float(f"{far:.2g}") > end:
        steps.append(f"{'' if steps else 'about step '}{rounded(far)} if it is a power")
    text = f"run to eps = {np.exp(-x):.1e}" + (f" ({', '.join(steps)})" if steps else "")
    return text if float(np.median([c.decades for c in curves])) >= 1.0 else f"{text}; {floor}"


def rounded(number: float) -> str:
    """Print a number of steps to two digits."""
    return f"{float(f'{number:.2g}'):,.0f}" if 10 <= abs(number) < 1e7 else f"{number:.2g}"
