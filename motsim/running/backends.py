"""Where runs are computed: worker processes here (loky), or a dask or ray cluster, by joblib.

motsim schedules nothing by itself: joblib hands out the tasks and streams their results back.
"""

import asyncio
import logging
import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any, Literal, get_args

from joblib import parallel_config, register_parallel_backend
from joblib.externals.loky.process_executor import TerminatedWorkerError

from motsim.extras import require

__all__ = ["BACKENDS", "Backend", "BackendError", "BackendName", "open_backend"]

BackendName = Literal["loky", "sequential", "dask", "ray"]
BACKENDS: tuple[BackendName, ...] = get_args(BackendName)
PATIENCE = 5.0  # seconds for a scheduler to answer


class BackendError(RuntimeError):
    """A cluster cannot be used; the message is one line for the user."""

    def __init__(self, message: str) -> None:
        super().__init__(" ".join(message.split()))


@dataclass(frozen=True)
class Backend:
    """An open backend.

    Attributes
    ----------
    name : {"loky", "sequential", "dask", "ray"}
    jobs : int
        Runs at a time.
    ahead : int
        Tasks handed out before the first has ended.
    died : tuple of exception types
        Raised where a worker ended in the middle of a task.
    context : callable
        Makes the context in which `joblib.Parallel` uses this backend.
    """

    name: BackendName = "loky"
    jobs: int = 1
    ahead: int = 2
    died: tuple[type[BaseException], ...] = (TerminatedWorkerError,)
    context: Callable[[], AbstractContextManager[Any]] = nullcontext

    @property
    def remote(self) -> bool:
        """Whether workers may not see the results folder, so that this process commits."""
        return self.name in ("dask", "ray")


@contextmanager
def open_backend(
    name: BackendName = "loky", jobs: int | None = None, scheduler: str | None = None
) -> Iterator[Backend]:
    """Yield a backend, connected; close it in the end.

    Parameters
    ----------
    name : {"loky", "sequential", "dask", "ray"}
    jobs : int, optional
        Runs at a time; default: every core here, or every thread of the cluster.
    scheduler : str, optional
        Address of a cluster's scheduler; without one, ray takes that of ``RAY_ADDRESS``, or starts
        a cluster here.

    Raises
    ------
    BackendError
        If there is no such scheduler, or it has no worker.
    MissingExtraError
        If the extra `distributed` or `ray` is not installed.
    """
    with ExitStack() as stack:
        if name == "dask":
            yield _dask(stack, jobs, scheduler)
        elif name == "ray":
            yield _ray(stack, jobs, scheduler)
        elif scheduler is not None:
            raise BackendError(f"--scheduler needs --backend dask or ray; got --backend {name}")
        else:
            many = 1 if name == "sequential" else jobs or os.cpu_count() or 1
            yield Backend(name, many, 2 * many)


def _dask(stack: ExitStack, jobs: int | None, scheduler: str | None) -> Backend:
    require("distributed", ("distributed",))
    if scheduler is None:
        raise BackendError(
            "--backend dask needs --scheduler ADDRESS, such as tcp://host:8786 (`dask scheduler`"
            " starts one and prints its address)"
        )
    from distributed import Client

    from motsim.running.dask_backend import RepairedDaskBackend, identify, no_worker_seconds

    no_worker_seconds()  # a wrong setting is refused before anything runs
    for name in list(logging.root.manager.loggerDict):
        if name.partition(".")[0] in ("distributed", "tornado", "asyncio"):
            logging.getLogger(name).setLevel(logging.CRITICAL)  # what matters is said in one line
    try:
        asyncio.run(identify(scheduler, PATIENCE))  # Client waits for ever for a silent one
        client = Client(scheduler, timeout=PATIENCE, set_as_default=False)
    except (OSError, ValueError, TypeError, ImportError) as error:
        raise BackendError(
            f"no dask scheduler answers at {scheduler!r} within {PATIENCE:.0f} s ({error})"
        ) from error
    stack.callback(client.close)
    try:
        client.wait_for_workers(1, timeout=PATIENCE)
    except TimeoutError as error:
        raise BackendError(
            f"the dask scheduler at {scheduler} has no worker after {PATIENCE:.0f} s; start one"
            f" with: dask worker {scheduler}"
        ) from error
    register_parallel_backend("motsim-dask", RepairedDaskBackend)
    threads = sum(client.ncores().values())
    return Backend(
        "dask",
        jobs or threads,
        jobs or 2 * threads,
        (),  # a task whose worker died comes back as None
        lambda: parallel_config("motsim-dask", client=client),
    )


def _ray(stack: ExitStack, jobs: int | None, scheduler: str | None) -> Backend:
    require("ray", ("ray",))
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing leaves the machine unasked
    from motsim.running.ray_address import ray_address

    address = ray_address(scheduler)  # before the seconds that the import of ray takes
    from motsim.running.ray_backend import LOST_WORKER, StreamingRayBackend, connect

    many = connect(stack, jobs, address)
    register_parallel_backend("motsim-ray", StreamingRayBackend)
    return Backend("ray", many, 2 * many, LOST_WORKER, lambda: parallel_config("motsim-ray"))
