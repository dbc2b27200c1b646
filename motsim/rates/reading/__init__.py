"""Readers of training curves that other programs wrote.

`read` takes files, a DataFrame or an array and returns `Curves`: one long table, and notes on what
was guessed from what, what was dropped, and what the format does to T(eps). What cannot be read in
one way only is refused with a ReadingError, one line that names the place and the option to give.
Nothing in a file is ever run.
"""

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from motsim.rates.reading.curves import Curves
from motsim.rates.reading.refusal import ReadingError

__all__ = ["Curves", "ReadingError", "read"]


def read(
    data: Any,
    *,
    loss: str | None = None,
    step: str | None = None,
    run: Sequence[str] | str = (),
    where: Mapping[str, Any] | Iterable[str] | None = None,
    by: Sequence[str] | str = (),
    optimum: float | None = None,
) -> Curves:
    """Return the curves of files, of a DataFrame, or of an array.

    Parameters
    ----------
    data : path, sequence of paths, DataFrame or 2-D array
        Long or wide CSV (also gzipped), Parquet, JSON lines, and what Lightning, Keras, W&B,
        TensorBoard, Hugging Face, benchopt, COCO and IOHprofiler write. A frame is long (columns
        for step and loss) or wide (its index holds steps, each column a run); an array is wide,
        its rows are steps 0, 1, ....
    loss, step : str, optional
        Columns (of TensorBoard: tag); guessed from their names if not given.
    run, by : str or sequence of str
        Columns that name runs, and that make groups; guessed if empty. With several files, `file`
        is a column, too.
    where : mapping, or sequence of "column=value"
        Only rows that hold the value; several values of one column mean any of them.
    optimum : float, optional
        The value is one to maximize: losses are `optimum` - value.

    Raises
    ------
    ReadingError
        In one line: file, row, column, value, the rule, and the nearest valid choice.
    """
    from motsim.rates.reading.gaps import gap_notes
    from motsim.rates.reading.optimum import below_optimum

    run = (run,) if isinstance(run, str) else tuple(run or ())
    by = (by,) if isinstance(by, str) else tuple(by or ())
    name, curves, rises = _read(data, loss, step, run, where, by)
    curves = below_optimum(name, curves, optimum, rises)
    return replace(curves, notes=(*curves.notes, *gap_notes(curves)))


def _read(
    data: Any,
    loss: str | None,
    step: str | None,
    run: tuple[str, ...],
    where: Mapping[str, Any] | Iterable[str] | None,
    by: tuple[str, ...],
) -> tuple[str, Curves, bool | None]:
    """Return (name for messages, curves, whether the source says that values are maximized)."""
    from motsim.rates.reading.filters import parse_where
    from motsim.rates.reading.reader import Asked, read_table
    from motsim.rates.reading.sources import open_table

    filters = parse_where(where)
    if isinstance(data, str | os.PathLike):
        data = [data]
    if isinstance(data, list | tuple) and not data:
        raise ReadingError("no file given; name at least one")
    if isinstance(data, list | tuple) and all(isinstance(d, str | os.PathLike) for d in data):
        paths = [Path(path) for path in data]
        if len(paths) == 1:
            table = open_table(paths[0], loss)
            return table.name, read_table(table, Asked(loss, step, run, filters, by)), table.rises
        return _read_several(paths, Asked(loss, step, run, filters, by))
    from motsim.rates.reading.memory import read_memory

    return "data", read_memory(data, Asked(loss, step, run, filters, by)), None


def _read_several(paths: list[Path], asked: Any) -> tuple[str, Curves, bool | None]:
    from motsim.rates.reading.filters import chosen_files
    from motsim.rates.reading.reader import read_table
    from motsim.rates.reading.several import file_labels, join
    from motsim.rates.reading.sources import open_table

    labels = file_labels(paths)
    paths, labels = chosen_files(paths, labels, asked.where.pop("file", None))
    group_by_file, run_by_file = "file" in asked.by, "file" in asked.run
    asked = replace(
        asked,
        by=tuple(name for name in asked.by if name != "file"),
        run=tuple(name for name in asked.run if name != "file"),
    )
    read: list[Curves] = []
    rises: list[bool | None] = []
    for path in paths:
        table = open_table(path, asked.loss)
        read.append(read_table(table, asked))
        rises.append(table.rises)
    joined = join(labels, read, run_by_file, group_by_file)
    same = rises[0] if len(set(rises)) == 1 else None
    return f"{len(paths)} files", joined, same
