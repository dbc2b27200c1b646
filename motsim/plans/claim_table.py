"""Table ``[claim]`` of a sweep file: a claim without a line of Python.

A criterion is one of `law`, `exponent`, `ratio`, `share`; several may stand side by side, each is
judged. ``[claim.case.NAME]`` says what differs in a case: its criterion, or that it is a control
that has to fail. motsim/claims/_declared.py judges.
"""

import operator
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from motsim.checks import nearest

__all__ = [
    "CRITERIA", "Bound", "CaseClaim", "ClaimTable", "Condition", "Ratio", "Share", "claim_hint",
    "claims_of_cases",
]  # fmt: skip

Expected = Literal["holds", "fails", "inconclusive"]
Criterion = Literal["law", "exponent", "ratio", "share"]
CRITERIA: tuple[Criterion, ...] = ("law", "exponent", "ratio", "share")
VERDICTS = ["holds", "fails", "inconclusive"]
CONDITION = re.compile(r"\s*(\w+)\s*(<=|>=|==|!=|<|>)\s*(\S.*?)\s*")
TESTS: dict[str, Callable[[Any, Any], bool]] = {
    "<=": operator.le, ">=": operator.ge, "==": operator.eq, "!=": operator.ne,
    "<": operator.lt, ">": operator.gt,
}  # fmt: skip
STRICT = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class Condition(BaseModel):
    """What a run has to be: a column, a comparison, a number or word: ``final_loss <= 1e-6``."""

    model_config = STRICT

    column: str
    test: Literal["<=", ">=", "==", "!=", "<", ">"]
    value: float | str

    @classmethod
    def read(cls, text: str) -> Self:
        """Read one; ValueError if it is none."""
        found = CONDITION.fullmatch(text)
        if not found:
            raise ValueError(
                f"must be a column, a comparison and a value, such as 'final_loss <= 1e-6' or"
                f" 'status == reached'; got {text!r}"
            )
        column, test, value = found.groups()
        try:
            return cls(column=column, test=test, value=float(value))
        except ValueError:
            if test not in ("==", "!="):
                raise ValueError(f"{test} compares numbers; got {value!r}") from None
            return cls(column=column, test=test, value=value.strip("'\""))

    def holds(self, value: Any) -> bool:
        """Whether a value passes; what is missing never does."""
        if value is None or value != value:
            return False
        if isinstance(self.value, str):
            return TESTS[self.test](str(value), self.value)
        return not isinstance(value, str) and TESTS[self.test](float(value), self.value)

    def __str__(self) -> str:
        value = self.value if isinstance(self.value, str) else f"{self.value:g}"
        return f"{self.column} {self.test} {value}"


class Bound(BaseModel):
    """One of `above`, `below`, `within`; the whole interval has to be there."""

    model_config = STRICT

    above: float | None = Field(None, description="the quantity is larger")
    below: float | None = Field(None, description="the quantity is smaller")
    within: list[float] | None = Field(None, description="[low, high]: it lies between")

    @model_validator(mode="after")
    def _one(self) -> Self:
        given = [name for name in ("above", "below", "within") if getattr(self, name) is not None]
        if len(given) != 1:
            said = f"got {' and '.join(given)}" if given else "got none"
            raise ValueError(f"takes one of above, below, within = [low, high]; {said}")
        if self.within is not None and not (
            len(self.within) == 2 and self.within[0] < self.within[1]
        ):
            raise ValueError(f"within takes [low, high] with low < high; got {self.within}")
        return self

    def __str__(self) -> str:
        if self.within is not None:
            return f"within [{self.within[0]:g}, {self.within[1]:g}]"
        return f"above {self.above:g}" if self.above is not None else f"below {self.below:g}"


class Ratio(Bound):
    """A case over another one, seed by seed: T(`at`), or a result `of` each run."""

    to: str = Field(description="the case that is divided by")
    at: float | None = Field(None, gt=0, description="eps: the ratio is of T(eps)")
    of: str | None = Field(None, description="name of a result: the ratio is of it")

    @model_validator(mode="after")
    def _what(self) -> Self:
        if (self.at is None) == (self.of is None):
            raise ValueError("takes one of at = EPS (steps to it) and of = RESULT")
        return self


class Share(Bound):
    """Share of the runs that reach an accuracy, or of which a condition is true."""

    reach: float | None = Field(None, gt=0, description="eps that a run has to reach")
    of: str | None = Field(None, description="a condition, such as 'final_loss <= 1e-6'")

    @field_validator("of")
    @classmethod
    def _readable(cls, text: str | None) -> str | None:
        if text is not None:
            Condition.read(text)
        return text

    @model_validator(mode="after")
    def _what(self) -> Self:
        if (self.reach is None) == (self.of is None):
            raise ValueError("takes one of reach = EPS and of = CONDITION")
        return self


class CaseClaim(BaseModel):
    """What is claimed of a case; what is left out is as in ``[claim]``."""

    model_config = STRICT

    law: Literal["log", "1/eps", "power", "floor"] | None = Field(
        None, description="law of the steps to accuracy; a power may be 1/eps"
    )
    exponent: Bound | None = Field(None, description="p of T(eps) ~ eps^-p")
    ratio: Ratio | None = None
    share: Share | None = None
    range: list[float] | None = Field(
        None, description="[low, high] of eps that law and exponent are about"
    )
    among: str | None = Field(None, description="condition on the runs that are judged")
    expected: Expected | dict[Criterion, Expected] | None = Field(
        None, description="verdict that is right: holds, or fails for a negative control"
    )
    skip: bool = Field(False, description="nothing is claimed of this case")

    @field_validator("among")
    @classmethod
    def _readable(cls, text: str | None) -> str | None:
        if text is not None:
            Condition.read(text)
        return text

    @field_validator("range")
    @classmethod
    def _ordered(cls, ends: list[float] | None) -> list[float] | None:
        if ends is not None and not (len(ends) == 2 and 0 < ends[0] < ends[1]):
            raise ValueError(f"takes [low, high] of eps with 0 < low < high; got {ends}")
        return ends

    def criteria(self) -> list[Criterion]:
        """Names of the criteria that are there."""
        return [name for name in CRITERIA if getattr(self, name) is not None]

    def expects(self, criterion: Criterion) -> Expected:
        """Verdict that is recorded."""
        if isinstance(self.expected, dict):
            return self.expected.get(criterion, "holds")
        return self.expected or "holds"


class ClaimTable(CaseClaim):
    """Table ``[claim]``."""

    statement: str = Field("", description="one sentence; default: the title")
    source: str = Field("", description="paper and place")
    origin: Literal["quoted", "reconstructed", "derived", "measured"] = "measured"
    case: dict[str, CaseClaim] = {}

    def of(self, case: str) -> CaseClaim:
        """Return what is claimed of a case."""
        mine = {n: getattr(self, n) for n in CaseClaim.model_fields if n in self.model_fields_set}
        own = self.case.get(case)
        if own is not None:
            mine["skip"] = False
            mine |= {name: getattr(own, name) for name in own.model_fields_set}
        return CaseClaim.model_construct(**mine)


def claims_of_cases(table: ClaimTable, cases: Mapping[str, Any]) -> Iterator[str]:
    """Yield what is wrong of a table with the cases of its sweep, a line each."""
    for name in table.case:
        if name not in cases:
            yield f"[claim.case.{name}] is about no case{_near(name, cases)}"
    claims = {name: table.of(name) for name in cases or ("",)}
    if not any(claim.criteria() and not claim.skip for claim in claims.values()):
        yield f"[claim] needs a criterion: {', '.join(CRITERIA)}"
    for claim in (table, *table.case.values()):
        if claim.ratio is not None and claim.ratio.to not in cases:
            yield f"[claim] ratio: to = {claim.ratio.to!r} is no case{_near(claim.ratio.to, cases)}"


def claim_hint(where: tuple[Any, ...], kind: str, value: Any) -> str:
    """Return the nearest valid choice for what pydantic refuses in ``[claim]``."""
    model: type[BaseModel] = ClaimTable
    names = [name for name in where if isinstance(name, str)][1:]
    inside: dict[str, type[BaseModel]] = {"exponent": Bound, "ratio": Ratio, "share": Share}
    for i_name, name in enumerate(names):
        if name == "case" and i_name + 1 < len(names):
            model = CaseClaim
        model = inside.get(name, model)
    if kind == "extra_forbidden":
        return _near(names[-1], model.model_fields)
    if kind == "literal_error":
        choices = {"law": ["log", "1/eps", "power", "floor"], "origin": ["quoted", "derived"]}
        known = {"linear": "log", "logarithmic": "log", "inverse": "1/eps", "polynomial": "power"}
        if isinstance(value, dict):  # a verdict a criterion
            wrong = [word for word in value if word not in CRITERIA]
            said = next((v for v in value.values() if v not in VERDICTS), "")
            return _near(wrong[0], list(CRITERIA)) if wrong else _near(str(said), VERDICTS)
        if value in known and "law" in names:
            return f"; did you mean {known[value]!r}?"
        key = next((name for name in names if name in choices), "")
        return _near(str(value), choices.get(key, VERDICTS))
    return ""


def _near(word: str, choices: Mapping[str, Any] | list[str]) -> str:
    if not choices:
        return "; this sweep has no cases"
    return nearest(word, choices)
