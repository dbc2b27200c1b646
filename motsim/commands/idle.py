"""Axes of a sweep that change nothing: runs that differ only there are the same run."""

from collections.abc import Iterator

from motsim.results.content import FAILED
from motsim.results.tables import Tables

__all__ = ["idle_axes", "idle_lines"]


def idle_axes(tables: Tables) -> dict[str, int]:
    """Return the axes that change no number of the main table, and by how many runs that is seen.

    Finished runs are compared that agree in all other labels, the seed among them.

    >>> import pandas as pd
    >>> frame = pd.DataFrame({"noise": [0, 1], "seed": 0, "run": ["a", "b"], "loss": [0.5, 0.5]})
    >>> idle_axes(Tables("x", {"labels": ["noise", "seed"]}, frame, {}))
    {'noise': 2}
    """
    found, main = {}, tables.main
    if "status" in main:  # runs that failed alike show nothing
        main = main[~main["status"].isin(FAILED)]
    for axis in (label for label in tables.labels if label != "seed"):
        rest = [label for label in tables.labels if label != axis]
        runs = main.drop(columns="run")
        same = rest + ["epsilon"] * ("epsilon" in runs)
        groups = runs.groupby(same, dropna=False, sort=False)
        compared = groups[axis].transform("nunique") > 1
        if not compared.any():
            continue
        results = runs.columns.difference([axis, *same])
        spread = runs[compared].groupby(same, dropna=False, sort=False)[list(results)]
        if (spread.nunique(dropna=False) <= 1).all(axis=None):
            found[axis] = int(main.loc[compared, "run"].nunique())
    return found


def idle_lines(tables: Tables) -> Iterator[str]:
    """Yield a line for each axis that changes nothing."""
    for axis, count in idle_axes(tables).items():
        yield f"{axis} changes nothing here: {count} runs that differ only in it are the same"
