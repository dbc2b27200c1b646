"""What a sweep file may hold, and how a wrong one is refused in one line."""

from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from motsim.plans.claim_table import ClaimTable

__all__ = ["FOLDER", "LAST_START", "SweepError", "SweepFile", "Tier", "TierTable"]

FOLDER = (Path(__file__).parents[1] / "sweeps").resolve()  # the sweeps that come with motsim
Tier = Literal["quick", "full"]
LAST_START = 1_000_000_000  # of the seeds: with MAX_RUNS of them they fit in 31 bits


class SweepError(ValueError):
    """A sweep file or an override is wrong; the message is one line for the user."""

    def __init__(self, message: str) -> None:
        super().__init__(" ".join(message.split()))


class TierTable(BaseModel):
    """Table ``[tier.NAME]``: what differs in a tier."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    seeds: int | None = Field(None, ge=1)
    fixed: dict[str, Any] = {}
    grid: dict[str, list[Any]] = {}
    case: dict[str, dict[str, Any]] = {}


class SweepFile(BaseModel):
    """A sweep file; the settings in it are checked with its kind's."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    title: str
    kind: str = "mixture"
    seeds: int = Field(5, ge=1)
    seed_start: int = Field(0, ge=0, le=LAST_START)
    fixed: dict[str, Any] = {}
    grid: dict[str, list[Any]] = {}
    case: dict[str, dict[str, Any]] = {}
    tier: dict[Tier, TierTable] = {}
    claim: ClaimTable | None = None
