"""Data in memory: long and wide DataFrames, and arrays."""

from typing import TYPE_CHECKING, Any

import numpy as np

from motsim.rates.reading import names
from motsim.rates.reading.curves import Curves
from motsim.rates.reading.frames import frame_table
from motsim.rates.reading.reader import Asked, read_table, read_wide
from motsim.rates.reading.refusal import ReadingError

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["read_memory"]


def read_memory(data: Any, asked: Asked) -> Curves:
    """Return the curves of a DataFrame or of a 2-D array."""
    import pandas as pd

    if isinstance(data, pd.Series):
        data = data.to_frame("loss" if data.name is None else data.name)
    if isinstance(data, pd.DataFrame):
        return _read_frame(data, asked)
    if not hasattr(data, "__array__") and not isinstance(data, list | tuple):
        raise ReadingError(
            f"data: {type(data).__name__} is no table; give a path, paths, a DataFrame or an array"
        )
    try:
        array = np.asarray(data, dtype=np.float64)
    except (TypeError, ValueError):
        raise ReadingError("data: an array or list that holds no table of numbers") from None
    if array.ndim != 2:
        raise ReadingError(
            f"data: an array of {array.ndim} dimension{'s' if array.ndim != 1 else ''}; rows are"
            " steps and columns runs: give two"
        )
    rows, columns = array.shape
    if not array.size:
        raise ReadingError("data: empty")
    if columns > rows:
        raise ReadingError(
            f"data: {rows:,} rows and {columns:,} columns; rows are steps and columns runs:"
            " transpose it (.T), or give a DataFrame if there are more runs than steps"
        )
    if columns == 2 and bool((np.diff(array[:, 0]) > 0).all()):
        raise ReadingError(
            "data: two columns, the first rises: steps and losses? give a DataFrame with columns"
            " step and loss (or one with steps as index and a column a run)"
        )
    frame = pd.DataFrame(array, columns=[str(i) for i in range(columns)])
    table = frame_table("data", frame, "wide")
    table.notes.append(f"Array: rows are steps 0 to {rows - 1:,}, columns are runs.")
    runs = {name: name for name in table.columns}
    return read_wide(table, asked, runs, np.arange(rows, dtype=np.float64))


def _read_frame(frame: "pd.DataFrame", asked: Asked) -> Curves:
    """Return the curves of a frame: wide if its index rises and no column is a step."""
    import pandas as pd

    if not len(frame.columns) or not len(frame):
        raise ReadingError("data: an empty frame")
    index = frame.index
    levels = [str(level) for level in index.names if level is not None]
    clash = [level for level in levels if level in map(str, frame.columns)]
    table = frame_table("data", frame, "frame")
    named = asked.loss is not None or asked.step is not None or asked.run or asked.by
    steps = names.step_columns(table.columns)
    losses, _ = names.loss_columns(table.columns)  # quantities of one run, not runs
    counts = any(map(names.counts_rows, table.columns))
    numeric = index.nlevels == 1 and pd.api.types.is_numeric_dtype(index.dtype)
    if numeric and not (named or table.text or steps or losses or counts):
        table = frame_table("data", frame.reset_index(drop=True), "wide")
        step = index.to_numpy(dtype=np.float64)
        title = levels[0] if levels else "its positions or labels"
        table.notes.append(f"Wide frame: its index ({title}) holds steps, each column a run.")
        runs = {name: name for name in table.columns}
        return read_wide(table, asked, runs, step)
    numbers = len(table.text) < len(table.columns)
    if numeric and numbers and not (clash or steps or counts) and asked.step is None:
        title = levels[0] if levels else "index"
        table = frame_table("data", frame.rename_axis(title).reset_index(), "frame")
        table.index = () if names.step_columns([title]) else (title,)
    elif levels and not clash:
        table = frame_table("data", frame.reset_index(), "frame")
    return read_table(table, asked)
