"""Which ray cluster is meant, and whether it answers: asked before ray is loaded here.

A driver of ray tries for minutes to reach what does not answer, with lines of its own. So a process
that can be ended tries first.
"""

import os
import subprocess
import sys

from motsim.running.backends import BackendError

__all__ = ["ray_address"]

PATIENCE = 20.0  # seconds to join a cluster, the import of ray included
TRIAL = """
import os, sys, ray
ray.init(sys.argv[1], log_to_driver=False, logging_level="CRITICAL")
os._exit(0)
"""


def ray_address(scheduler: str | None) -> str | None:
    """Return the address of a cluster that answers; None where ray shall start one here.

    Parameters
    ----------
    scheduler : str, optional
        Default: that of the variable ``RAY_ADDRESS``, as everywhere in ray.

    Raises
    ------
    BackendError
        If none answers there in time.
    """
    address = scheduler or os.environ.get("RAY_ADDRESS")
    if not address or address == "local":
        return None
    _try(address)
    return address


def _try(address: str) -> None:
    call = [sys.executable, "-c", TRIAL, address]
    try:
        done = subprocess.run(
            call, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=PATIENCE
        )
    except subprocess.TimeoutExpired as error:
        raise BackendError(
            f"no ray cluster answers at {address!r} within {PATIENCE:.0f} s"
        ) from error
    if done.returncode:
        reason = (done.stderr.strip() or "no reason given").splitlines()[-1]
        raise BackendError(f"no ray cluster answers at {address!r} ({reason})")
