"""How a run of any kind ended."""

from enum import StrEnum

__all__ = ["Status"]


class Status(StrEnum):
    """How a run ended: stored, exported and compared as its word.

    >>> Status("reached").message
    'the loss fell to the smallest epsilon'
    """

    REACHED = "reached"
    MAX_STEPS = "max_steps"
    DIVERGED = "diverged"
    DONE = "done"
    ERROR = "error"
    WORKER_DIED = "worker_died"

    @property
    def message(self) -> str:
        """What it says, in words."""
        return MESSAGES[self]

    @property
    def finished(self) -> bool:
        """Whether the run says something; the others are tried again where that is asked for."""
        return self not in (Status.ERROR, Status.WORKER_DIED)


MESSAGES = {
    Status.REACHED: "the loss fell to the smallest epsilon",
    Status.MAX_STEPS: "all steps were taken before the loss fell to the smallest epsilon",
    Status.DIVERGED: "the loss was no longer finite",
    Status.DONE: "all was computed, and there was no epsilon to reach",
    Status.ERROR: "the run raised an error",
    Status.WORKER_DIED: "the process of the run died, each time it was tried",
}
