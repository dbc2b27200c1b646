"""What other packages plug into motsim by entry points: kinds of run, claims, figures."""

from functools import cache
from importlib.metadata import entry_points
from importlib.util import find_spec
from pathlib import Path

__all__ = ["GROUPS", "plugin_file", "plugins"]

GROUPS = ("motsim.kinds", "motsim.claims", "motsim.figures")


@cache
def plugins(group: str) -> dict[str, str]:
    """Names that installed packages declare in a group, each with its module (``:function``).

    >>> plugins("motsim.nothing")
    {}
    """
    return {point.name: point.value.replace(" ", "") for point in entry_points(group=group)}


def plugin_file(group: str, name: str, file: str) -> Path | None:
    """Path of a file beside the module that is plugged in under a name; None if there is none."""
    module = plugins(group).get(name, "").partition(":")[0]
    try:
        spec = find_spec(module) if module else None
    except ImportError:  # its package cannot be imported: whoever loads it says why
        return None
    if spec is None or spec.origin is None:
        return None
    path = Path(spec.origin).with_name(file)
    return path if path.is_file() else None
