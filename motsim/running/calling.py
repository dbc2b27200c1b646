"""Sweeps called from Python: `motsim.sweep("my.toml")` runs what is missing and returns tables."""

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, get_args

from motsim.checks import check_choice
from motsim.plans.changes import Axis, Changes
from motsim.plans.file import Tier
from motsim.plans.loading import load_sweep
from motsim.plans.origins import check_origins
from motsim.results.folder import check_folder
from motsim.results.tables import Tables
from motsim.running.backends import open_backend
from motsim.running.progress import MODES
from motsim.running.session import Session

__all__ = ["sweep"]


def sweep(
    name: str | Path = "rates",
    *,
    tier: Tier = "quick",
    settings: Mapping[str, Any] | None = None,
    cases: Sequence[str] = (),
    seeds: int | None = None,
    seed_start: int | None = None,
    jobs: int | None = None,
    out: str | Path = "results",
    progress: str | None = None,
) -> Tables:
    """Run a sweep as the command does, and return its tables.

    Finished runs are kept in `out` and never run again; the tables are written there as well.

    Parameters
    ----------
    name : str or Path
        A sweep, or your own TOML file.
    tier : {"quick", "full"}
    settings : mapping, optional
        Setting, or CASE.setting for one case -> value; a list of values is an axis.
    cases : sequence of str
        The only cases that are run; all of them if empty.
    seeds, seed_start : int, optional
        Seeds of each setting, and the first of them; default: the file's.
    jobs : int, optional
        Runs at a time; default: the number of cores.
    out : str or Path
        Results folder.
    progress : {"bar", "plain", "json", "quiet"}, optional
        Default: a bar at a terminal and in a notebook, else nothing.

    Returns
    -------
    Tables
        `main` has one row a run and epsilon, `runs` one row a run; `others` what there is besides.

    Raises
    ------
    SweepError
        If there is no such sweep, tier, case or setting, or a value is not valid.
    StoreError
        If the folder cannot be written, or a stored run is damaged.
    ValueError
        If there is no such tier or kind of progress.
    """
    folder = Path(out)
    shown = progress or ("bar" if sys.stderr.isatty() or "ipykernel" in sys.modules else "quiet")
    check_choice("progress", shown, tuple(MODES))
    check_choice("tier", tier, get_args(Tier))
    check_folder(folder, make=False)
    values = {
        key: Axis(value) if isinstance(value, list | tuple) else value
        for key, value in (settings or {}).items()
    }
    plan = load_sweep(str(name), changes=Changes(values, tuple(cases), seed_start, seeds))
    cells = plan.cells(tier)
    check_origins([plan], folder)
    with open_backend("loky", jobs or os.cpu_count() or 1) as backend:
        return Session(folder, backend, MODES[shown]()).tables(plan, cells, tier)
