"""What no machine can compute is refused in the plan, with the estimate, before any run."""

import math
import os
from typing import Any

__all__ = ["check_size", "least_memory"]

MOST_SECONDS = 3.2e7  # of one run: a year on one core
LAST = 2**63 - 1  # of whole numbers in compiled loops
NUMBER = 8  # bytes


def check_size(settings: Any, seconds: float, memory: float | None = None) -> float:
    """Return the seconds of a run that this machine can hold in memory, and any can end.

    Parameters
    ----------
    settings : Settings
        Of any kind.
    seconds : float
        The kind's estimate of one run.
    memory : float, optional
        Bytes that there are; default: this machine's.

    Raises
    ------
    ValueError
        With the estimate.
    """
    for name, value in settings.model_dump().items():
        parts = value if isinstance(value, (list, tuple)) else [value]
        if any(isinstance(part, int) and abs(part) > LAST for part in parts):
            raise ValueError(f"{name} must be below 2^63; got {value:.3g}")
    need = least_memory(settings)
    have = _memory() if memory is None else memory
    if need > have:
        raise ValueError(
            f"a run needs {need / 1e9:,.3g} GB of memory or more, and this machine has"
            f" {have / 1e9:,.3g}"
        )
    if not seconds <= MOST_SECONDS:
        raise ValueError(
            f"a run would take up to {seconds / 31_557_600:,.3g} years; a year is the most"
        )
    return seconds


def least_memory(settings: Any) -> float:
    """Return the bytes that a run's largest arrays take at least; 0 where nothing is known."""

    def value(name: str, default: float = 0.0) -> float:
        """Return a setting; the largest of several."""
        found = getattr(settings, name, default)
        return float(max(found, default=0) if isinstance(found, (list, tuple)) else found)

    experts = value("num_experts")
    model = getattr(settings, "model", "")
    heads = {"mot": experts, "single": experts, "shared": 1.0}.get(model, 0.0)
    dim = value("dim")
    parameters = experts * value("num_neurons") * dim + heads * dim**2
    points = max(value("sample_size"), value("new_samples"))
    if getattr(settings, "data", "") == "synthetic":
        points = value("synthetic_samples")
    tokens = points * value("num_tokens") * dim
    tasks = value("num_tasks") * dim
    return NUMBER * max(parameters, tokens, tasks)


def _memory() -> float:
    """Bytes of this machine; infinite where it does not tell."""
    try:
        return float(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    except (AttributeError, ValueError, OSError):
        return math.inf
