"""ray's backend for joblib, made to hand back results one by one, and to answer in time.

ray derives it from joblib's multiprocessing backend, which gives all results at the end.
"""

from contextlib import ExitStack
from typing import Any

import ray
from ray.exceptions import RayError, RayTaskError
from ray.util.joblib.ray_backend import RayBackend

from motsim.running.backends import BackendError

__all__ = ["LOST_WORKER", "StreamingRayBackend", "connect"]

LOST_WORKER = (RayError,)  # less what a task itself raised, see `retrieve_result_callback`


def connect(stack: ExitStack, jobs: int | None, address: str | None) -> int:
    """Join the cluster of an address, or start one here; return the number of runs at a time.

    In a cluster that is there `jobs` says how many runs are handed out; ray would refuse it.

    Raises
    ------
    BackendError
        If ray cannot join it, or cannot start one.
    """
    quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": "ERROR"}
    if address is None:
        try:
            ray.init("local", num_cpus=jobs, include_dashboard=False, **quiet)
        except Exception as error:  # a node that is late is a bare Exception
            raise BackendError(
                f"ray cannot start a cluster here ({type(error).__name__}: {error})"
            ) from error
    else:
        try:
            ray.init(address, **quiet)
        except Exception as error:
            raise BackendError(f"no ray cluster answers at {address!r} ({error})") from error
    stack.callback(ray.shutdown)
    return jobs or int(ray.cluster_resources().get("CPU", 1))


class StreamingRayBackend(RayBackend):
    """Results are told as they come; the error of a lost worker is raised."""

    supports_return_generator = True

    def retrieve_result_callback(self, result: Any) -> Any:
        """Return a task's result; raise what ray reports instead of one.

        A run that raises is a result. So a task that raised says nothing of its runs: it is the
        place that cannot run them, as a node without motsim.

        Raises
        ------
        BackendError
            If a task could not be run where it came to.
        """
        if isinstance(result, RayTaskError):
            cause = getattr(result, "cause", None) or result
            if isinstance(cause, BackendError):
                raise cause
            text = str(cause).strip().splitlines() or [""]
            raise BackendError(
                f"a node of the ray cluster cannot run motsim ({type(cause).__name__}: {text[-1]});"
                " install the same version there"
            ) from result
        if isinstance(result, BaseException):
            raise result
        return super().retrieve_result_callback(result)
