"""A measured value with its interval, and what the interval says of a claim.

Comparisons are three-valued: a claim holds where the whole interval is on its side, fails where the
whole interval is on the other, and is inconclusive in between. A missing end (NaN) is on no side.
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

__all__ = ["Interval", "Verdict", "stacked"]

MORE_DIGITS = 6
FORM = re.compile(r"(.*?)(\+?)\.(\d+)(\w)")
NAN = float("nan")


class Verdict(StrEnum):
    """What is found of a claim."""

    HOLDS = "holds"
    FAILS = "fails"
    INCONCLUSIVE = "inconclusive"

    @property
    def opposite(self) -> "Verdict":
        """Of the negated claim."""
        turned = {Verdict.HOLDS: Verdict.FAILS, Verdict.FAILS: Verdict.HOLDS}
        return turned.get(self, self)

    def both(self, other: "Verdict") -> "Verdict":
        """Of two claims at once: they hold if both do, and fail if one does."""
        every = {self, other}
        return Verdict.of(holds=every == {Verdict.HOLDS}, fails=Verdict.FAILS in every)

    @classmethod
    def of(cls, holds: bool, fails: bool) -> "Verdict":
        """Of what was seen for a claim and against it; where both were seen it fails.

        >>> Verdict.of(holds=True, fails=False)
        <Verdict.HOLDS: 'holds'>
        """
        return cls.FAILS if fails else cls.HOLDS if holds else cls.INCONCLUSIVE


@dataclass(frozen=True)
class Interval:
    """Value and ends; NaN where there are none, equal ends where no run differs.

    Examples
    --------
    >>> rate = Interval(52.0, 51.5, 52.4)
    >>> print(rate.above(50), rate.below(52), rate.excludes(60))
    holds inconclusive True
    >>> print(rate, f"and {rate:+.1f}")
    52.00 [51.50, 52.40] and +52.0 [+51.5, +52.4]
    """

    value: float = NAN
    low: float = NAN
    high: float = NAN

    @property
    def constant(self) -> bool:
        """Whether both ends are one: nothing varies with the seed."""
        return self.low == self.high

    def above(self, limit: float) -> Verdict:
        """Whether the quantity is above a limit."""
        return Verdict.of(holds=self.low > limit, fails=self.high < limit)

    def below(self, limit: float) -> Verdict:
        """Whether it is below a limit."""
        return self.above(limit).opposite

    def at_most(self, limit: float) -> Verdict:
        """Whether it is at most a limit, which it may touch."""
        return Verdict.of(holds=self.high <= limit, fails=self.low > limit)

    def within(self, least: float, most: float) -> Verdict:
        """Whether it is between two limits: above one and below the other."""
        return Verdict.of(
            holds=self.low > least and self.high < most, fails=self.low > most or self.high < least
        )

    def near(self, target: float, factor: float) -> Verdict:
        """Whether it is within a factor of a target."""
        return self.within(target / factor, target * factor)

    def excludes(self, number: float) -> bool:
        """Whether a number is outside; NaN ends exclude nothing."""
        return number < self.low or number > self.high

    def contains(self, number: float) -> bool:
        """Whether a number is inside; NaN ends contain nothing."""
        return self.low <= number <= self.high

    def map(self, function: Callable[[float], float]) -> "Interval":
        """Interval of a rising function of the quantity."""
        return Interval(*(float(function(end)) for end in (self.value, self.low, self.high)))

    def ends(self, form: str = ".2f") -> str:
        """Ends alone, for beside a count.

        >>> Interval(0.9, 0.75, 0.96).ends()
        '[0.75, 0.96]'
        """
        return f"[{self.low:{form}}, {self.high:{form}}]"

    def __str__(self) -> str:
        return f"{self:.2f}"

    def __format__(self, form: str) -> str:
        """Value and ends, with as many digits as it takes to tell the ends apart.

        `form` is a format with a precision, after what is put in front of each number.

        >>> f"{Interval(1.0, 0.99996, 1.00004):.2f}"
        '1.00000 [0.99996, 1.00004]'
        >>> f"{Interval(-8.0, -8.2, -7.9):10^.1f}"
        '10^-8.0 [10^-8.2, 10^-7.9]'
        >>> f"{Interval(1.0, 1.0, 1.0):.2f}"
        '1.00 (the same in every run)'
        """
        found = FORM.fullmatch(form or ".2f")
        if not found:
            raise ValueError(f"format must be like .2f, +.1f or 10^.1f; got {form!r}")
        before, sign, digits, kind = found.groups()
        if self.constant:
            return f"{before}{self.value:{sign}.{digits}{kind}} (the same in every run)"
        numbers = self.value, self.low, self.high
        for more in range(MORE_DIGITS + 1):
            texts = [f"{x:{sign}.{int(digits) + more}{kind}}" for x in numbers]
            if float(texts[1]) != float(texts[2]) or np.isnan(self.low):
                break
        else:
            texts = [f"{x:{sign}.{MORE_DIGITS}g}" for x in numbers]
        return "{0}{1} [{0}{2}, {0}{3}]".format(before, *texts)


def stacked(intervals: Iterable[Interval]) -> NDArray[np.float64]:
    """Values, lower and upper ends of several (3, K), as figures draw them."""
    rows = [(one.value, one.low, one.high) for one in intervals]
    return np.array(rows, dtype=float).reshape(-1, 3).T
