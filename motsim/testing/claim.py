"""Claims about a rate: a law by name, or an upper bound on its exponent."""

from __future__ import annotations

import math
from dataclasses import dataclass
from numbers import Real
from typing import TYPE_CHECKING, Any, Literal, cast

from motsim.checks import close_to

if TYPE_CHECKING:
    from motsim.rates.decision import RateDecision
    from motsim.rates.rate import Rate

__all__ = ["AtMost", "Verdict", "as_claim", "at_most", "positive", "verdict_of"]

Verdict = Literal["holds", "fails", "inconclusive"]
LAWS = {"log": "log", "1/eps": "inverse", "inverse": "inverse", "power": "power", "floor": "floor"}
CHOICES = "log, 1/eps, power, floor or at_most(p) of motsim.testing"
#: What people call the laws; used for hints only.
CALLED = {name: name for name in LAWS} | {
    "logarithmic": "log", "log(1/eps)": "log", "linear": "log", "o(1/eps)": "1/eps",
    "polynomial": "power", "sublinear": "power", "plateau": "floor", "at_most": "at_most(p)",
}  # fmt: skip


@dataclass(frozen=True)
class AtMost:
    """An upper bound on the exponent p of T(eps) = O(eps^-p); made by `at_most`.

    Parameters
    ----------
    exponent : float
        The bound.
    """

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

    Parameters
    ----------
    p : float
        The bound, > 0.

    Returns
    -------
    AtMost
        What `assert_rate` takes for a law.

    Raises
    ------
    ValueError
        If p is not a positive finite number.

    Examples
    --------
    >>> print(at_most(1))
    at_most(1)
    """
    if not positive(p):
        hint = "; for a logarithm say log" if p == 0 else ""
        raise ValueError(f"at_most: p must be a positive number; got {p!r}{hint}")
    return AtMost(float(p))


def as_claim(law: object) -> str | AtMost:
    """Return the name that motsim.rates has for a law."""
    if isinstance(law, AtMost):
        return law
    if isinstance(law, str) and law in LAWS:
        return LAWS[law]
    hint = ""
    if isinstance(law, str):
        close = close_to(law.lower().replace("ε", "eps"), CALLED)
        hint = f"; did you mean {CALLED[close]}?" if close else ""
    elif _is_number(law):
        hint = f"; did you mean at_most({law})?"
    raise ValueError(f"law must be {CHOICES}; got {law!r}{hint}")


def verdict_of(rate: Rate, law: str | AtMost) -> Verdict:
    """Return what a rate says of a claim."""
    if isinstance(law, AtMost):
        return law.verdict(rate.decision)
    return cast(Verdict, rate.supports(law))


def positive(value: Any) -> bool:
    """Tell whether a value is a positive finite number."""
    return _is_number(value) and 0.0 < value < math.inf


def _is_number(value: object) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool)
