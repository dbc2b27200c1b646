"""JSON: one object a line, a list of objects, an object of lists, and trainer_state.json."""

import json
from collections.abc import Callable
from typing import Any, BinaryIO

import numpy as np

from motsim.rates.reading.frames import FrameTable, frame_table
from motsim.rates.reading.history import history_table
from motsim.rates.reading.refusal import ReadingError, short

__all__ = ["json_table"]


def json_table(name: str, opener: Callable[[], BinaryIO]) -> FrameTable:
    """Return the table of a JSON file; ReadingError names the line that is none."""
    with opener() as stream:
        first = stream.readline()
        while first and not first.strip():
            first = stream.readline()
    try:
        start = json.loads(first)
    except ValueError:
        start = None  # the first line opens something longer
    except RecursionError:
        raise ReadingError(f"{name}: nested too deeply to be a table") from None
    if isinstance(start, dict):
        rows, lines = _lines(name, opener)
        if len(rows) > 1:
            return _table(name, rows, "json lines", lines)
    with opener() as stream:
        try:
            whole = json.load(stream)
        except RecursionError:
            raise ReadingError(f"{name}: nested too deeply to be a table") from None
        except ValueError as error:
            raise ReadingError(f"{name}: no JSON: {error}") from None
    if isinstance(whole, dict) and isinstance(whole.get("log_history"), list):
        return _trainer(name, whole)
    if isinstance(whole, list) and whole and all(isinstance(row, dict) for row in whole):
        return _table(name, whole, "json lines", np.arange(1, len(whole) + 1, dtype=np.int64))
    table = history_table(name, whole) if isinstance(whole, dict) else None
    if table is None:
        raise ReadingError(
            f"{name}: JSON without rows; give one object a line, a list of objects, an object of"
            " lists (Keras' history), or a trainer_state.json (its log_history)"
        )
    return table


def _lines(name: str, opener: Callable[[], BinaryIO]) -> tuple[list[dict[str, Any]], np.ndarray]:
    rows: list[dict[str, Any]] = []
    numbers: list[int] = []
    with opener() as stream:
        for number, line in enumerate(stream, 1):
            if not line.strip():
                continue
            try:
                row = json.loads(line)
            except (ValueError, RecursionError):
                text = line.decode("utf-8", "replace").strip()
                raise ReadingError(
                    f"{name}: row {number:,}: {short(text)} is no JSON object; one a line"
                ) from None
            if not isinstance(row, dict):
                raise ReadingError(f"{name}: row {number:,}: {short(row)} is no JSON object")
            rows.append(row)
            numbers.append(number)
    return rows, np.array(numbers, dtype=np.int64)


def _table(name: str, rows: list[dict[str, Any]], kind: str, lines: np.ndarray) -> FrameTable:
    """Return a table with the union of the keys, objects inside written as outer/inner."""
    import pandas as pd

    flat = [_flat(row) for row in rows]
    keys = list(dict.fromkeys(key for row in flat for key in row))
    # objects, so that a nan that was written stays apart from a key that was not
    columns = {
        key: np.array([row.get(key) for row in flat] + [None], dtype=object)[:-1] for key in keys
    }
    return frame_table(name, pd.DataFrame(columns), kind, lines)


def _flat(row: dict[str, Any], depth: int = 2) -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in row.items():
        if isinstance(value, dict) and depth:
            inner = _flat(value, depth - 1)
            flat |= {f"{key}/{name}": cell for name, cell in inner.items()}
        else:
            flat[str(key)] = str(value) if isinstance(value, list | dict) else value
    return flat


def _trainer(name: str, state: dict[str, Any]) -> FrameTable:
    """Return the history of Hugging Face's Trainer."""
    history = [row for row in state["log_history"] if isinstance(row, dict)]
    kept = [row for row in history if "train_runtime" not in row]
    if not kept:
        raise ReadingError(f"{name}: log_history is empty: nothing was logged")
    numbers = [i for i, row in enumerate(history, 1) if "train_runtime" not in row]
    table = _table(name, kept, "trainer_state", np.array(numbers, dtype=np.int64))
    table.notes.append("Hugging Face trainer_state.json: rows are entries of log_history.")
    if len(kept) < len(history):
        table.notes.append("Its summary row (train_runtime) is no point of the curve: left out.")
    every = state.get("logging_steps")
    table.notes.append(
        "Its loss is the mean over the steps since the last entry"
        + (f" ({every:g} steps)" if isinstance(every, int | float) and every else "")
        + ": T lags by about half of that."
    )
    return table
