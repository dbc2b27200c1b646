"""Claims: one module a claim, over tables; each says what it finds.

A claim module has ``CLAIM`` and ``judge(tables) -> list of Finding``; its name with dashes is the
name of its sweep, its figure and its test. Nothing lists claims by hand. What was found before
is data beside them, which no claim reads: recorded.csv, and in reproduced.csv how often that came
out on fresh seeds; motsim/claims/_recorded.py joins both, as _sentence.py the words for their cases
(words.csv). An installed package plugs in its own by the entry point `motsim.claims`, with the
sweep NAME.toml beside the module.
"""

import pkgutil
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from typing import Any, Literal, Protocol

from motsim.claims._reproduced import Reproduced
from motsim.experiments.plugins import plugins
from motsim.plans.plan import Sweep
from motsim.results.tables import Tables
from motsim.statistics.interval import Interval, Verdict

__all__ = [
    "Claim", "ClaimModule", "Finding", "Interval", "Kind", "Verdict", "claim_module", "claim_names",
    "claim_of",
]  # fmt: skip

UNKNOWN = Interval()
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
    verdict : Verdict
    evidence : str
        One sentence.
    interval : Interval
        The measurement, NaN where the verdict rests on no single number. Equal ends mean that no
        run differed: that is no interval, and they become NaN.
    expected : Verdict, optional
        What is recorded; None where nothing is. Joined by the judge, never given by a claim.
    reproduced : Reproduced, optional
        How often the recorded verdict came out on fresh seeds; None where that was not measured.
    """

    case: str
    predicted: str
    measured: str
    verdict: Verdict
    evidence: str
    interval: Interval = UNKNOWN
    expected: Verdict | None = None
    reproduced: Reproduced | None = None

    def __post_init__(self) -> None:
        if self.interval.constant:
            object.__setattr__(self, "interval", Interval(self.interval.value))

    @property
    def as_expected(self) -> bool:
        """Whether the verdict is the recorded one."""
        return self.verdict == self.expected

    def as_dict(self) -> dict[str, Any]:
        """Everything, flat, for JSON."""
        found = vars(self) | vars(self.interval)
        del found["interval"]
        return found | {"reproduced": self.reproduced and self.reproduced.as_dict()}


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
