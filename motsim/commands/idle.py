"""Axes of a sweep that change nothing: runs that differ only there are the same run."""

from collections.abc import Iterator

import pandas as pd

from motsim.mixture.status import Status
from motsim.results.content import FAILED
from motsim.results.tables import Tables

__all__ = ["idle_axes", "idle_lines"]


def idle_axes(tables: Tables) -> dict[str, int]:
    """Return the axes that change no number of the main table, and by how many runs that is seen.

    Finished runs are compared that agree in all other labels, the seed among them, unless all of
    them diverged.

    >>> frame = pd.DataFrame({"noise": [0, 1], "seed": 0, "run": ["a", "b"], "loss": [0.5, 0.5]})
    >>> idle_axes(Tables("x", {"labels": ["noise", "seed"]}, frame, {}))
    {'noise': 2}
    """
    found, main = {}, tables.main
    finite = pd.Series(True, index=main.index)
    if "status" in main:  # runs that failed alike, or diverged alike, show nothing
        main = main[~main["status"].isin(FAILED)]
        finite = main["status"] != Status.DIVERGED
    points = ["epsilon"] if "epsilon" in main else []
    for axis in (label for label in tables.labels if label != "seed"):
        rest = [label for label in tables.labels if label != axis]
        value = main[axis].factorize(use_na_sentinel=False)[0]  # an empty value is one, too
        runs = main.assign(_value=value, _finite=finite)
        groups = runs.groupby(rest, dropna=False, sort=False)
        compared = (groups["_value"].transform("nunique") > 1) & groups["_finite"].transform("any")
        if not compared.any():
            continue
        some = runs[compared]
        all_values = some.groupby(rest, dropna=False, sort=False)["_value"].transform("nunique")
        by_row = some.groupby([*rest, *points], dropna=False, sort=False)
        results = main.columns.difference([axis, "run", *rest, *points])
        alike = (by_row[list(results)].nunique(dropna=False) <= 1).all(axis=None)
        if alike and (by_row["_value"].transform("nunique") == all_values).all():
            found[axis] = len(some[tables.labels].drop_duplicates())
    return found


def idle_lines(tables: Tables) -> Iterator[str]:
    """Yield a line for each axis that changes nothing."""
    for axis, count in idle_axes(tables).items():
        once = ", and computed once" if _shared(tables, axis) else ""
        yield f"{axis} changes nothing here: {count} runs that differ only in it are the same{once}"


def _shared(tables: Tables, axis: str) -> bool:
    """Whether runs that differ only in an axis were known to be one, and not only seen to be."""
    rest = [label for label in tables.labels if label != axis]
    rows = tables.main.drop_duplicates([*tables.labels])
    runs = rows.groupby(rest, dropna=False, sort=False)["run"].agg(["size", "nunique"])
    return bool((runs["size"] > 1).any() and (runs["nunique"] == 1).all())
