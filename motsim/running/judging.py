"""Verdicts of claims from the runs in a store, several claims at a time."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from joblib import Parallel, delayed

from motsim.claims import Finding, claim_of
from motsim.claims._recorded import judged
from motsim.claims._together import stands_together
from motsim.plans.loading import load_sweep
from motsim.plans.plan import SweepError, Tier
from motsim.results.export import export
from motsim.results.store import FAILED, Store
from motsim.running.backends import Backend
from motsim.running.worker import prepare_worker
from motsim.threads import one_thread

__all__ = ["Judged", "judge_claims"]


@dataclass(frozen=True)
class Judged:
    """What was found about one claim, how many of its runs had failed, and what stands together.

    `together` are the cases that stand together (`motsim.claims._together`); None if not asked.
    """

    findings: tuple[Finding, ...]
    failed: int
    together: tuple[str, ...] | None = None


def judge_claims(
    names: Sequence[str],
    tier: Tier,
    folder: Path,
    backend: Backend,
    *,
    seed_start: int | None = None,
    tables: Path | None = None,
    together: bool = False,
) -> dict[str, Judged]:
    """Export the tables of claims (names, or sweep files) whose runs are stored, and judge them.

    `seed_start` as for `load_sweep`; `tables` is where the tables go, by default the folder of the
    store. `together` also asks which verdicts stand together. On a cluster only this process sees
    the store, so it does it alone.
    """
    where = (tier, folder, seed_start, tables or folder, together)
    jobs = 1 if backend.remote else min(backend.jobs, len(names))
    if jobs <= 1:
        return {name: _judge(name, *where) for name in names}
    workers = Parallel(jobs, batch_size=1, initializer=prepare_worker, initargs=(os.getpid(),))
    with backend.context():
        found = workers(delayed(_judge)(name, *where) for name in names)
    return dict(zip(names, found, strict=True))


def _judge(
    name: str, tier: Tier, folder: Path, start: int | None, out: Path, together: bool
) -> Judged:
    """One claim, with one thread: the same bits however many are judged at a time."""
    sweep = load_sweep(name, start)
    module = claim_of(sweep)
    if module is None:
        raise SweepError(f"{sweep.path}: no [claim] to judge")
    with one_thread():
        with Store(folder) as store:
            tables = export(store, sweep, tier, sweep.cells(tier), out)
        failed = tables.runs.loc[tables.runs["status"].isin(FAILED), "run"].nunique()
        findings = judged(sweep.name, tables, module)
        stand = stands_together(module.judge, tables, findings) if together else None
        return Judged(findings, failed, stand)
