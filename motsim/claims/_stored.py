"""The claim that stored tables belong to: by their sweep's name, or in the file they came from."""

from pathlib import Path
from typing import Any

from motsim.claims import ClaimModule, claim_module, claim_names, claim_of
from motsim.plans.changes import split_table
from motsim.plans.loading import load_sweep
from motsim.plans.origins import SHIPPED, origin_path
from motsim.plans.plan import SweepError

__all__ = ["claim_of_tables"]


def claim_of_tables(name: str, meta: dict[str, Any], folder: Path) -> ClaimModule | None:
    """Return the claim of tables, from their name and description; None if they have none.

    That a call has changed settings is for the caller to see: no verdict is recorded for these.
    """
    base = split_table(name)[0]
    file = str(meta.get("file", ""))
    if not file or file.startswith(SHIPPED):
        return claim_module(base) if base in claim_names() else None
    try:
        sweep = load_sweep(str(origin_path(file, folder)), trusted=False)
    except SweepError:  # it is gone, or wrong by now
        return None
    return claim_of(sweep)
