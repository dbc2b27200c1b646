"""Claims: one module a claim, over tables; each says what it finds and what we expect.

A claim module has ``CLAIM`` and ``judge(tables) -> list of Finding``; its name with dashes is the
name of its sweep, its figure and its test. Nothing lists claims by hand. An installed package
plugs in its own by the entry point `motsim.claims`, with the sweep NAME.toml beside the module.
"""

import pkgutil
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from typing import Literal, Protocol

from motsim.experiments.plugins import plugins
from motsim.plans.plan import Sweep
from motsim.results.tables import Tables

__all__ = [
    "Claim",
    "ClaimModule",
    "Finding",
    "Kind",
    "Verdict",
    "claim_module",
    "claim_names",
    "claim_of",
]

Verdict = Literal["holds", "fails", "inconclusive"]
Kind = Literal["tight", "upper", "lower", "existence"]
Origin = Literal["quoted", "reconstructed", "derived", "measured"]


@dataclass(frozen=True)
class Claim:
    """What is claimed, by whom, and how it is checked.

    Attributes
    ----------
    statement : str
        One sentence.
    source : str
        Paper and place.
    origin : {"quoted", "reconstructed", "derived", "measured"}
        How the statement came here.
    prediction : str
        What a table would show.
    kind : {"tight", "upper", "lower", "existence"}
        Chooses the assertion: two-sided for tight, one-sided for a bound.
    """

    statement: str
    source: str
    origin: Origin
    prediction: str
    kind: Kind


@dataclass(frozen=True)
class Finding:
    """One case of a claim: predicted and measured side by side, and the verdict.

    Attributes
    ----------
    case : str
        Setting within the sweep.
    predicted, measured : str
        In words and numbers, with the interval.
    verdict, expected : {"holds", "fails", "inconclusive"}
        Found, and recorded as our finding so far.
    evidence : str
        One sentence.
    value, low, high : float
        The measurement and its interval, NaN where the verdict rests on no single number. Equal
        ends mean that no run differed: that is no interval, and they become NaN.
    """

    case: str
    predicted: str
    measured: str
    verdict: Verdict
    expected: Verdict
    evidence: str
    value: float = float("nan")
    low: float = float("nan")
    high: float = float("nan")

    def __post_init__(self) -> None:
        if self.low == self.high:
            object.__setattr__(self, "low", float("nan"))
            object.__setattr__(self, "high", float("nan"))

    @property
    def as_expected(self) -> bool:
        """Whether the verdict is the recorded one."""
        return self.verdict == self.expected


class ClaimModule(Protocol):
    """What a claim's module offers."""

    @property
    def CLAIM(self) -> Claim:
        """What is claimed."""
        ...

    def judge(self, tables: Tables) -> list[Finding]:
        """Judge every case of the claim."""
        ...


def claim_names() -> list[str]:
    """Names of all claims: motsim's, and those of installed packages (`motsim.claims`)."""
    modules = (module.name for module in pkgutil.iter_modules(__path__))
    own = {name.replace("_", "-") for name in modules if not name.startswith("_")}
    return sorted(own | plugins("motsim.claims").keys())


def claim_module(name: str) -> ClaimModule:
    """Return the module of one claim; one of motsim's wins over a plugged in one."""
    own = f"{__name__}.{name.replace('-', '_')}"
    plugged = plugins("motsim.claims").get(name, "").partition(":")[0]
    module: ClaimModule = import_module(plugged if plugged and not find_spec(own) else own)
    return module


def claim_of(sweep: Sweep) -> ClaimModule | None:
    """Return the claim of a sweep: its table ``[claim]``, or the module of its name; or None."""
    if sweep.file.claim is not None:
        from motsim.claims._declared import DeclaredClaim

        return DeclaredClaim(sweep, sweep.file.claim)
    return claim_module(sweep.name) if sweep.name in claim_names() else None
