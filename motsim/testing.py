"""Rates in tests: `assert_rate` passes if training runs follow a law, else says which they follow.

    from motsim.testing import assert_rate, at_most

    assert_rate("runs.csv", "log", below=1e-2)
    assert_rate(frame, at_most(1.0))

numpy, pandas and pytest are loaded when they are used: the pytest plugin imports this module.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from numbers import Real
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast

if TYPE_CHECKING:
    from motsim.rates.decision import RateDecision
    from motsim.rates.rate import Rate, Rates

__all__ = ["AtMost", "Evidence", "assert_rate", "at_most"]

Verdict = Literal["holds", "fails", "inconclusive"]
LAWS = {"log": "log", "1/eps": "inverse", "inverse": "inverse", "power": "power", "floor": "floor"}
CHOICES = "log, 1/eps, power, floor or at_most(p) of motsim.testing"
#: What people call the laws; used for hints only.
CALLED = {name: name for name in LAWS} | {
    "logarithmic": "log", "log(1/eps)": "log", "linear": "log", "o(1/eps)": "1/eps",
    "polynomial": "power", "sublinear": "power", "plateau": "floor", "at_most": "at_most(p)",
}  # fmt: skip
SHOWN = 3  # groups that a message shows in full
LONGEST = 120  # characters of a file name
TINY = sys.float_info.min


@dataclass(frozen=True)
class AtMost:
    """An upper bound on the exponent p of T(eps) = O(eps^-p); made by `at_most`."""

    exponent: float

    def __str__(self) -> str:
        return f"at_most({self.exponent:g})"

    def verdict(self, decision: RateDecision) -> Verdict:
        """Compare the bound with the whole interval of p; runs that stopped reach no small eps."""
        low, high = decision.exponent_interval
        if decision.law == "inconclusive":
            return "inconclusive"
        if decision.law == "floor" or low > self.exponent:
            return "fails"
        return "holds" if high <= self.exponent else "inconclusive"


def at_most(p: float) -> AtMost:
    """Return the claim ``T(eps) = O(eps^-p)``, for `assert_rate`.

    It holds where the whole interval of the exponent is at or below p, as for a log law or a
    smaller power, and fails where the whole interval is above p or the loss stopped.

    Raises
    ------
    ValueError
        If p is not a positive finite number.

    Examples
    --------
    >>> print(at_most(1))
    at_most(1)
    """
    if not _positive(p):
        hint = "; for a logarithm say log" if p == 0 else ""
        raise ValueError(f"at_most: p must be a positive number; got {p!r}{hint}")
    return AtMost(float(p))


class Evidence:
    """Writer of evidence, one a test: ``evidence(rate)`` leaves picture, JSON and table of laws.

    Attributes
    ----------
    folder : Path, or a function that makes one
        Where files go; made when the first is written.
    name : str
        Of the test; file names start with it.
    always : bool
        Tests that pass leave evidence too.
    written : list of Path
        The pictures, in order.
    """

    def __init__(
        self, folder: Path | Callable[[], Path], name: str = "rate", always: bool = True
    ) -> None:
        self.folder, self.name, self.always = folder, name, always
        self.written: list[Path] = []

    def __call__(self, rate: Rate) -> Path:
        """Write NAME.png, NAME.json and NAME.csv; return the path of the picture.

        Later rates of the same test, and groups, have a number and the group's name added.
        """
        folder = self.folder() if callable(self.folder) else Path(self.folder)
        folder.mkdir(parents=True, exist_ok=True)
        number = f"-{len(self.written) + 1}" if self.written else ""
        base = folder / safe_name(f"{self.name}{number}" + (f"-{rate.name}" if rate.name else ""))
        picture = base.with_name(f"{base.name}.png")
        rate.plot(picture)
        # JSON has no NaN and no infinity: null
        values = json.loads(
            json.dumps(rate.to_dict(), default=float), parse_constant=lambda _: None
        )
        base.with_name(f"{base.name}.json").write_text(json.dumps(values, indent=1) + "\n", "utf-8")
        rate.table().to_csv(base.with_name(f"{base.name}.csv"), index=False)
        self.written.append(picture)
        return picture


def safe_name(text: str) -> str:
    """Return a file name for a test's node id; ids that differ have names that differ.

    >>> safe_name("tests/test_rate.py::test_descent[sgd]")
    'tests-test_rate.py-test_descent-sgd'
    """
    plain = text.replace("::", "-").replace("/", "-").replace("[", "-").replace("]", "")
    name = re.sub(r"[^A-Za-z0-9._=-]+", "-", plain).strip("-.")
    if name == plain and len(name) <= LONGEST:
        return name
    return f"{name[:LONGEST]}-{hashlib.sha256(text.encode()).hexdigest()[:8]}"


_current: Evidence | None = None  # of the test under way


@contextmanager
def evidence_of_test(evidence: Evidence) -> Iterator[None]:
    """Let `assert_rate` leave its evidence there; for the pytest plugin."""
    global _current
    before, _current = _current, evidence
    try:
        yield
    finally:
        _current = before


def current_evidence() -> Evidence:
    """Return the evidence of the test under way; outside of one, a folder for temporary files."""
    if _current is not None:
        return _current
    return Evidence(lambda: Path(tempfile.mkdtemp(prefix="motsim-rate-")), always=False)


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
    named = _law(law)
    if inconclusive not in ("fail", "skip"):
        raise ValueError(f"inconclusive must be fail or skip; got {inconclusive!r}")
    found = _rate(data, below, above, rate_options)
    groups = [found] if not isinstance(found, Mapping) else list(found.values())
    keep = Evidence(Path(evidence)) if isinstance(evidence, str | Path) else evidence
    keep = keep or current_evidence()
    verdicts = [_verdict(one, named) for one in groups]
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


def _law(law: object) -> str | AtMost:
    """Return the name that motsim.rates has for a law."""
    if isinstance(law, AtMost):
        return law
    if isinstance(law, str) and law in LAWS:
        return LAWS[law]
    hint = ""
    if isinstance(law, str):
        close = _nearest(law.lower().replace("ε", "eps"), CALLED)
        hint = f"; did you mean {CALLED[close]}?" if close else ""
    elif _is_number(law):
        hint = f"; did you mean at_most({law})?"
    raise ValueError(f"law must be {CHOICES}; got {law!r}{hint}")


def _rate(
    data: Any, below: float | None, above: float | None, options: dict[str, Any]
) -> Rate | Rates:
    """Return the rate of the data in the stated range."""
    from motsim.rates.rate import Rate, Rates, rate

    for name, value in (("below", below), ("above", above)):
        if value is not None and not _positive(value):
            raise ValueError(f"{name} must be a positive number; got {value!r}")
    known = ["loss", "step", "run", "where", "by", "optimum", "floor", "passage", "level"]
    known.append("eps_range")
    for name in options:
        if name not in known:
            close = _nearest(name, [*known, "below", "above", "evidence", "inconclusive"])
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


def _nearest(name: str, choices: Iterable[str]) -> str:
    from difflib import get_close_matches

    return next(iter(get_close_matches(name, list(choices), n=1)), "")


def _positive(value: Any) -> bool:
    return _is_number(value) and 0.0 < value < math.inf


def _is_number(value: object) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool)


def _verdict(rate: Rate, law: str | AtMost) -> Verdict:
    if isinstance(law, AtMost):
        return law.verdict(rate.decision)
    return cast(Verdict, rate.supports(law))


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
    table = rate.table()
    if len(table):
        columns = ["law", "measures", "value", "low", "high", "residual", "criterion"]
        text = table[columns].to_string(index=False, na_rep="", float_format=lambda x: f"{x:.3g}")
        lines += ["laws, with 95 % intervals, residual (decades of eps), BIC above the best:", text]
    if verdict == "inconclusive":
        lines.append(f"What would decide it: {_advice(rate, law)}.")
    return "\n".join([*lines, f"picture: {picture}"])
