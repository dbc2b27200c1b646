"""joblib's dask backend with four repairs, each of a way to wait for ever or run elsewhere.

joblib 1.6 does not tell its caller of a task that dask gives up (its workers were killed, the
scheduler is gone), waits for ever once no worker is left, and runs everything in the calling
process on a cluster of one thread. distributed waits for ever for a result whose worker died before
it was fetched, if its task is given up later.
"""

import asyncio
import time
from typing import Any

from joblib._dask import DaskDistributedBackend

from motsim.running.backends import BackendError

__all__ = ["RepairedDaskBackend", "identify", "no_worker_seconds"]


def no_worker_seconds() -> float:
    """Return the seconds until a cluster without workers is given up; default 30.

    Set as every setting of dask: ``motsim.no-worker-timeout`` in its configuration, or the
    variable ``DASK_MOTSIM__NO_WORKER_TIMEOUT``.

    Raises
    ------
    BackendError
        If it is no time, such as ``30`` or ``2 minutes``.
    """
    from dask import config
    from dask.utils import parse_timedelta

    wanted = config.get("motsim.no-worker-timeout", 30.0)
    try:
        return float(parse_timedelta(wanted))
    except (ValueError, KeyError, TypeError) as error:
        raise BackendError(
            f"dask's setting motsim.no-worker-timeout must be a time, such as 30s; got {wanted!r}"
        ) from error


async def identify(address: str, patience: float) -> Any:
    """Return what a scheduler says of itself; OSError or ValueError if none answers in time."""
    from distributed.core import rpc

    async with rpc(address, timeout=patience) as scheduler:
        return await asyncio.wait_for(scheduler.identity(), patience)


class RepairedDaskBackend(DaskDistributedBackend):
    """A task whose worker was killed too often returns None; any other loss is BackendError."""

    def effective_n_jobs(self, n_jobs: int) -> int:
        """Return the cluster's threads; at least 2, because joblib runs 1 in this process."""
        return max(2, super().effective_n_jobs(n_jobs))

    def retrieve_result_callback(self, out: Any) -> Any:
        """Raise what `_collect` hands over as an error."""
        if isinstance(out, BackendError):
            raise out
        return super().retrieve_result_callback(out)

    def start_call(self) -> None:
        """Start to collect results, and to watch the workers."""
        patience = no_worker_seconds()
        super().start_call()
        self.client.loop.add_callback(self._watch, patience)

    async def _collect(self) -> None:
        """Hand every ended task to joblib; the original forgets those that failed in dask."""
        while self._continue:
            async for future, result in self.waiting_futures:
                if future.status == "finished":
                    self._tell(future, result)
                else:
                    self._tell_lost(future)
            await asyncio.sleep(0.01)

    def _tell(self, future: Any, result: Any) -> None:
        """Hand the answer of one task to joblib, once."""
        self._results.pop(future, None)
        callback = self._callbacks.pop(future, None)
        if callback:
            callback(result)

    def _tell_lost(self, future: Any) -> None:
        """Hand over a task that dask has given up: None if its workers died, else an error."""
        from distributed import KilledWorker

        error = future._state.exception if future.status == "error" else None
        if isinstance(error, KilledWorker):
            self._tell(future, [None])
        elif isinstance(error, BackendError):
            self._tell(future, error)
        else:
            told = f"{type(error).__name__}: {error}" if error else future.status
            self._tell(future, BackendError(f"the dask cluster lost a run ({told})"))

    async def _watch(self, patience: float) -> None:
        """Tell of lost tasks; give up if the cluster has no worker for so many seconds."""
        last = time.monotonic()
        lost: set[Any] = set()
        while self._continue and time.monotonic() - last < patience:
            await asyncio.sleep(min(1.0, patience / 4))
            before, lost = lost, {f for f in self._callbacks if f.status in ("error", "canceled")}
            for future in lost & before:  # `_collect` has had the time, and still waits for it
                self._tell_lost(future)
            try:
                if await self.client.scheduler.ncores():
                    last = time.monotonic()
            except OSError:  # the scheduler is gone: its futures are canceled, _collect says so
                return
        if self._continue:
            alone = BackendError(
                f"the dask cluster has had no worker for {patience:g} s; start one and give the"
                " same command again"
            )
            for callback in list(self._callbacks.values()):
                callback(alone)
