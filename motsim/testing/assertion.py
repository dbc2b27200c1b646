"""The assertion: training runs follow a law, or the test says which they follow."""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping
from inspect import signature
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from motsim.checks import close_to
from motsim.testing.claim import AtMost, as_claim, positive, verdict_of
from motsim.testing.evidence import Evidence, current_evidence

if TYPE_CHECKING:
    from motsim.rates.groups import Rates
    from motsim.rates.rate import Rate

__all__ = ["assert_rate"]

SHOWN = 3  # groups that a message shows in full
TINY = sys.float_info.min


def assert_rate(
    data: Any,
    law: str | AtMost,
    *,
    below: float | None = None,
    above: float | None = None,
    inconclusive: Literal["fail", "skip"] = "fail",
    evidence: Evidence | str | Path | None = None,
    **rate_options: Any,
) -> Rate | Rates:
    """Pass if the steps to accuracy of training runs follow a law, with the law's evidence kept.

    Parameters
    ----------
    data : path, list of paths, DataFrame, array of shape (num_steps, num_runs), Rate or Rates
        What the runs logged, as for `motsim.rate`, or what that returned.
    law : {"log", "1/eps", "power", "floor"} or at_most(p)
        ``inverse`` is ``1/eps``; a ``power`` may be ``1/eps``.
    below, above : float, optional
        Range of eps that the claim is about, eps <= `below` and eps >= `above`: stated in
        advance, not searched for until the test passes.
    inconclusive : {"fail", "skip"}
        What is done where the runs cannot decide.
    evidence : Evidence or folder, optional
        Where the evidence goes. Under pytest the plugin knows (``--rate-evidence DIR``); without
        a folder only what does not hold leaves evidence, among pytest's or temporary files.
    **rate_options
        Options of `motsim.rate`: loss, step, run, where, by, optimum, floor, passage, level.

    Returns
    -------
    Rate, or Rates where there is more than one group: each of them follows the law

    Raises
    ------
    AssertionError
        If the law fails, or cannot be decided: the answer, the data it rests on, the laws with
        their intervals, what would decide it, and the path of the picture.
    ValueError
        In one line, if an argument or the data are wrong.
    TypeError
        If `motsim.rate` has no such option.

    Examples
    --------
    >>> import numpy as np
    >>> losses = np.exp(-np.arange(400)[:, None] / [20.0, 21.0, 22.0, 23.0])
    >>> assert_rate(losses, "log", below=0.1).law
    'log'
    """
    __tracebackhide__ = True
    named = as_claim(law)
    if inconclusive not in ("fail", "skip"):
        raise ValueError(f"inconclusive must be fail or skip; got {inconclusive!r}")
    found = _rate(data, below, above, rate_options)
    groups = [found] if not isinstance(found, Mapping) else list(found.values())
    keep = Evidence(Path(evidence)) if isinstance(evidence, str | Path) else evidence
    keep = keep or current_evidence()
    verdicts = [verdict_of(one, named) for one in groups]
    pictures = {
        id(one): _write(keep, one)
        for one, verdict in zip(groups, verdicts, strict=True)
        if keep.always or verdict != "holds"
    }
    failed = "fails" if "fails" in verdicts else "inconclusive"
    bad = [one for one, verdict in zip(groups, verdicts, strict=True) if verdict == failed]
    if not bad:
        return found
    if failed == "inconclusive" and inconclusive == "skip":
        import pytest

        pytest.skip(f"{law} is inconclusive: " + " ".join(_line(one, named) for one in bad[:SHOWN]))
    texts = [_message(one, named, failed, pictures[id(one)]) for one in bad[:SHOWN]]
    if len(groups) > 1:
        names = ", ".join(one.name for one in bad)
        texts.insert(0, f"{law} {failed} for {len(bad)} of {len(groups)} groups: {names}")
    raise AssertionError("\n\n".join(texts))


def _rate(
    data: Any, below: float | None, above: float | None, options: dict[str, Any]
) -> Rate | Rates:
    """Return the rate of the data in the stated range."""
    from motsim.rates.groups import Rates
    from motsim.rates.rate import Rate
    from motsim.rates.rating import rate

    for name, value in (("below", below), ("above", above)):
        if value is not None and not positive(value):
            raise ValueError(f"{name} must be a positive number; got {value!r}")
    known = list(signature(rate).parameters)[1:]  # all but the data
    for name in options:
        if name not in known:
            close = close_to(name, [*known, "below", "above", "evidence", "inconclusive"])
            hint = f"; did you mean {close}?" if close else f"; there are: {', '.join(known)}"
            raise TypeError(f"assert_rate has no option {name!r}{hint}")
    stated = below is not None or above is not None
    if isinstance(data, Rate | Rates):
        if stated or options:
            what = "below" if below is not None else "above" if stated else next(iter(options))
            raise ValueError(f"{what}: a rate is decided already; give it to motsim.rate instead")
        return data
    if stated:
        if options.get("eps_range") is not None:
            raise ValueError("eps_range says what below and above say; give one of them")
        low = TINY if above is None else float(above)
        high = math.inf if below is None else float(below)
        if low >= high:
            raise ValueError(f"no eps is >= above={above:g} and <= below={below:g}; swap them?")
        options = {**options, "eps_range": (low, high)}
    return rate(data, **options)


def _write(evidence: Evidence, rate: Rate) -> str:
    """Return where the picture is; a full disk must not hide why a test fails."""
    try:
        return str(evidence(rate))
    except OSError as error:
        return f"not written ({error.strerror}: {error.filename})"


def _advice(rate: Rate, law: str | AtMost) -> str:
    """Say what would decide an inconclusive case; also one whose law is known but for p."""
    if rate.advice or rate.law == "inconclusive":
        return rate.advice
    low, high = rate.decision.exponent_interval
    bound = f"{law.exponent:g}" if isinstance(law, AtMost) else "a part of 1 ± 0.2"
    return (
        f"p is in [{low:.3g}, {high:.3g}], which holds {bound} and more;"
        " more seeds or more decades of eps make it narrower"
    )


def _line(rate: Rate, law: str | AtMost) -> str:
    name = f"{rate.name}: " if rate.name else ""
    advice = _advice(rate, law)
    return f"{name}{rate.sentence}" + (f" What would decide it: {advice}." if advice else "")


def _message(rate: Rate, law: str | AtMost, verdict: str, picture: str) -> str:
    """Return what a failing test prints of one rate."""
    name = f"{rate.name}: " if rate.name else ""
    said = "1/eps" if law == "inverse" else str(law)
    lines = [f"{name}{said} {verdict}: {rate.sentence}", rate.data]
    lines += [f"- {note}" for note in (*rate.decision.warnings, *rate.notes)]
    from motsim.rates.words import percent

    table = rate.table()
    if len(table):
        columns = ["law", "measures", "value", "low", "high", "residual", "criterion"]
        text = table[columns].to_string(index=False, na_rep="", float_format=lambda x: f"{x:.3g}")
        head = f"laws, with {percent(rate.level)} intervals, residual (decades of eps),"
        lines += [f"{head} BIC above the best:", text]
    if verdict == "inconclusive":
        lines.append(f"What would decide it: {_advice(rate, law)}.")
    return "\n".join([*lines, f"picture: {picture}"])
