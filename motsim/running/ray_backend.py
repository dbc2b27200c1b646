"""ray's backend for joblib, made to hand back results one by one.

ray derives it from joblib's multiprocessing backend, which gives all results at the end.
"""

from typing import Any

from ray.util.joblib.ray_backend import RayBackend

__all__ = ["StreamingRayBackend"]


class StreamingRayBackend(RayBackend):
    """Results are told as they come; the error of a lost worker is raised."""

    supports_return_generator = True

    def retrieve_result_callback(self, result: Any) -> Any:
        """Return a task's result; raise what ray reports instead of one."""
        if isinstance(result, BaseException):
            raise result
        return super().retrieve_result_callback(result)
