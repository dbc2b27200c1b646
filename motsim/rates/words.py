"""What is said of a decision: the answer, the data it rests on, the table of laws."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from motsim.rates.decision import RateDecision
from motsim.rates.judgement import INVERSE_BAND
from motsim.rates.laws import LAWS
from motsim.rates.runs import Run

#: Laws that a table shows, in the order of the text; others only where they were fitted.
SHOWN = ("log", "inverse", "power", "floor", "power floor", "kink")


def answer(d: RateDecision, unit: str = "steps") -> str:
    """Return the answer in one sentence."""
    if d.law == "inconclusive":
        return f"No law can be decided: {d.reason}."
    where = f"from eps = {d.eps_range[1]:.1e} to {d.eps_range[0]:.1e}"
    size = f"{d.decades:.1f} decades, {d.num_used} runs"
    p = f"p = {_number(d.exponent, *d.exponent_interval)}"
    if d.law == "log":
        if d.exponent_interval[1] < -0.15:
            text = f"T(eps) is at most logarithmic ({p}: faster than log) {where} ({size})"
        else:
            b = _number(d.steps_per_decade, *d.steps_per_decade_interval)
            text = f"T(eps) is logarithmic: {b} {unit} per decade, {where} ({size})"
    elif d.law == "floor":
        low, high = d.exponent_interval
        if high - low > 1.0:
            above = "above it a floor cannot be told from a power (" + p + ")"
        elif d.exponent < 0.1:
            above = "above it T(eps) is logarithmic: log towards a floor"
        elif abs(d.exponent - 1.0) <= INVERSE_BAND:
            above = f"above it T(eps) grows like 1/eps towards a floor ({p})"
        else:
            above = f"above it T(eps) is a power towards a floor ({p})"
        text = (
            f"The loss stopped within this budget, at about {d.floor:.2g}; {above} ({size});"
            " a plateau that ends later looks the same"
        )
    else:
        kind = "1/eps" if d.law == "inverse" else "a power of 1/eps"
        text = f"T(eps) grows like {kind}: {p}, {where} ({size})"
        if d.rival:
            text += f"; a power over this window: a sum of {d.rival} fits as well"
    if d.num_set_aside:
        verb = "stops, and is" if d.num_set_aside == 1 else "stop, and are"
        text += f"; {d.num_set_aside} of the runs {verb} counted apart ({d.tried} tries)"
    elif d.tried > 1:
        text += f"; the range is the one below a change of regime ({d.tried} ranges tried)"
    return text + "."


def short_answer(d: RateDecision, unit: str = "steps") -> str:
    """Return the answer in some words, for the title of a panel."""
    log = d.law == "log"
    if d.law == "inconclusive":
        return "inconclusive"
    value = d.steps_per_decade if log else d.exponent
    low, high = d.steps_per_decade_interval if log else d.exponent_interval
    number = f"{value:.3g} [{low:.3g}, {high:.3g}]"
    if log:
        return f"log, {number} {unit} per decade"
    names = {"inverse": "1/eps", "floor": f"stopped at about {d.floor:.2g}"}
    return f"{names.get(d.law, d.law)}, p = {number}"


def percent(level: float) -> str:
    """Return a confidence level as it is printed: ``95 %``."""
    return f"{100.0 * level:.6g} %"


def data_line(d: RateDecision, runs: Sequence[Run], step: str) -> str:
    """Return how much data an answer rests on, and what was left out."""
    ends = [r.end for r in runs]
    span = f"{min(ends):.6g}" if min(ends) == max(ends) else f"{min(ends):.6g} to {max(ends):.6g}"
    parts = [
        f"{d.num_used} of {d.num_curves} run{'s' * (d.num_curves > 1)} used",
        f"up to {step} {span}",
    ]
    parts.append(f"{d.decades:.1f} decades of eps")
    if d.num_diverged:
        parts.append(f"{d.num_diverged} diverged")
    if d.num_copies:
        parts.append(f"{d.num_copies} copies counted once")
    return ", ".join(parts) + "."


#: Columns of the table of laws.
COLUMNS = "law", "formula", "measures", "value", "low", "high", "residual", "criterion"


def law_rows(d: RateDecision) -> list[dict[str, Any]]:
    """Return the fitted laws as rows, the best first."""
    shown = {name: value for name, value in d.criterion.items() if name != "at most log"}
    if not shown:
        return []
    best = min(shown.values())
    rows = []
    for name, value in sorted(shown.items(), key=lambda item: item[1]):
        number, low, high, measures = np.nan, np.nan, np.nan, ""
        if name == "log":
            number, (low, high) = d.steps_per_decade, d.steps_per_decade_interval
            measures = "steps per decade"
        elif name == ("power floor" if d.law == "floor" else "power"):
            number, (low, high), measures = d.exponent, d.exponent_interval, "p"
        rows.append({
            "law": name, "formula": LAWS[name].formula, "measures": measures, "value": number,
            "low": low, "high": high, "residual": d.rms.get(name, np.nan),
            "criterion": value - best,
        })  # fmt: skip
    return rows


def _number(value: float, low: float, high: float) -> str:
    """Print a number with its interval, to the digits that the interval supports."""
    width = high - low
    if not np.isfinite(width) or width <= 0.0:
        return f"{value:.3g} [{low:.3g}, {high:.3g}]"
    digits = int(1 - np.floor(np.log10(width)))
    largest = max(abs(low), abs(high), abs(value))
    if largest >= 1e6 or (digits > 5 and largest < 1e-2):  # not a row of zeros
        decimals = int(np.clip(np.floor(np.log10(largest)) + digits, 1, 5))
        return f"{value:.{decimals}e} [{low:.{decimals}e}, {high:.{decimals}e}]"
    digits = int(np.clip(digits, 0, 5))
    value, low, high = (round(number, digits) + 0.0 for number in (value, low, high))
    return f"{value:.{digits}f} [{low:.{digits}f}, {high:.{digits}f}]"
