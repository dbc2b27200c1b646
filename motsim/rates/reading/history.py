"""Histories: a JSON object of lists, as Keras' History holds one list a quantity."""

from typing import Any

import numpy as np

from motsim.checks import listed
from motsim.rates.reading import names
from motsim.rates.reading.frames import FrameTable, frame_table
from motsim.rates.reading.refusal import ReadingError, short

__all__ = ["history_table"]


def history_table(name: str, told: dict[str, Any]) -> FrameTable | None:
    """Return the table of an object of lists, one a column; None if nothing in it is a list.

    What pandas' to_json writes, an object of numbered cells a column, is one too. Lists without a
    column of steps are one value an epoch, as ``json.dump(model.fit(...).history)`` writes them.

    Raises
    ------
    ReadingError
        If lists differ in length, or stand beside something else.
    """
    import pandas as pd

    numbered = bool(told) and all(_numbered(value) for value in told.values())
    if numbered:
        index = list(dict.fromkeys(key for value in told.values() for key in value))
        told = {key: [value.get(i) for i in index] for key, value in told.items()}
    lists = {str(key): value for key, value in told.items() if isinstance(value, list)}
    for key, value in told.items():
        if (lists and not isinstance(value, list)) or _inner(value):
            raise ReadingError(f"{name}: key {key!r} holds {_what(value)}")
    if not lists:
        return None
    counts = {key: len(value) for key, value in lists.items()}
    if len(set(counts.values())) > 1:
        said = listed([f"{key} ({count:,})" for key, count in counts.items()])
        raise ReadingError(
            f"{name}: lists of unequal length: {said}; each row needs a value of each: write null"
            " where there was none, or leave the shorter lists out"
        )
    size = max(counts.values())
    if not size:
        raise ReadingError(f"{name}: lists without values ({listed(lists)})")
    # objects, so that a nan that was written stays apart from a null
    columns = {
        key: np.array([*map(_cell, value), None], dtype=object)[:-1] for key, value in lists.items()
    }
    if numbered:
        indices = [int(i) for i in index]
        return frame_table(name, pd.DataFrame({"index": indices, **columns}), "json lines")
    if names.step_columns(list(columns)):
        table = frame_table(name, pd.DataFrame(columns), "json lines")
        table.notes.append("JSON object of lists: each list is a column.")
        return table
    table = frame_table(name, pd.DataFrame({"epoch": np.arange(size), **columns}), "keras")
    table.notes.append(
        "JSON object of lists, as Keras' history holds them: each list is a column, its values are"
        f" those of epochs 0 to {size - 1:,}; a loss is the mean over the epoch, not its end."
    )
    return table


def _numbered(value: Any) -> bool:
    """Tell whether a value is a column as pandas' to_json writes it: cells by number."""
    return isinstance(value, dict) and bool(value) and all(key.isdigit() for key in value)


def _cell(value: Any) -> Any:
    return str(value) if isinstance(value, list | dict) else value


def _inner(value: Any) -> bool:
    """Tell whether a value is an object of lists itself."""
    return isinstance(value, dict) and bool(value) and all(map(_is_list, value.values()))


def _is_list(value: Any) -> bool:
    return isinstance(value, list)


def _what(value: Any) -> str:
    """Say what stands where a list should, and what to do."""
    if _inner(value):
        return f"an object of lists ({listed(value, 3)}): write that alone into a file"
    what = "an object" if isinstance(value, dict) else short(value)
    return f"{what}, no list; an object of lists of equal length is a table: leave it out"
