"""Settings of a case's runs, for what is derived from them."""

from functools import lru_cache
from typing import Any

from motsim.experiments.mixture.run import Settings
from motsim.plans.loading import load_sweep
from motsim.plans.plan import Tier
from motsim.results.tables import Tables

__all__ = ["case_settings"]


def case_settings(claim: str, tables: Tables, case: str, **changes: Any) -> Settings:
    """Return the sweep file's settings, what all runs of the tables share, and `changes`."""
    values = _cases(claim, "full" if tables.meta.get("tier") == "full" else "quick")[case]
    return Settings(**(values | tables.meta.get("settings", {}) | changes))


@lru_cache(maxsize=8)
def _cases(claim: str, tier: Tier) -> dict[str, dict[str, Any]]:
    """Settings of the first point of each case."""
    cells = reversed(load_sweep(claim).cells(tier, {}, 1))
    return {cell.labels["case"]: cell.settings.model_dump() for cell in cells}
